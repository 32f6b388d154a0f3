"""How replies, announcements and rings come out of one loudspeaker, with a voice that is scripted."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import EngineFailed
from jarvis.core.time import SystemClock
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking.replies import Replies, Sound
from jarvis.voice.speaking.speaker import VOICE_FAILED, Speaker, once, said_by
from jarvis.voice.streams import QuietSink


class Tones:
    """A voice whose every sentence is a second of humming, with 100 ms of silence on both sides."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.broken = False
        self.voice = "joe"

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        if self.broken:
            raise EngineFailed("The voice is broken.")
        self.made.append(args[0])
        await asyncio.sleep(0.001)
        hum = np.zeros(16_000, np.int16)
        hum[1_600:-1_600] = 3_000
        return {"audio": hum.tobytes(), "rate_hz": 16_000, "voice": self.voice, "synthesis_ms": 1.0}


class Loudspeaker(QuietSink):
    """Takes as long as sound takes, and knows which sentence it was."""

    def __init__(self, tones: Tones | None = None) -> None:
        super().__init__()
        self.tones = tones or Tones()
        self.speaker = Speaker(self.tones, emit=lambda _: None, clock=SystemClock(), settings=VoiceSettings())
        self.began: list[str] = []
        self.ended: list[str] = []
        self.stops = 0

    async def play(self, samples: np.ndarray, rate_hz: int) -> None:
        sentence = self.speaker.saying
        self.began.append(sentence)
        began_s = asyncio.get_running_loop().time()
        try:
            await asyncio.sleep(len(samples) / rate_hz)
        finally:
            self.played_ms = (asyncio.get_running_loop().time() - began_s) * 1000
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


def test_who_interrupts_learns_what_was_heard_to_the_word() -> None:
    async def main() -> None:
        loud, told = Loudspeaker(), []

        async def interrupted(turn: str, spoken: str) -> None:
            told.append((turn, spoken))

        for seconds in (0.05, 0.7, 2.45, 2.95):
            speaking = loud.speaker.speak(once(" ".join(REPLY)), loud, turn="t", interrupted=interrupted)
            reply = asyncio.create_task(speaking)
            await asyncio.sleep(seconds)
            reply.cancel()
            await asyncio.gather(reply, return_exceptions=True)
        whole = " ".join(REPLY[:2])
        assert told == [
            ("t", ""),
            ("t", "The first"),
            ("t", f"{whole} The"),
            ("t", f"{whole} The third sentence."),
        ]
        heard = await loud.speaker.speak(once(" ".join(REPLY)), loud, interrupted=interrupted)
        assert heard.spoken == REPLY and len(told) == 4

    run_virtual(main)


@given(st.text(st.characters(categories=["Lu", "Ll", "Zs"]), max_size=80), st.floats(-10, 2_000), st.floats(0, 500))
def test_what_was_heard_grows_with_time_and_is_the_beginning(text: str, at_ms: float, more_ms: float) -> None:
    sound = Sound(np.concatenate([np.zeros(1_600), np.full(12_800, 2_000), np.zeros(1_600)]).astype(np.int16), 16_000)
    earlier, later = said_by(text, sound, at_ms), said_by(text, sound, at_ms + more_ms)
    assert later.startswith(earlier) and (later == text or text.split()[: len(later.split())] == later.split())
    assert at_ms >= 100 or not earlier.split()
    assert at_ms < 900 or earlier.split() == text.split()


def test_silence_says_nothing() -> None:
    assert said_by("Hello there.", Sound(np.zeros(100, np.int16), 16_000), 1_000) == ""


def test_others_are_told_of_each_sentence_before_it_sounds() -> None:
    async def main() -> None:
        loud, told = Loudspeaker(), []

        def saying(sentence: str, ms: float) -> None:
            assert sentence not in loud.began
            told.append((sentence, ms))

        await loud.speaker.speak(once(" ".join(REPLY)), loud, saying=saying)
        assert told == [(sentence, 1_000.0) for sentence in REPLY]

    run_virtual(main)


def test_what_is_written_is_said_while_the_rest_is_being_written() -> None:
    """Each sentence sounds as soon as it and the one before are made; the first by its first clause."""

    async def main() -> None:
        loud, at = Loudspeaker(), {}
        loop = asyncio.get_running_loop()

        async def writing() -> Any:
            for word in re.findall(r"\S+", "The weather looks fine today, though nobody knows. It may rain."):
                await asyncio.sleep(1.0)
                yield f"{word} "

        def saying(sentence: str, ms: float) -> None:
            at[sentence] = loop.time() - began

        began = loop.time()
        await loud.speaker.speak(writing(), loud, saying=saying)
        assert list(at) == ["The weather looks fine today,", "though nobody knows.", "It may rain."]
        assert [round(when) for when in at.values()] == [5, 8, 11]

    run_virtual(main)


def test_what_was_said_before_is_not_made_again() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        for _ in range(3):
            speech = await loud.speaker.speak(once("Okay. Two."), loud)
            assert speech.spoken == ["Okay.", "Two."]
        assert loud.tones.made == ["Okay.", "Two."] and speech.first_synthesis_ms == 0
        loud.tones.voice = "amy"
        await loud.speaker.speak(once("Three."), loud)
        await loud.speaker.speak(once("Okay."), loud)
        assert loud.tones.made[2:] == ["Three.", "Okay."], "another voice says it differently"

    run_virtual(main)


def test_what_is_prepared_is_said_when_the_voice_has_failed() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        assert await loud.speaker.prepare(["Okay.", VOICE_FAILED]) == 2
        loud.tones.broken = True
        speech = await loud.speaker.speak(once("Okay. This is new. And this."), loud)
        assert loud.ended == ["Okay.", VOICE_FAILED] == speech.spoken
        assert speech.reply == "Okay. This is new. And this." and len(speech.problems) == 1

    run_virtual(main)


def test_preparing_leaves_the_voice_to_whoever_speaks() -> None:
    async def main() -> None:
        loud = Loudspeaker()
        preparing = asyncio.create_task(loud.speaker.prepare([f"Sentence {number}." for number in range(9)]))
        await loud.speaker.speak(once("Now."), loud)
        assert len(loud.tones.made) < 4, "nothing is prepared while somebody listens"
        assert await preparing == 9 and sorted(loud.tones.made)[0] == "Now."

    run_virtual(main)


def test_what_is_remembered_is_bounded() -> None:
    sound = Sound(np.zeros(500, np.int16), 16_000)
    replies = Replies(prepared_bytes=2_500, said_bytes=3_500)
    assert [replies.prepare("joe", f"p{number}", sound) for number in range(4)] == [True, True, False, False]
    for number in range(9):
        replies.keep("joe", f"s{number}", sound)
        assert replies.find("s0") is (sound if number < 9 else None)  # what is asked for stays
    assert [replies.find(f"s{number}") is not None for number in range(9)] == [True, *[False] * 6, True, True]
    assert replies.find("p0") is sound and replies.find("p3") is None
    replies.keep("joe", "x" * 81, sound)
    assert replies.find("x" * 81) is None


@pytest.mark.parametrize("answer", [None, b"", {}, {"audio": b"\0", "rate_hz": 1}, {"audio": b"", "rate_hz": "a"}])
def test_a_voice_that_answers_nonsense_is_a_problem_told(answer: Any) -> None:
    class Nonsense(Tones):
        async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
            return answer

    async def main() -> None:
        loud = Loudspeaker(Nonsense())
        speech = await loud.speaker.speak(once("Hello."), loud)
        assert speech.problems and speech.reply == "Hello." and not speech.spoken

    run_virtual(main)
