"""One node's hearing and speaking, joined: sound in, an answer asked for, sound out. What to answer is not its affair.

It runs on the event loop; the models it asks are workers elsewhere. It keeps no audio and logs no transcript.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import EngineFailed, JarvisError
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.arbitration.arbiter import Alone, Arbiter
from jarvis.voice.conversation import DEAF_ONLY, Chime, Company, Conversation
from jarvis.voice.devices.played import Played
from jarvis.voice.hearing.capture import Closed, Heard, Wording
from jarvis.voice.hearing.ears import Ears, Engine
from jarvis.voice.hearing.frontend import available as echo_can_be_cancelled
from jarvis.voice.hearing.listener import Listener
from jarvis.voice.hearing.senses import Senses
from jarvis.voice.hearing.transcript import Hint, Likeliest, first, no_hint
from jarvis.voice.hearing.windows import Accepts
from jarvis.voice.room import Room
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking.replies import Replies
from jarvis.voice.speaking.speaker import APOLOGY, VOICE_FAILED, Interrupted, Saying, Speaker, Speech, once, unheard
from jarvis.voice.streams import RATE_HZ, Blocks, Sink, Source, WavSink

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples


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
        ears: Ears,
        stt: Engine,
        tts: Engine,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        settings: VoiceSettings | None = None,
        whole_intent: Callable[[str], bool],
        missing_slot: Callable[[str], bool] = lambda _: False,
        likeliest: Likeliest = first,
        hint: Hint = no_hint,
        replies: Replies | None = None,
    ) -> None:
        """`ears` of a worker of hearing.ears_engine.TARGET, `stt` one of hearing.stt.TARGET, `tts` one of
        speaking.tts.TARGET, or anything with their `call`. `whole_intent` says whether a text is a request with
        nothing missing, `missing_slot` whether it is one that lacks something, `likeliest` which of several ways to
        hear the same is meant, and `hint` is what people say here. `replies` may be shared with others of the same
        `tts`."""
        self._ears, self._stt, self._tts = ears, stt, tts
        self._emit, self._clock = emit, clock
        self._settings = settings or VoiceSettings()
        self._wording = Wording(whole_intent, missing_slot, likeliest, hint)
        self._replies = replies if replies is not None else Replies()
        self._speaker = self._new_speaker()
        self._running: list[Conversation] = []
        self._announcing: set[asyncio.Task[Speech]] = set()

    @property
    def engaged(self) -> bool:
        """Somebody is being heard or answered, or is awaited to answer."""
        return any(one.engaged for one in self._running)

    @property
    def speaking(self) -> bool:
        """The room's loudspeaker says something."""
        return bool(self._speaker.saying)

    def attend(self, ms: float, accepts: Accepts | None = None) -> None:
        """For so long from now, words that `accepts` takes need no wake word, whoever listens; 0 ends it."""
        for one in self._running:
            one.listener.attend(ms, accepts)

    async def run(
        self,
        source: Source,
        sink: Sink,
        answer: Answer,
        *,
        arbiter: Arbiter | None = None,
        interrupted: Interrupted | None = None,
        chime: Chime | None = None,
        wake: bool = True,
        own_voice: bool = False,
    ) -> None:
        """Listen until the source ends: for a microphone. Several may run at once, each with a state of its own.

        While a reply plays the wake word interrupts it. Where the sink tells what it plays, since it goes by the
        microphone's clock, our own voice is taken out of what is heard, and words that are an intent do too. `arbiter`
        decides between the rooms that heard the same. `interrupted` has come to its end before the next answer is
        asked for. `own_voice` says that the sink is heard by nobody else: it waits for no announcement.

        Raises Overloaded for too many sources, or what the source raises; an engine that fails costs one utterance."""
        blocks, ear = Blocks(source), self._ears.open()
        played = Played() if echo_can_be_cancelled() else None
        speaker = self._new_speaker() if own_voice else self._speaker
        conversation = Conversation(
            self._listener(),
            speaker,
            sink,
            Company(
                arbiter or Alone(),
                self._wording.whole_intent,
                lambda heard: answer(_utterance(heard)),
                interrupted,
                chime,
            ),
            emit=self._emit,
            clock=self._clock,
            settings=self._settings,
            played=played,
            hush=(lambda: None) if own_voice else self._hush,
        )
        self._running.append(conversation)
        sink.reference = played
        try:
            await conversation.run(Senses(blocks, ear, played), wake=wake)
        finally:
            sink.reference = None
            self._running.remove(conversation)
            ear.close()
            await blocks.aclose()

    async def hear(self, source: Source, sink: Sink, answer: Answer, *, wake: bool = True) -> HeardResult:
        """One utterance. Without `wake`, everything until the source ends is the utterance. An engine that fails costs
        the utterance, and an apology is spoken; raises what the source raises, and what no second try can mend."""
        listener, blocks, ear = self._listener(), Blocks(source), self._ears.open()
        senses = Senses(blocks, ear)
        began_ms = self._clock.mono_ms()
        try:
            heard = await (listener.listen(senses, Room()) if wake else listener.transcribe_all(senses))
        except JarvisError as error:
            if not error.retry or senses.failed:
                raise
            return await self._apologise(error, "stt" if listener.owing else "ears", sink, began_ms)
        finally:
            ear.close()
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

    async def _apologise(self, error: JarvisError, stage: str, sink: Sink, began_ms: float) -> HeardResult:
        self._emit(events.AudioProblem(at_ms=self._clock.mono_ms(), stage=stage, message=str(error)))
        tee = WavSink(sink)
        speech = await self._speaker.speak(once(DEAF_ONLY), tee)
        total = {"total": round(self._clock.mono_ms() - began_ms, 1)}
        spoken, rate_hz, problems = " ".join(speech.spoken), tee.rate_hz or RATE_HZ, [str(error), *speech.problems]
        return HeardResult(
            None, "", speech.reply, spoken, "an engine failed", "", total, tee.samples, rate_hz, problems
        )

    async def speak(
        self,
        text: str | AsyncIterator[str],
        sink: Sink,
        *,
        interruptible: bool = False,
        saying: Saying = unheard,
    ) -> events.Spoken:
        """Say a text, or one that is still being written. When it is `interruptible`, whoever speaks to us in this
        room ends it. Raises EngineFailed when nothing of it was heard."""
        heard: list[str] = []

        async def interrupted(turn: str, spoken: str) -> None:
            heard.append(spoken)

        pieces = once(text) if isinstance(text, str) else text
        speaking = asyncio.create_task(
            self._speaker.speak(pieces, sink, interrupted=interrupted, saying=saying), name="announce"
        )
        if interruptible:
            self._announcing.add(speaking)
        try:
            speech = await speaking
        except asyncio.CancelledError:
            if speaking not in self._announcing or (me := asyncio.current_task()) is None or me.cancelling():
                raise
            return events.Spoken(
                at_ms=self._clock.mono_ms(), text="".join(heard), audio_ms=0.0, first_audio_ms=0.0, interrupted=True
            )
        finally:
            self._announcing.discard(speaking)
        if speech.problems and not set(speech.spoken) - {VOICE_FAILED}:
            raise EngineFailed(speech.problems[0])
        first_ms = 0.0 if speech.first_audio_ms is None else speech.first_audio_ms - speech.began_ms
        return events.Spoken(
            at_ms=self._clock.mono_ms(),
            turn=speech.turn,
            text=" ".join(speech.spoken),
            audio_ms=speech.audio_ms,
            first_audio_ms=first_ms,
        )

    async def prepare(self, texts: Iterable[str]) -> int:
        """Make what is often said before anybody waits for it; see `Speaker.prepare`."""
        return await self._speaker.prepare([VOICE_FAILED, APOLOGY, DEAF_ONLY, *texts])

    def _hush(self) -> None:
        for announcement in self._announcing:
            announcement.cancel()

    def _new_speaker(self) -> Speaker:
        return Speaker(self._tts, emit=self._emit, clock=self._clock, settings=self._settings, replies=self._replies)

    def _listener(self) -> Listener:
        """One a stream: it remembers."""
        return Listener(
            self._ears,
            self._stt,
            emit=self._emit,
            clock=self._clock,
            settings=self._settings,
            wording=self._wording,
        )


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
