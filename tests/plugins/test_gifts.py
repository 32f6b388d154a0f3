"""What hooks give is checked before it is used, and guarded when it is."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import BadConfiguration, PluginFailed
from jarvis.plugins.gifts import checked
from jarvis.plugins.guard import Guard
from jarvis.plugins.kinds import (
    EngineOffer,
    FileLimits,
    FileText,
    IntentPack,
    Listener,
    ModelProvider,
    Part,
    Tool,
    ToolContext,
)

CONTEXT = ToolContext("roll", "kitchen", False, None)


async def skill(match: Any, request: Any, home: Any) -> str:
    return "Six."


async def run(arguments: dict[str, Any], context: ToolContext) -> str:
    return arguments["text"]


async def told(name: str, fields: Any) -> None:
    raise ValueError("no")


class Lines:
    name = "lines"
    suffixes = frozenset({".lines"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        return FileText("Lines", [Part(str(path), "line 1")])


class Parrot:
    """A language model, `broken` at will."""

    trusted, context_tokens, max_tokens, elsewhere = False, 2048, 128, False

    def __init__(self, name: str) -> None:
        self.name, self.broken, self.closed = name, False, False

    async def available(self) -> str:
        if self.broken:
            raise ValueError("the user said swordfish")
        return "yes"

    async def complete(self, messages: Any, *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        try:
            yield str(messages)
            if self.broken:
                raise ValueError("the user said swordfish")
            yield "!"
        finally:
            self.closed = True


SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOL = Tool("roll_dice", "Rolls.", SCHEMA, run)
PACK = IntentPack("dice", "en", "", {"dice_roll": skill})
OFFER = EngineOffer("beep", "tts", "package.beep:Beep")
PROVIDER = ModelProvider("parrot", lambda settings: Parrot(settings["name"]))
LISTENER = Listener("diary", frozenset({"timer.rang"}), told)
GOOD = {
    "jarvis_tools": TOOL,
    "jarvis_intents": PACK,
    "jarvis_engines": OFFER,
    "jarvis_file_processors": Lines(),
    "jarvis_model_providers": PROVIDER,
    "jarvis_events": LISTENER,
}


def guarded() -> tuple[Guard, list[str]]:
    faults: list[str] = []
    return Guard("dice", faults.append), faults


def take(hook: str, gift: Any) -> Any:
    (one,) = checked(hook, [gift], guarded()[0])
    return one


def strange(**changed: Any) -> Any:
    """A processor with something else than it should have."""
    return type("Strange", (Lines,), changed)()


def of(schema: Any) -> dict[str, Any]:
    """Parameters with one, `a`."""
    return {"type": "object", "properties": {"a": schema}}


class Sync:
    def __call__(self, arguments: Any, context: Any) -> str:
        return ""


def twice(arguments: Any) -> None: ...


BAD = [
    ("jarvis_tools", None, "gives something that is no Tool"),
    ("jarvis_tools", PACK, "gives something that is no Tool"),
    ("jarvis_tools", replace(TOOL, name="Roll Dice"), "is no name"),
    ("jarvis_tools", replace(TOOL, name=5), "is no name"),
    ("jarvis_tools", replace(TOOL, description=" "), "has no description"),
    ("jarvis_tools", replace(TOOL, dangerous="no"), "neither True nor False"),
    ("jarvis_tools", replace(TOOL, parameters=None), "are no JSON"),
    ("jarvis_tools", replace(TOOL, parameters={"type": "object", "x": object()}), "are no JSON"),
    ("jarvis_tools", replace(TOOL, parameters={"type": "array"}), "no schema of an object"),
    ("jarvis_tools", replace(TOOL, parameters={"type": "object", "x": "y" * 20_000}), "bytes"),
    ("jarvis_tools", replace(TOOL, name="ask_home"), "that Jarvis has itself"),
    ("jarvis_tools", replace(TOOL, parameters=of({"pattern": "^x"})), "a has 'pattern', which is not looked at"),
    ("jarvis_tools", replace(TOOL, parameters=of({"type": "text"})), "a has a type that is none"),
    ("jarvis_tools", replace(TOOL, parameters=of({"items": {"anyOf": []}})), "a part of a has 'anyOf'"),
    ("jarvis_tools", replace(TOOL, parameters=of({"maximum": "9"})), "a maximum that is no number"),
    ("jarvis_tools", replace(TOOL, parameters=of(5)), "a is no schema"),
    ("jarvis_tools", replace(TOOL, parameters={"type": "object", "required": "ab"}), "than a list of names"),
    ("jarvis_tools", replace(TOOL, parameters={"type": "object", "enum": 5}), "an enum that is no list"),
    ("jarvis_intents", replace(PACK, templates="[[intent]\nname = 5"), "are no TOML"),
    ("jarvis_tools", replace(TOOL, run=None), "is no function"),
    ("jarvis_tools", replace(TOOL, run=twice), "does not take 2 arguments"),
    ("jarvis_tools", replace(TOOL, run=lambda arguments, context: ""), "is no `async def`"),
    ("jarvis_tools", replace(TOOL, run=Sync()), "is no `async def`"),
    ("jarvis_intents", replace(PACK, templates=b""), "are no text"),
    ("jarvis_intents", replace(PACK, templates="x" * 2_000_000), "bytes"),
    ("jarvis_intents", replace(PACK, skills=[skill]), "no mapping"),
    ("jarvis_intents", replace(PACK, skills={"Dice Roll": skill}), "no name of an intent"),
    ("jarvis_intents", replace(PACK, skills={"dice_roll": run}), "does not take 3 arguments"),
    ("jarvis_engines", replace(OFFER, kind="toaster"), "no kind of engine called 'toaster'"),
    ("jarvis_engines", replace(OFFER, target="rm -rf"), "is not module:factory"),
    ("jarvis_engines", replace(OFFER, settings=[]), "no mapping"),
    ("jarvis_file_processors", object(), "without a name"),
    ("jarvis_file_processors", strange(suffixes={".md"}), "no frozenset"),
    ("jarvis_file_processors", strange(suffixes=frozenset()), "no frozenset"),
    ("jarvis_file_processors", strange(suffixes=frozenset({"md"})), "no frozenset"),
    ("jarvis_file_processors", strange(read=None), "is no function"),
    ("jarvis_model_providers", replace(PROVIDER, make="parrot"), "is no function"),
    ("jarvis_events", replace(LISTENER, events=frozenset()), "listens to nothing"),
    ("jarvis_events", replace(LISTENER, events=frozenset({"timer.rang", "kettle.boiled"})), "called kettle.boiled"),
]


@pytest.mark.parametrize(("hook", "gift", "problem"), BAD)
def test_what_does_not_fit_is_refused_with_what_is_wrong(hook: str, gift: Any, problem: str) -> None:
    with pytest.raises(BadConfiguration, match=problem):
        take(hook, gift)


@pytest.mark.parametrize("hook", GOOD)
def test_what_fits_is_taken_under_its_name(hook: str) -> None:
    assert take(hook, GOOD[hook]).name == GOOD[hook].name
    with pytest.raises(BadConfiguration, match="gives no list"):
        checked(hook, GOOD[hook], guarded()[0])
    with pytest.raises(BadConfiguration, match="more than 100"):
        checked(hook, [GOOD[hook]] * 101, guarded()[0])


def test_each_is_called_through_the_guard() -> None:
    async def main() -> None:
        assert await take("jarvis_intents", PACK).skills["dice_roll"](None, None, None) == "Six."
        assert await take("jarvis_tools", TOOL).run({"text": "six"}, CONTEXT) == "six"
        assert await take("jarvis_tools", replace(TOOL, run=functools.partial(run))).run({"text": "1"}, CONTEXT) == "1"
        assert take("jarvis_file_processors", Lines()).read(Path("a"), FileLimits()).parts[0].text == "a"
        assert take("jarvis_model_providers", PROVIDER).make({"name": "parrot"}).name == "parrot"

        guard, faults = guarded()
        (tool,) = checked("jarvis_tools", [TOOL], guard)
        (numbers,) = checked("jarvis_tools", [replace(TOOL, run=skill_of_numbers)], guard)
        (lines,) = checked("jarvis_file_processors", [strange(read=lambda self, path, limits: "text")], guard)
        (provider,) = checked("jarvis_model_providers", [PROVIDER], guard)
        (listener,) = checked("jarvis_events", [LISTENER], guard)
        with pytest.raises(PluginFailed, match="its tool 'roll_dice': KeyError"):
            await tool.run({}, CONTEXT)
        with pytest.raises(PluginFailed, match="its tool 'roll_dice': it gave no text"):
            await numbers.run({}, CONTEXT)
        with pytest.raises(PluginFailed, match="file processor 'lines': it gave no FileText"):
            lines.read(Path("a"), FileLimits())
        with pytest.raises(PluginFailed, match="provider 'parrot': KeyError"):
            provider.make({})
        with pytest.raises(PluginFailed, match="listener 'diary': ValueError"):
            await listener.told("timer.rang", {})
        for said in (None, 6, {"a": 6}, " ", "word " * 2_000, object()):
            (pack,) = checked("jarvis_intents", [replace(PACK, skills={"dice_roll": gives(said)})], guard)
            with pytest.raises(PluginFailed, match=r"its skill 'dice_roll': it gave (nothing|more than 8000)"):
                await pack.skills["dice_roll"](None, None, None)
        assert len(faults) == 11

    def gives(said: Any) -> Any:
        async def skill(match: Any, request: Any, home: Any) -> Any:
            return said

        return skill

    async def skill_of_numbers(arguments: Any, context: Any) -> Any:
        return 6

    asyncio.run(main())


def test_a_provider_that_makes_no_language_model_is_named() -> None:
    for made in ("parrot", None, type("Half", (), {"available": None, "complete": None})()):
        provider = take("jarvis_model_providers", ModelProvider("parrot", lambda settings, made=made: made))
        with pytest.raises(PluginFailed, match="its provider 'parrot'"):
            provider.make({})


def test_a_language_model_breaks_into_sentences_that_hold_no_words() -> None:
    guard, faults = guarded()
    parrot = Parrot("parrot")
    (provider,) = checked("jarvis_model_providers", [ModelProvider("parrot", lambda settings: parrot)], guard)

    async def said(model: Any) -> list[str]:
        return [piece async for piece in model.complete("tea", max_tokens=8, deadline_s=5)]

    async def main() -> None:
        model = provider.make({})
        assert (model.context_tokens, model.max_tokens, model.trusted, model.elsewhere) == (2048, 128, False, False)
        assert await model.available() == "yes" and await said(model) == ["tea", "!"] and parrot.closed
        parrot.closed = False
        pieces = model.complete("tea", max_tokens=8, deadline_s=5)
        assert await anext(pieces) == "tea"
        await pieces.aclose()
        assert parrot.closed and faults == [], "whoever leaves early breaks nothing"
        parrot.broken = True
        for ask in (model.available, lambda: said(model)):
            with pytest.raises(PluginFailed, match="ValueError"):
                await ask()

    asyncio.run(main())
    assert len(faults) == 2 and "swordfish" not in "".join(faults)
