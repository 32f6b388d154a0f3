"""What the node says aloud, with a voice that is scripted."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jarvis.assistant.assistant import Assistant
from jarvis.core.errors import EngineFailed
from jarvis.core.events import EventBus
from jarvis.core.time import SystemClock
from jarvis.node.hearing.speech import Speech
from jarvis.node.talk.dialogue import Dialogue
from jarvis.voice.streams import NullSink, WavSink


class ScriptedVoice:
    """A voice of one tone."""

    name, state = "tts", "ready"

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        return {"audio": bytes(2 * 1_600), "rate_hz": 16_000, "synthesis_ms": 1.0}


def speech() -> Speech:
    voice = cast(Any, ScriptedVoice())
    made = Speech(cast(Dialogue, None), Assistant(), EventBus(), SystemClock(), ears=voice, stt=voice, tts=voice)
    made.speaker = NullSink()
    return made


def test_what_nobody_can_pronounce_is_silence_and_no_error() -> None:
    """A peer may ask for it too: it must not end the node."""

    async def main() -> None:
        assert await speech().say("🙂 ...") == b""
        await speech().announce("***")

    asyncio.run(main())


def test_what_is_said_comes_back_as_sound() -> None:
    async def main() -> None:
        assert (await speech().say("Hello there.")).startswith(b"RIFF")

    asyncio.run(main())


def test_a_ring_is_heard_without_a_voice() -> None:
    class Hoarse(ScriptedVoice):
        async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
            raise EngineFailed("The voice is down.")

    async def main() -> None:
        hoarse, voice = cast(Any, Hoarse()), cast(Any, ScriptedVoice())
        made = Speech(cast(Dialogue, None), Assistant(), EventBus(), SystemClock(), ears=voice, stt=voice, tts=hoarse)
        made.speaker = WavSink(NullSink())
        await made.ring("Your pasta timer is done.")
        assert made.speaker.samples.max() > 1_000, "chimes"
        made.speaker = None
        await made.ring("Your pasta timer is done.")

    asyncio.run(main())
