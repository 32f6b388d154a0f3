"""One node's hearing and speaking, joined: sound in, an answer asked for, sound out. What to answer is not its affair.

It runs on the event loop; the models it asks are workers elsewhere. It keeps no audio and logs no transcript.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import EngineFailed, JarvisError
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.listener import Closed, Engine, Heard, Listener
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaker import Interrupted, Speaker, Speech, first_of, once
from jarvis.voice.streams import RATE_HZ, Blocks, Sink, Source, WavSink

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

DEAF_ONLY = "Sorry, I could not listen just now. Please say it again."
WAKE_WORD = "jarvis"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the assistant is asked to answer."""

    audio: Samples
    """16 kHz mono int16; for who speaks, never for keeping."""
    text: str
    wake_score: float | None
    timings_ms: dict[str, float]
    turn: str


@dataclass(frozen=True, slots=True)
class HeardResult:
    """One utterance from sound to sound, as `jarvis hear` tells it."""

    wake: dict[str, float] | None
    """{score, at_ms}, None when the wake word was not heard or not waited for."""
    heard: str
    """"" when nothing was understood."""
    reply: str
    spoken: str
    reason: str
    """Why listening ended: an endpoint's reason, or why it closed quietly."""
    turn: str
    timings_ms: dict[str, float]
    samples: Any
    """The reply as int16 mono at `rate_hz`."""
    rate_hz: int
    problems: list[str] = field(default_factory=list)
    """Sentences for a person: an engine or a device failed on the way."""


Answer = Callable[[Utterance], AsyncIterator[str]]
"""Yields the reply in pieces of any size. A reply that ends with a question opens a follow-up window."""


class VoicePipeline:
    def __init__(
        self,
        stt: Engine,
        tts: Engine,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        settings: VoiceSettings | None = None,
        whole_intent: Callable[[str], bool],
        missing_slot: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`stt` is a worker of jarvis.voice.hearing.TARGET, `tts` one of jarvis.voice.tts.TARGET, or anything with
        their `call`. `whole_intent` says whether a text is a request with nothing missing, `missing_slot` whether it
        is one that lacks something. Raises Missing when the voice extra is not installed."""
        self._stt, self._emit, self._clock = stt, emit, clock
        self._settings = settings or VoiceSettings()
        self._whole_intent, self._missing_slot = whole_intent, missing_slot
        self._speaker = Speaker(tts, emit=emit, clock=clock, settings=self._settings)
        self._listener()  # fail now, and not at the first word

    def _listener(self) -> Listener:
        """One a stream: its detectors remember."""
        return Listener(
            self._stt,
            emit=self._emit,
            clock=self._clock,
            settings=self._settings,
            whole_intent=self._whole_intent,
            missing_slot=self._missing_slot,
        )

    async def run(
        self,
        source: Source,
        sink: Sink,
        answer: Answer,
        *,
        interrupted: Interrupted | None = None,
        wake: bool = True,
    ) -> None:
        """Listen until the source ends: for a microphone. While a reply plays the wake word interrupts it;
        `interrupted` has come to its end before the next answer is asked for. Raises what the source raises; an engine
        that fails costs one utterance."""
        listener, blocks = self._listener(), Blocks(source)
        reply: asyncio.Task[None] | None = None

        def interrupt() -> None:
            if reply is not None and not reply.done():
                reply.cancel()
                sink.stop()

        try:
            async with asyncio.TaskGroup() as group:
                while not blocks.ended:
                    try:
                        heard = await listener.listen(blocks, wake=wake, on_wake=interrupt, deaf=self._says_wake_word)
                    except JarvisError as error:
                        if not error.retry or blocks.failed:
                            raise
                        self._problem("stt", error)
                        heard = None
                    if isinstance(heard, Closed):
                        continue
                    interrupt()
                    if reply is not None:
                        await asyncio.wait({reply})
                    reply = group.create_task(self._reply(heard, sink, answer, interrupted, listener), name="reply")
        except BaseExceptionGroup as failed:
            raise first_of(failed) from None
        finally:
            await blocks.aclose()

    async def _reply(
        self, heard: Heard | None, sink: Sink, answer: Answer, interrupted: Interrupted | None, listener: Listener
    ) -> None:
        if heard is None:
            await self._speaker.speak(once(DEAF_ONLY), sink)
            return
        speech = await self._speaker.speak(
            answer(_utterance(heard)), sink, turn=heard.turn, heard_ms=heard.ended_ms, interrupted=interrupted
        )
        if speech.reply.endswith("?"):
            listener.open_window()

    async def hear(self, source: Source, sink: Sink, answer: Answer, *, wake: bool = True) -> HeardResult:
        """One utterance. Without `wake`, everything until the source ends is the utterance. Raises what the source
        or the hearing engine raises."""
        listener, blocks = self._listener(), Blocks(source)
        began_ms = self._clock.mono_ms()
        try:
            heard = await (listener.listen(blocks) if wake else listener.transcribe_all(blocks))
        finally:
            await blocks.aclose()
        if isinstance(heard, Closed):
            total = {"total": round(self._clock.mono_ms() - began_ms, 1)}
            return HeardResult(_wake(heard), "", "", "", heard.reason, heard.turn, total, _silence(), RATE_HZ)
        tee = WavSink(sink)
        speech = await self._speaker.speak(answer(_utterance(heard)), tee, turn=heard.turn, heard_ms=heard.ended_ms)
        timings = {**heard.timings_ms, **_speech_timings(speech), "total": self._clock.mono_ms() - began_ms}
        return HeardResult(
            _wake(heard),
            heard.text,
            speech.reply,
            " ".join(speech.spoken),
            heard.reason,
            heard.turn,
            {name: round(value, 1) for name, value in timings.items()},
            tee.samples,
            tee.rate_hz or RATE_HZ,
            speech.problems,
        )

    async def speak(self, text: str | AsyncIterator[str], sink: Sink) -> events.Spoken:
        """Say a text, or one that is still being written. Raises EngineFailed or what the sink raised when no sound
        came at all."""
        speech = await self._speaker.speak(once(text) if isinstance(text, str) else text, sink)
        if speech.problems and not speech.spoken:
            raise EngineFailed(speech.problems[0])
        first_ms = 0.0 if speech.first_audio_ms is None else speech.first_audio_ms - speech.began_ms
        return events.Spoken(
            at_ms=self._clock.mono_ms(),
            turn=speech.turn,
            text=" ".join(speech.spoken),
            audio_ms=speech.audio_ms,
            first_audio_ms=first_ms,
        )

    def _says_wake_word(self) -> bool:
        return WAKE_WORD in self._speaker.saying.lower()

    def _problem(self, stage: str, error: JarvisError) -> None:
        self._emit(events.AudioProblem(at_ms=self._clock.mono_ms(), stage=stage, message=str(error)))


def _utterance(heard: Heard) -> Utterance:
    score = heard.wake.score if heard.wake is not None else None
    return Utterance(heard.audio, heard.text, score, heard.timings_ms, heard.turn)


def _wake(outcome: Heard | Closed) -> dict[str, float] | None:
    wake = outcome.wake
    return None if wake is None else {"score": round(wake.score, 4), "at_ms": round(wake.claimed_ms, 1)}


def _speech_timings(speech: Speech) -> dict[str, float]:
    timings = {"tts": speech.first_synthesis_ms}
    if speech.first_text_ms is not None:
        timings["answer"] = speech.first_text_ms - speech.began_ms
    if speech.first_audio_ms is not None and speech.heard_ms is not None:
        timings["first_audio"] = speech.first_audio_ms - speech.heard_ms
    return timings


def _silence() -> Any:
    import numpy as np

    return np.zeros(0, np.int16)
