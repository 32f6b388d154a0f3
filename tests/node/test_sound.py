"""Which devices a node opens: what `--audio` names, else what is configured, now and as it changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from jarvis.node.hearing.sound import Sound
from jarvis.testing.sound_card import SoundCards
from jarvis.voice.devices.gain import volume


def test_what_is_configured_counts_as_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards())
    values = {"audio.input": "", "audio.output": "hdmi", "audio.volume": "50"}
    followers: list[Callable[[], None]] = []

    async def value(key: str) -> str:
        return values[key]

    async def main(audio: str) -> tuple[Any, Any, bool]:
        sound = Sound(audio, value, followers.append)
        sink: Any = await sound.open()
        following = asyncio.create_task(sound.follow())
        source: Any = await sound.source()
        moved = asyncio.create_task(sound.moved())
        assert sink._gain.target == volume(50)
        for key, new in {"audio.input": "jabra", "audio.output": "jabra", "audio.volume": "loud"}.items():
            values[key] = new
            followers[-1]()
            await asyncio.sleep(0.01)
        assert sink._gain.target == 1.0  # a file may say anything
        values["audio.volume"] = "0"
        followers[-1]()
        await asyncio.sleep(0.01)
        assert sink._gain.target == 0.0
        was_moved = moved.done()
        for task in (following, moved):
            task.cancel()
        await asyncio.gather(following, moved, return_exceptions=True)
        again: Any = await sound.source()
        await sound.close()
        values.update({"audio.input": "", "audio.output": "hdmi", "audio.volume": "50"})
        return (source._name, again._name), sink.name, was_moved

    assert asyncio.run(main("device")) == (("", "jabra"), "jabra", True)
    assert asyncio.run(main("device:Headset")) == (("Headset", "Headset"), "Headset", False)
