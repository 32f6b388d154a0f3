"""From a stream of sound to one utterance: wait for the wake word, capture, judge at each silence, end, transcribe.

It answers nothing and plays nothing. What it holds is bounded: 1.5 s of sound before a wake, one utterance after it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from jarvis.core.codec import Value
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.endpoint import Ask, Decision, Ended, Endpointer, NoSpeech, Started, Verdict, wants_more
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.streams import RATE_HZ, Blocks
from jarvis.voice.transcript import Transcript
from jarvis.voice.vad import FRAME_SAMPLES, VoiceActivity
from jarvis.voice.wake import Wake, WakeDetector

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

Emit = Callable[[Event], None]


class Engine(Protocol):
    """What the pipeline needs of a worker."""

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance, understood."""

    turn: str
    audio: Samples
    """16 kHz mono int16 from just before the wake word's end. Nothing here ever stores it."""
    text: str
    wake: Wake | None
    reason: str
    ended_ms: float
    """Monotonic: when the user stopped speaking, as far as the sound tells."""
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing to answer; `reason` as in events.ClosedQuietly."""

    turn: str
    reason: str
    wake: Wake | None = None


@dataclass(slots=True)
class _Capture:
    """The utterance being heard."""

    wake: Wake | None
    endpoint: Endpointer
    turn: str
    ask_ms: float
    pieces: list[Samples] = field(default_factory=list)
    judging: asyncio.Task[Transcript] | None = None
    asked: int = 0
    transcript: Transcript | None = None
    """Of the audio up to the present silence, once known."""
    stood_still_ms: float = 0.0
    """How long a source that is not real time waited for the present judgement."""

    def audio(self) -> Samples:
        import numpy as np

        return np.concatenate(self.pieces)


class Listener:
    """Holds the detectors; `listen` is called again and again with the same blocks."""

    def __init__(
        self,
        stt: Engine,
        *,
        emit: Emit,
        clock: Clock,
        settings: VoiceSettings,
        whole_intent: Callable[[str], bool],
        missing_slot: Callable[[str], bool],
    ) -> None:
        self._stt, self._emit, self._clock, self._settings = stt, emit, clock, settings
        self._whole_intent, self._missing_slot = whole_intent, missing_slot
        self._vad = VoiceActivity()
        self._detector = WakeDetector()
        self._detecting_since_ms = 0.0
        self._decode_ms = 0.0
        self._window = False

    def open_window(self) -> None:
        """The next words may come without the wake word, for `follow_up_ms`."""
        self._window = True

    async def listen(
        self,
        blocks: Blocks,
        *,
        wake: bool = True,
        on_wake: Callable[[], None] = lambda: None,
        deaf: Callable[[], bool] = lambda: False,
    ) -> Heard | Closed:
        """The next utterance, after the wake word or, with `wake` False, at once. `on_wake` is called when it is
        heard; `deaf` tells that it is our own voice. Raises what the source or the hearing engine raises."""
        capture = await self._wait(blocks, on_wake, deaf) if wake else self._begin(None)
        if capture is None:
            return self._close("", "no wake word", None)
        while True:
            try:
                outcome = await self._follow(blocks, capture)
            finally:
                if capture.judging is not None:
                    capture.judging.cancel()
                    await asyncio.gather(capture.judging, return_exceptions=True)
            if not isinstance(outcome, _Capture):
                return outcome
            capture = outcome

    async def transcribe_all(self, blocks: Blocks) -> Heard | Closed:
        """Everything until the source ends as one utterance: for a file that is handed over without a wake word."""
        capture, loud_frames = self._begin(None), 0
        while (block := await blocks.next()) is not None:  # a file is at most ten minutes
            capture.pieces.append(block)
            if loud_frames < self._settings.endpoint.onset_frames:
                loud_frames += sum(one >= self._settings.endpoint.onset for one in self._vad.feed(block))
        if loud_frames < self._settings.endpoint.onset_frames:
            return self._close(capture.turn, "no speech", None)
        return await self._end(blocks, capture, Ended("end of audio", 0.0, blocks.now_ms))

    async def _wait(self, blocks: Blocks, on_wake: Callable[[], None], deaf: Callable[[], bool]) -> _Capture | None:
        """Until the wake word, or until a window opens; None at the end of the source."""
        ring: deque[Samples] = deque()
        held, bound = 0, int(self._settings.pre_roll_ms * RATE_HZ / 1000)
        self._detector, self._detecting_since_ms = WakeDetector(), blocks.now_ms
        while (block := await blocks.next()) is not None:
            ring.append(block)
            held += len(block)
            while held - len(ring[0]) >= bound:
                held -= len(ring.popleft())
            found = self._detect(block)
            if found is not None and not deaf():
                on_wake()
                self._window = False
                return self._begin(found, ring, blocks.now_ms - found.claimed_ms)
            if self._window:
                self._window = False
                return self._begin(None)
        return None

    def _detect(self, block: Samples) -> Wake | None:
        found = self._detector.feed(block)
        return None if found is None else replace(found, claimed_ms=self._detecting_since_ms + found.claimed_ms)

    def _begin(self, wake: Wake | None, ring: Iterable[Samples] = (), since_ms: float = 0.0) -> _Capture:
        """Text from a little before the detection, the endpoint from the detection on: the phrase's own tail must
        not count as speech."""
        settings = self._settings.endpoint
        if wake is None:
            settings = replace(settings, no_speech_ms=self._settings.follow_up_ms)
        if self._decode_ms >= self._settings.slow_decode_ms:
            settings = replace(settings, ask_ms=settings.pause_ms)
        capture = _Capture(wake, Endpointer(settings), secrets.token_hex(8), settings.ask_ms)
        self._vad.reset()
        if wake is not None:
            import numpy as np

            self._tell(events.WakeHeard, capture.turn, score=wake.score, stream_ms=wake.claimed_ms)
            before = np.concatenate(list(ring))
            since = len(before) - int(since_ms * RATE_HZ / 1000)
            capture.pieces = [before[max(since - int(self._settings.before_wake_ms * RATE_HZ / 1000), 0) :]]
            self._vad.feed(before[max(since - 10 * FRAME_SAMPLES, 0) : since])  # it is recurrent: let it settle
            for probability in self._vad.feed(before[since:]):
                capture.endpoint.frame(probability)
        return capture

    async def _follow(self, blocks: Blocks, capture: _Capture) -> Heard | Closed | _Capture:
        """Feed the endpoint machine until it decides; a new capture when the wake word is said again: people do,
        where nothing chimes."""
        while True:
            block = await blocks.next()
            if block is None:
                decisions = capture.endpoint.finish()
            else:
                capture.pieces.append(block)
                again = self._detect(block) if capture.wake is not None else None
                if again is not None:
                    return self._begin(again, capture.pieces, blocks.now_ms - again.claimed_ms)
                decisions = [one for score in self._vad.feed(block) for one in capture.endpoint.frame(score)]
            for decision in list(decisions):
                if isinstance(decision, Started):
                    self._tell(events.SpeechStarted, capture.turn, stream_ms=blocks.now_ms)
                elif isinstance(decision, Ask):
                    await self._ask(capture, decision.number, wait=not blocks.realtime)
            decisions += await self._answered(capture)
            for decision in decisions:
                if isinstance(decision, NoSpeech):
                    return self._close(capture.turn, "no speech", capture.wake)
                if isinstance(decision, Ended):
                    return await self._end(blocks, capture, decision)

    async def _ask(self, capture: _Capture, number: int, *, wait: bool) -> None:
        """Judge what was heard so far, beside the stream; where the stream can wait, it waits, so that a file ends
        where a microphone would."""
        capture.asked, capture.transcript = number, None
        began_ms = self._clock.mono_ms()
        capture.judging = asyncio.create_task(self._judge(capture.audio(), capture.judging), name="judge")
        if wait:
            await asyncio.wait({capture.judging})
            capture.stood_still_ms = self._clock.mono_ms() - began_ms

    async def _judge(self, audio: Samples, before: asyncio.Task[Transcript] | None) -> Transcript:
        """One decode at a time: an earlier one, by now stale, ends first."""
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        answer = await self._stt.call("judge", audio.tobytes(), deadline_s=self._settings.stt_deadline_s)
        transcript = Transcript.of(answer)
        self._decode_ms = transcript.decode_ms
        return transcript

    async def _answered(self, capture: _Capture) -> list[Decision]:
        """Hand a judgement that has come to the machine. Raises what the engine raised."""
        if capture.judging is None or not capture.judging.done():
            return []
        transcript, capture.judging = await capture.judging, None
        if not capture.endpoint.awaits(capture.asked):
            return []
        capture.transcript = transcript
        whole = self._whole_intent(transcript.text)
        verdict = Verdict(
            heard=transcript.understood,
            whole=whole,
            open=not whole and (wants_more(transcript.text) or self._missing_slot(transcript.text)),
            finished=transcript.finished,
        )
        return capture.endpoint.verdict(capture.asked, verdict)

    async def _end(self, blocks: Blocks, capture: _Capture, ended: Ended) -> Heard | Closed:
        """The utterance is over: its text is the last judgement's, unless something was said after it."""
        # A microphone would have gone on while a file stood still for the judgement.
        passed_ms = capture.ask_ms + capture.stood_still_ms if capture.stood_still_ms else 0.0
        ended_ms = self._clock.mono_ms() - max(ended.silence_ms, passed_ms)
        self._tell(
            events.EndpointReached,
            capture.turn,
            reason=ended.reason,
            silence_ms=ended.silence_ms,
            stream_ms=blocks.now_ms,
        )
        if capture.judging is not None and capture.endpoint.awaits(capture.asked):
            await asyncio.wait({capture.judging})
            await self._answered(capture)
        audio = capture.audio()
        known = capture.transcript if capture.endpoint.awaits(capture.asked) else None
        transcript = known or await self._transcribe(audio)
        if not transcript.understood:
            return self._close(capture.turn, "nothing understood", capture.wake)
        self._tell(
            events.Transcribed,
            capture.turn,
            text=transcript.text,
            logprob=transcript.logprob,
            no_speech=transcript.no_speech,
            decode_ms=transcript.decode_ms,
        )
        timings = {"endpoint": round(ended.silence_ms, 1), "stt": round(transcript.decode_ms, 1)}
        if capture.wake is not None:
            timings["wake_at"] = round(capture.wake.claimed_ms, 1)
        return Heard(capture.turn, audio, transcript.text, capture.wake, ended.reason, ended_ms, timings)

    async def _transcribe(self, audio: Samples) -> Transcript:
        deadline_s = self._settings.stt_deadline_s + len(audio) / RATE_HZ
        answer = await self._stt.call("transcribe", audio.tobytes(), deadline_s=deadline_s)
        transcript = Transcript.of(answer)
        if len(audio) <= 12 * RATE_HZ:  # longer ones use the full window and tell nothing of the next
            self._decode_ms = transcript.decode_ms
        return transcript

    def _close(self, turn: str, reason: str, wake: Wake | None) -> Closed:
        self._tell(events.ClosedQuietly, turn, reason=reason)
        return Closed(turn, reason, wake)

    def _tell(self, event: type[Event], turn: str, **fields: Any) -> None:
        self._emit(event(at_ms=self._clock.mono_ms(), turn=turn, **fields))
