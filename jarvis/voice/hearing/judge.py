"""What was said so far, and whether that sounds finished: Whisper and Smart Turn asked side by side, while the sound
goes on. One decode is in flight at a time, and the next is of the newest sound only: a decode cannot be stopped, and
one of older sound answers nothing any more.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from jarvis.core.errors import JarvisError
from jarvis.voice.hearing.ears import Ears, Engine
from jarvis.voice.hearing.transcript import Hint, Likeliest, Transcript, first, no_hint

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

log = structlog.get_logger()

RATE_HZ = 16_000
SHORT_AUDIO_S = 12
"""Longer audio is decoded in a longer window and tells nothing of how long the next takes."""


class Judge:
    """Of one stream; `decode_ms` remembers how long a decode last took."""

    def __init__(
        self, ears: Ears, stt: Engine, deadline_s: float, likeliest: Likeliest = first, hint: Hint = no_hint
    ) -> None:
        self._ears, self._stt, self._deadline_s, self._likeliest = ears, stt, deadline_s, likeliest
        self._hint = hint
        self.decode_ms = 0.0
        self.decodes = 0
        """Of sound that might go on."""
        self._newest: tuple[int, Samples] | None = None
        self._answer: tuple[int, Transcript] | None = None
        self._working: asyncio.Task[None] | None = None

    def ask(self, number: int, audio: Samples) -> None:
        """Judge `audio` as question `number`, after what is in flight, instead of what waits. Raises what the
        recogniser raised meanwhile."""
        self._reap()
        self._newest = number, audio
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="judge")

    async def wait(self) -> None:
        """Until nothing is in flight; bounded by the deadlines of the calls."""
        if self._working is not None:
            await asyncio.wait({self._working})

    def take(self) -> tuple[int, Transcript] | None:
        """An answer that has come, once. Raises what the recogniser raised."""
        self._reap()
        answer, self._answer = self._answer, None
        return answer

    async def give_up(self) -> None:
        """Forget all questions."""
        working, self._working = self._working, None
        self._newest = self._answer = None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def transcribe(self, audio: Samples) -> Transcript:
        """The text alone, when nothing is known yet. Raises what the recogniser raises."""
        seconds = len(audio) / RATE_HZ
        transcript = await self._heard(audio, self._deadline_s + seconds)
        if seconds <= SHORT_AUDIO_S:
            self.decode_ms = transcript.decode_ms
        return transcript

    def _reap(self) -> None:
        working = self._working
        if working is not None and working.done():
            self._working = None
            working.result()

    async def _work(self) -> None:
        while self._newest is not None:
            (number, audio), self._newest = self._newest, None
            self.decodes += 1
            finished = asyncio.create_task(self._finished(audio), name="smart turn")
            try:
                transcript = await self._heard(audio, self._deadline_s)
                transcript = replace(transcript, finished=await finished)
            finally:
                finished.cancel()
            self.decode_ms = transcript.decode_ms
            self._answer = number, transcript

    async def _heard(self, audio: Samples, deadline_s: float) -> Transcript:
        """What is said in `audio`. Where nobody says such a thing here, it is heard once more by somebody who knows
        what they do say; that is believed only where it makes sense from end to end."""
        answer = await self._stt.call("transcribe", audio.tobytes(), deadline_s=deadline_s)
        transcript = Transcript.of(answer, likeliest=self._likeliest)
        hint = self._hint()
        if not (transcript.strange and transcript.understood and hint and "number" in answer):
            return transcript
        try:
            texts = await self._stt.call("again", answer["number"], hint, deadline_s=deadline_s)
            return transcript.or_among(texts, self._likeliest)
        except JarvisError as error:  # a first guess is better than none
            log.debug("not heard once more", error=type(error).__name__)
            return transcript

    async def _finished(self, audio: Samples) -> float:
        try:
            return await self._ears.finished(audio)
        except JarvisError:
            return 0.0  # without the melody a longer silence decides
