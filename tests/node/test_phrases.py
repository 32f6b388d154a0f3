"""A person's own sentences, taken up while the node runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import Request
from jarvis.node.minds.phrases import MAX_BYTES, Phrases
from jarvis.plugins.kinds import IntentPack
from tests.assistant.homes import MemoryHome

WIFI = """
language = "en"

[[intent]]
name = "wifi"
reply = "The guest network is called {net}."
slots = { net = "Elm" }
sentences = ["what is the (wifi|wireless) [network]"]
"""
LIGHTS_OUT = 'language = "en"\n[[intent]]\nname = "stop"\nsentences = ["hold your horses"]\n'


class Added:
    """Plugins that give what the test says."""

    def __init__(self) -> None:
        self.packs: list[IntentPack] = []
        self.changed: list[Callable[[], None]] = []

    def give(self, pack: IntentPack) -> None:
        self.packs = [pack]
        for told in self.changed:
            told()


async def said(assistant: Assistant, text: str) -> tuple[str | None, str]:
    reply = await assistant.answer(Request(text, "kitchen"), MemoryHome())
    return reply.intent, "".join([piece async for piece in reply.pieces])


def in_folder(folder: Path, test: Callable[[Assistant, Phrases, Added], object]) -> None:
    async def run() -> None:
        assistant, added = Assistant(), Added()
        phrases = Phrases(folder, assistant, lambda: added.packs, added.changed.append)
        await phrases.refresh()
        await test(assistant, phrases, added)  # type: ignore[misc]

    asyncio.run(run())


def save(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    stamp = save.stamps = getattr(save, "stamps", 10**18) + 10**9  # type: ignore[attr-defined]
    os.utime(path, ns=(stamp, stamp))  # a second apart, whatever the disk's clock can tell


def test_a_file_is_taken_up_changed_and_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "sentences"

    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        assert (await said(assistant, "What is the wifi?"))[0] != "wifi"
        save(folder / "mine.toml", WIFI)
        await phrases.refresh()
        assert await said(assistant, "What's the wifi, please?") == ("wifi", "The guest network is called Elm.")
        assert assistant.whole_intent("What's the wifi")
        save(folder / "mine.toml", WIFI.replace("Elm", "Oak"))
        await phrases.refresh()
        assert (await said(assistant, "what is the wireless network"))[1] == "The guest network is called Oak."
        (folder / "mine.toml").unlink()
        await phrases.refresh()
        assert (await said(assistant, "What is the wifi?"))[0] != "wifi"

    in_folder(folder, test)


def test_other_words_for_what_jarvis_can_do(tmp_path: Path) -> None:
    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        save(tmp_path / "mine.toml", LIGHTS_OUT)
        await phrases.refresh()
        assert (await said(assistant, "hold your horses"))[0] == "stop"
        assert (await said(assistant, "stop"))[0] == "stop"

    in_folder(tmp_path, test)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("language = ", "mine.toml"),
        (LIGHTS_OUT.replace("your", "{your}"), "{your}"),
        (LIGHTS_OUT.replace("hold your", "(hold your"), "(hold your horses"),
        (LIGHTS_OUT.replace('"stop"', '"launch_rockets"'), "launch_rockets"),
        (LIGHTS_OUT + "colour = 1\n", "colour"),
        ("# " + "x" * MAX_BYTES, str(MAX_BYTES)),
    ],
)
def test_a_file_with_a_fault_is_named_and_the_others_go_on(tmp_path: Path, text: str, why: str) -> None:
    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        save(tmp_path / "good.toml", WIFI)
        save(tmp_path / "mine.toml", text)
        await phrases.refresh()
        state = phrases.component()
        assert state["state"] == "degraded" and why in state["detail"] and "mine.toml" in state["detail"]
        assert (await said(assistant, "What is the wifi?"))[0] == "wifi"
        assert (await said(assistant, "what time is it"))[0] == "time"
        (tmp_path / "mine.toml").unlink()
        await phrases.refresh()
        assert phrases.component()["state"] == "ok"

    in_folder(tmp_path, test)


def test_what_a_file_said_before_it_had_a_fault_stays(tmp_path: Path) -> None:
    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        save(tmp_path / "mine.toml", WIFI)
        await phrases.refresh()
        save(tmp_path / "mine.toml", LIGHTS_OUT.replace("hold your", "(hold your"))
        await phrases.refresh()
        assert "mine.toml" in phrases.component()["detail"] and "before stays" in phrases.component()["detail"]
        assert (await said(assistant, "What is the wifi?"))[0] == "wifi"

        added.give(IntentPack("cat", "en", 'language = "en"', {"feed_cat": fed}))
        save(tmp_path / "mine.toml", LIGHTS_OUT.replace('"stop"', '"feed_cat"'))
        await phrases.refresh()
        assert (await said(assistant, "hold your horses"))[0] == "feed_cat" and phrases.component()["state"] == "ok"
        assert (await said(assistant, "What is the wifi?"))[0] != "wifi"
        added.packs = []
        added.changed[0]()
        await phrases.refresh()
        assert "feed_cat" in phrases.component()["detail"] and "stays" not in phrases.component()["detail"]

    async def fed(match: Any, request: Request, home: Any) -> str:
        return "Fed."

    in_folder(tmp_path, test)


def test_a_plugins_pack_comes_and_goes_with_it(tmp_path: Path) -> None:
    async def tea(match: object, request: object, home: object) -> str:
        return "The kettle is on."

    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        text = 'language = "en"\n[[intent]]\nname = "tea"\nsentences = ["make [me|us] [some] tea"]\n'
        added.give(IntentPack("tea", "en", text, {"tea": tea}))
        await phrases.refresh()
        assert await said(assistant, "Make us some tea") == ("tea", "The kettle is on.")
        added.give(IntentPack("sky", "en", 'language = "en"', {"weather": tea}))
        await phrases.refresh()
        assert await said(assistant, "What's the weather?") == ("weather", "The kettle is on.")
        added.give(IntentPack("tea", "en", 'language = "en"', {}))
        await phrases.refresh()
        assert (await said(assistant, "Make us some tea"))[0] != "tea"

    in_folder(tmp_path, test)


def test_a_running_one_sees_a_new_file(tmp_path: Path) -> None:
    async def test(assistant: Assistant, phrases: Phrases, added: Added) -> None:
        running = asyncio.create_task(phrases.run())
        try:
            save(tmp_path / "mine.toml", WIFI)
            async with asyncio.timeout(30):
                while assistant.understand("what is the wifi") is None:  # noqa: ASYNC110 - the file system tells nobody
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()

    in_folder(tmp_path, test)
