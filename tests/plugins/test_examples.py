"""Each example does what its first line says, by the hook it is an example of."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jarvis.assistant.intents import match_intent
from jarvis.assistant.templates.collection import collect
from jarvis.core.errors import InvalidInput, PluginFailed
from jarvis.engines.worker import Worker
from jarvis.plugins import found
from jarvis.plugins.kinds import FileLimits, ToolContext
from jarvis.plugins.registry import Plugins

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
DOCS = EXAMPLES.parents[1] / "docs" / "plugins.md"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As a person would have it: nobody else may write there."""
    for name in NAMES:
        shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
        (tmp_path / f"{name}.py").chmod(0o600)
    return tmp_path


def on(folder: Path, name: str, settings: Mapping[str, str] | None = None) -> Plugins:
    plugins = Plugins(folder)
    asyncio.run(plugins.switch_on(name, settings or {}))
    return plugins


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_enabled_and_says_what_it_is(folder: Path, name: str) -> None:
    one = {one.metadata.name: one for one in found.in_folder(folder)}[name]
    assert not one.problem and one.metadata.summary.endswith(".")
    plugins = on(folder, name, {"file": str(folder / "diary.txt")})
    (row,) = [row for row in asyncio.run(plugins.rows([name])) if row["name"] == name]
    assert row["state"] == "on" and row["gives"]


def test_there_is_one_of_each_kind(folder: Path) -> None:
    plugins = Plugins(folder)

    async def all_on() -> list[dict[str, Any]]:
        for name in NAMES:
            await plugins.switch_on(name, {"file": str(folder / "diary.txt")})
        return await plugins.rows(NAMES)

    kinds = {kind for row in asyncio.run(all_on()) for kind in row["gives"]}
    assert kinds == {"intents", "tool", "engine", "file processor", "model provider", "listener"}


def test_the_one_on_the_page_is_made_in_ten_minutes(tmp_path: Path) -> None:
    source = DOCS.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "dice.py").write_text(source)
    (tool,) = on(tmp_path, "dice").tools()
    said = asyncio.run(tool.run({"sides": 2}, ToolContext("", "", False, None)))
    assert said in ("It shows 1.", "It shows 2.")
    (pack,) = on(tmp_path, "dice").intents()
    found = collect([(pack.name, pack.templates)], {*pack.skills}).understanding
    match = match_intent("Roll a die with 2 sides.", understanding=found)
    assert match is not None and match.intent == "dice_roll"
    assert asyncio.run(pack.skills["dice_roll"](match, None, None)) in ("It shows 1.", "It shows 2.")


def test_the_moon_has_the_phase_it_had(folder: Path) -> None:
    (tool,) = on(folder, "moon").tools()

    async def ask(day: str) -> str:
        return await tool.run({"date": day}, ToolContext("", "", False, None))

    # NASA, "Moon Phases: 2001 to 2100"
    for day, phase in (("2024-04-08", "new moon"), ("2025-03-14", "full moon"), ("2026-03-03", "full moon")):
        assert asyncio.run(ask(day + "T12:00")) == f"It is {phase}."
    with pytest.raises(InvalidInput):
        asyncio.run(ask("soon"))


def test_subtitles_are_found_by_their_time(folder: Path) -> None:
    (processor,) = on(folder, "subtitles").file_processors()
    film = folder / "film.srt"
    film.write_bytes(
        b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:03,500\r\nHello\r\nthere.\r\n\r\n"
        b"2\r\n00:01:00,000 --> 00:01:02,000\r\nBye.\r\n"
    )
    parts = processor.read(film, FileLimits()).parts
    assert [(part.text, part.place) for part in parts] == [
        ("Hello there.", "00:00:01 to 00:00:03"),
        ("Bye.", "00:01:00 to 00:01:02"),
    ]
    for limits in (FileLimits(max_bytes=10), FileLimits(max_parts=1)):
        with pytest.raises(InvalidInput, match="has more than"):
            processor.read(film, limits)
    film.write_text("nothing")
    with pytest.raises(InvalidInput, match="holds no subtitles"):
        processor.read(film, FileLimits())


def test_the_voice_beeps_once_a_word_in_its_own_process(folder: Path) -> None:
    (offer,) = on(folder, "beeps").engines()

    async def speak() -> Any:
        worker = Worker(offer.name, offer.target, dict(offer.settings))
        try:
            return [await worker.call("synthesize", text, deadline_s=20) for text in ("one", "one two three", "")]
        finally:
            await worker.close()

    one, three, none = asyncio.run(speak())
    assert len(three["audio"]) == 3 * len(one["audio"]) > 0 == len(none["audio"])


def test_the_diary_holds_times_and_no_words(folder: Path) -> None:
    diary = folder / "diary.txt"
    with pytest.raises(PluginFailed, match="does not know where to write"):
        on(folder, "diary")
    (listener,) = on(folder, "diary", {"file": str(diary)}).listeners()
    asyncio.run(listener.told("timer.rang", {"at": "2026-01-01", "turn": "", "timer_id": "tt"}))
    assert diary.read_text() == "2026-01-01 timer.rang\n"


def test_the_parrot_repeats_what_it_is_asked(folder: Path) -> None:
    (provider,) = on(folder, "parrot").model_providers()
    model = provider.make({})

    async def ask() -> str:
        pieces = model.complete([{"role": "user", "content": "good morning"}], max_tokens=8, deadline_s=1)
        return "".join([piece async for piece in pieces])

    assert asyncio.run(ask()) == "You said: good morning "
    assert asyncio.run(model.available()).ok


def test_the_coin_falls_on_either_side(folder: Path) -> None:
    (pack,) = on(folder, "coin").intents()
    said = asyncio.run(pack.skills["coin_flip"](None, None, None))
    assert said in ("It's heads.", "It's tails.")
    assert 'name = "coin_flip"' in pack.templates
