"""One utterance being heard: sound is gathered, judged at each silence, ended, and becomes text. It holds the sound of
this utterance only, at most the endpoint's cap, and nothing after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.arbitration.arbiter import Bid
from jarvis.voice.hearing.endpoint import Ask, Decision, Ended, Endpointer, EndpointSettings, NoSpeech, Started, Verdict
from jarvis.voice.hearing.endpoint import wants_more as open_ended
from jarvis.voice.hearing.judge import Judge
from jarvis.voice.hearing.senses import Moment
from jarvis.voice.hearing.transcript import Hint, Likeliest, Transcript, first, no_hint
from jarvis.voice.hearing.vad import FRAME_MS
from jarvis.voice.hearing.wake import Wake

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

Reason = Literal["no wake word", "no speech", "nothing understood", "not for us", "another room answers", "muted"]


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
    """endpoint: the silence that was needed; tail: from then to the text; stt: its decode; wake_at: in the stream."""
    bid: Bid | None = None
    """Where several rooms may have heard it: ask it before answering."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing to answer."""

    turn: str
    reason: Reason
    wake: Wake | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """What the words of an utterance mean to whoever will answer."""

    whole_intent: Callable[[str], bool]
    """A request with nothing missing."""
    missing_slot: Callable[[str], bool] = lambda _: False
    """One that lacks something."""
    likeliest: Likeliest = first
    """Which of several ways to hear it is meant."""
    hint: Hint = no_hint


class Capture:
    """Feed it moments until it gives an outcome. `accepts` tells whether words said without the wake word are for us;
    `accepted` is called as soon as some are, before the utterance has ended."""

    def __init__(
        self,
        turn: str,
        judge: Judge,
        wording: Wording,
        settings: EndpointSettings,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        wake: Wake | None = None,
        bid: Bid | None = None,
        accepts: Callable[[str], bool] | None = None,
        accepted: Callable[[], None] = lambda: None,
    ) -> None:
        self.turn, self.wake, self.bid = turn, wake, bid
        self._judge, self._wording, self._settings = judge, wording, settings
        self._emit, self._clock = emit, clock
        self._accepts, self._accepted = accepts, accepted
        self.is_for_us = accepts is None
        self._endpoint = Endpointer(settings)
        self.pieces: list[Samples] = []
        self._asked, self._decodes_before = 0, judge.decodes
        self._asked_ms = 0.0
        self._stood_still_ms = 0.0  # how long a source that is not real time waited for the present judgement
        self._transcript: Transcript | None = None  # of the sound up to the present silence, once known

    def begin(self, audio: Samples, probabilities: Sequence[float], now_ms: float) -> None:
        """What was heard before `now_ms` of the stream: `audio`, of whose end the frames count."""
        self.pieces.append(audio)
        decisions = [one for probability in probabilities for one in self._endpoint.frame(probability)]
        if any(isinstance(one, Started) for one in decisions):
            self._tell(events.SpeechStarted, stream_ms=now_ms)

    async def feed(self, moment: Moment | None, *, realtime: bool) -> Heard | Closed | None:
        """The next moment, None at the end of the source. The outcome, when this brought one. Raises what the
        recogniser raises."""
        if moment is None:
            decisions = self._endpoint.finish()
        else:
            self.pieces.append(moment.clean)
            decisions = [one for score in moment.speech for one in self._endpoint.frame(score)]
        for decision in list(decisions):
            if isinstance(decision, Started) and moment is not None:
                self._tell(events.SpeechStarted, stream_ms=moment.end_ms)
            elif isinstance(decision, Ask):
                await self._ask(decision.number, wait=not realtime)
        decisions += self._answered()
        for decision in decisions:
            if isinstance(decision, NoSpeech):
                return self.close("no speech")
            if isinstance(decision, Ended):
                return await self.end(decision)
        return None

    async def give_up(self) -> None:
        """Nobody wants the outcome any more."""
        await self._judge.give_up()

    def close(self, reason: Reason) -> Closed:
        if self.bid is not None:
            self.bid.withdraw(reason)
        self._tell(events.ClosedQuietly, reason=reason)
        return Closed(self.turn, reason, self.wake)

    async def _ask(self, number: int, *, wait: bool) -> None:
        """Judge what was heard so far, beside the stream; where the stream can wait, it waits, so that a file ends
        where a microphone would."""
        self._asked, self._transcript, self._stood_still_ms = number, None, 0.0
        self._asked_ms = self._clock.mono_ms()
        self._judge.ask(number, self._audio())
        if wait:
            await self._judge.wait()
            self._stood_still_ms = self._clock.mono_ms() - self._asked_ms

    def _answered(self) -> list[Decision]:
        """Hand a judgement that has come to the endpoint. Raises what the recogniser raised."""
        answer = self._judge.take()
        if answer is None or not self._endpoint.awaits(answer[0]):
            return []
        number, transcript = answer
        self._transcript = transcript
        text = transcript.text
        if transcript.understood and not self.is_for_us and self._accepts is not None and self._accepts(text):
            self.is_for_us = True
            self._accepted()
        if transcript.understood and self.is_for_us:
            self._tell(events.Partial, text=text)
        whole = not transcript.chosen and self._wording.whole_intent(text)
        verdict = Verdict(
            heard=transcript.understood,
            whole=whole,
            open=not whole and (open_ended(text) or self._wording.missing_slot(text)),
            finished=transcript.finished,
        )
        return self._endpoint.verdict(number, verdict)

    async def end(self, ended: Ended) -> Heard | Closed:
        """The utterance is over: its text is the last judgement's, unless something was said after it."""
        now_ms = self._clock.mono_ms()
        judged = self._asked > 0 and self._endpoint.awaits(self._asked)
        ended_ms, confirmed_ms = self._times(ended, now_ms, judged)
        if judged and self._transcript is None:
            await self._judge.wait()
            self._answered()
        known = self._transcript if judged else None
        decodes = self._judge.decodes - self._decodes_before
        wasted = decodes - (1 if known is not None else 0)
        self._tell(
            events.EndpointReached,
            reason=ended.reason,
            silence_ms=ended.silence_ms,
            stream_ms=ended.at_ms,
            speculations=decodes,
            wasted=wasted,
        )
        audio = self._audio()
        transcript = known or await self._judge.transcribe(audio)
        if not transcript.understood:
            return self.close("nothing understood")
        if not self.is_for_us and (self._accepts is None or not self._accepts(transcript.text)):
            return self.close("not for us")
        self._tell(
            events.Transcribed,
            text=transcript.text,
            logprob=transcript.logprob,
            no_speech=transcript.no_speech,
            decode_ms=transcript.decode_ms,
        )
        timings = {
            "endpoint": ended.confirmed_ms,
            "tail": max(self._clock.mono_ms() - confirmed_ms, 0.0),
            "stt": transcript.decode_ms,
            "speculations": float(decodes),
            "wasted": float(wasted),
        }
        if self.wake is not None:
            timings["wake_at"] = self.wake.claimed_ms
        timings = {name: round(value, 1) for name, value in timings.items()}
        return Heard(self.turn, audio, transcript.text, self.wake, ended.reason, ended_ms, timings, self.bid)

    def _times(self, ended: Ended, now_ms: float, judged: bool) -> tuple[float, float]:
        """Monotonic: the end of speech, and the end of the silence that was needed. The moment of asking ties the
        stream's time to the clock's, since a file stands still there and rushes elsewhere."""
        if not judged:
            return now_ms - ended.silence_ms, now_ms - (ended.silence_ms - ended.confirmed_ms)
        asked_silence_ms = ceil(self._settings.ask_ms / FRAME_MS) * FRAME_MS
        if self._stood_still_ms:  # a microphone's silence would have gone on meanwhile
            speech_ended_ms = now_ms - max(ended.silence_ms, asked_silence_ms + self._stood_still_ms)
        else:
            speech_ended_ms = self._asked_ms - asked_silence_ms
        return speech_ended_ms, speech_ended_ms + ended.confirmed_ms

    def _audio(self) -> Samples:
        import numpy as np

        return np.concatenate(self.pieces)

    def _tell(self, event: type[Event], **fields: Any) -> None:
        self._emit(event(at_ms=self._clock.mono_ms(), turn=self.turn, **fields))
