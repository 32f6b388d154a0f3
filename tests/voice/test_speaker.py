"""How replies, announcements and rings come out of one loudspeaker, with a voice that is scripted."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from jarvis.core.time import SystemClock
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaker import Speaker, once


class Tones:
    """A voice whose every sentence is a second of silence."""

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        return {"audio": bytes(2 * 16_000), "rate_hz": 16_000, "synthesis_ms": 1.0}


class Loudspeaker:
    """Takes as long as sound takes, and knows which sentence it was."""

    def __init__(self) -> None:
        self.speaker = Speaker(Tones(), emit=lambda _: None, clock=SystemClock(), settings=VoiceSettings())
        self.began: list[str] = []
        self.ended: list[str] = []
        self.stops = 0

    async def play(self, samples: np.ndarray, rate_hz: int) -> None:
        sentence = self.speaker.saying
        self.began.append(sentence)
        await asyncio.sleep(len(samples) / rate_hz)
        assert self.speaker.saying == sentence
        self.ended.append(sentence)

    def stop(self) -> None:
        self.stops += 1


REPLY = ["The first sentence.", "The second sentence.", "The third sentence."]
RING = ["Your tea timer is done.", "Really, it is."]


def test_one_voice_at_a_time() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        await asyncio.gather(*(loud.speaker.speak(once(" ".join(text)), loud) for text in (REPLY, RING)))
        assert loud.ended == loud.began == REPLY + RING
        assert loud.speaker.saying == ""

    run_virtual(main)


def test_who_leaves_while_waiting_to_speak_stops_nobody() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        reply = asyncio.create_task(loud.speaker.speak(once(" ".join(REPLY)), loud))
        await asyncio.sleep(0.5)
        ring = asyncio.create_task(loud.speaker.speak(once(" ".join(RING)), loud))
        await asyncio.sleep(0.5)
        ring.cancel()
        await reply
        assert loud.ended == REPLY and loud.stops == 0

    run_virtual(main)


def test_who_leaves_while_speaking_is_silent_at_once_and_the_next_begins() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        reply = asyncio.create_task(loud.speaker.speak(once(" ".join(REPLY)), loud))
        ring = asyncio.create_task(loud.speaker.speak(once(" ".join(RING)), loud))
        await asyncio.sleep(1.5)
        reply.cancel()
        await ring
        assert loud.stops == 1 and loud.began == [*REPLY[:2], *RING]

    run_virtual(main)


def test_who_interrupts_learns_what_was_played_to_its_end() -> None:
    async def main() -> None:
        loud, told = Loudspeaker(), []

        async def interrupted(turn: str, spoken: str) -> None:
            told.append((turn, spoken))

        for seconds in (0.5, 2.5):
            speaking = loud.speaker.speak(once(" ".join(REPLY)), loud, turn="t", interrupted=interrupted)
            reply = asyncio.create_task(speaking)
            await asyncio.sleep(seconds)
            reply.cancel()
            await asyncio.gather(reply, return_exceptions=True)
        assert told == [("t", ""), ("t", " ".join(REPLY[:2]))]
        whole = await loud.speaker.speak(once(" ".join(REPLY)), loud, interrupted=interrupted)
        assert whole.spoken == REPLY and len(told) == 2

    run_virtual(main)
