"""From a stream of sound to one utterance: wait until somebody speaks to us, and hear them out.

They do by the wake word; where a window is open, without it; and while we play, by words that are an intent. It answers
nothing and plays nothing: `Room` does. What it holds is bounded: 1.5 s of sound while it waits, one utterance after.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import JarvisError
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.arbitration.arbiter import Bid
from jarvis.voice.hearing.capture import Capture, Closed, Heard, Wording
from jarvis.voice.hearing.ears import Ears, Engine
from jarvis.voice.hearing.endpoint import Ended
from jarvis.voice.hearing.judge import Judge
from jarvis.voice.hearing.senses import Moment, Senses
from jarvis.voice.hearing.vad import FRAME_SAMPLES
from jarvis.voice.hearing.wake import Wake
from jarvis.voice.hearing.windows import Accepts, Evidence, Onset, Windows
from jarvis.voice.room import Room
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.streams import RATE_HZ

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

__all__ = ["Closed", "Engine", "Heard", "Listener", "Wording"]

SETTLING_FRAMES = 10
"""The voice detector is recurrent: it hears 320 ms before what it is asked about."""


class Listener:
    """Of one stream; `listen` is called again and again with the same senses."""

    def __init__(
        self,
        ears: Ears,
        stt: Engine,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        settings: VoiceSettings,
        wording: Wording,
    ) -> None:
        self._emit, self._clock, self._settings, self._wording = emit, clock, settings, wording
        self._judge = Judge(ears, stt, settings.stt_deadline_s, wording.likeliest, wording.hint)
        self._windows = Windows()
        self._onset, self._evidence = Onset(), Evidence()
        self._recent: deque[Samples] = deque()
        self._recent_samples = 0
        self._bid: Bid | None = None  # of a wake word that is not sure yet
        self._claimed = False
        self._ended: tuple[str, float] | None = None  # the last utterance's turn, and until when it may turn out cut
        self._now_ms = 0.0
        self._state = ""
        self.capturing = False
        """Somebody is being heard out."""
        self.owing = False
        """They spoke to us: if listening fails now, they are owed an answer."""

    @property
    def engaged(self) -> bool:
        """In the middle of a dialogue: somebody speaks to us, or is awaited to."""
        return self.capturing or self._windows.engaged(self._now_ms)

    def follow_up(self) -> None:
        """The next words may come without the wake word, for `follow_up_ms`."""
        self._windows.follow_up(self._now_ms + self._settings.follow_up_ms)

    def attend(self, ms: float, accepts: Accepts | None) -> None:
        """For so long from now, words that are accepted need no wake word; 0 ends it."""
        self._windows.attend(self._now_ms + ms, accepts)

    async def listen(self, senses: Senses, room: Room, *, wake: bool = True) -> Heard | Closed:
        """The next utterance; with `wake` False, whatever is said next. Raises what the source, the ears or the
        recogniser raise."""
        self.capturing = self.owing = False
        if wake:
            found = await self._wait(senses, room)
            if not isinstance(found, Capture):
                return found
            capture = found
        else:
            capture = self._capture(no_speech_ms=self._settings.follow_up_ms)
            self._now_ms = senses.now_ms
        outcome: Heard | Closed | Capture = capture
        self.capturing = True
        self._show("capturing")
        try:
            while isinstance(outcome, Capture):
                capture = outcome
                self.owing = capture.is_for_us
                outcome = await self._follow(capture, senses, room, wake)
        except JarvisError as error:
            if capture.bid is not None:
                capture.bid.withdraw(str(error))
            raise
        finally:
            await self._judge.give_up()
            if not isinstance(outcome, Heard):
                room.was_not_for_us()
        self.capturing = False
        if isinstance(outcome, Heard) and outcome.reason != "end of audio":
            self._ended = outcome.turn, self._now_ms + self._settings.cut_off_ms
        return outcome

    async def transcribe_all(self, senses: Senses) -> Heard | Closed:
        """Everything until the source ends as one utterance: for a file that is handed over without a wake word."""
        import numpy as np

        capture, settings = self._capture(), self._settings.endpoint
        loud = 0
        while loud < settings.onset_frames and (moment := await senses.next(speech=True)) is not None:
            capture.pieces.append(moment.clean)
            loud += sum(one >= settings.onset for one in moment.speech)
        if loud < settings.onset_frames:
            return capture.close("no speech")
        capture.pieces.append(np.concatenate([np.zeros(0, np.int16), *await senses.rest()]))
        return await capture.end(Ended("end of audio", 0.0, senses.now_ms, 0.0))

    async def _wait(self, senses: Senses, room: Room) -> Capture | Closed:
        """Until somebody speaks to us; Closed at the end of the source, or when an awaited answer did not come."""
        self._forget()
        while True:
            self._now_ms = senses.now_ms
            if self._windows.lapsed(self._now_ms):
                return self._capture().close("no speech")
            window = None if room.playing else self._windows.at(self._now_ms)
            self._show("open" if window is not None else "wake word")
            watching = self._ended is not None and not room.playing
            moment = await senses.next(speech=window is not None or senses.cancelling or watching)
            if moment is None:
                self._withdraw("the source ended")
                self._show("off")
                return self._capture().close("no wake word")
            self._keep(moment.clean)
            woken = self._woken(moment, room)
            if woken is not None:
                return await self._begin_woken(*woken, senses, self._recent)
            spoken = self._begin_spoken(moment, senses, room)
            if spoken is not None:
                return spoken

    async def _follow(self, capture: Capture, senses: Senses, room: Room, wake: bool) -> Heard | Closed | Capture:
        """To its outcome; or a new one, when the wake word is said again: people do, where nothing chimes."""
        while True:
            moment = await senses.next(speech=True)
            self._now_ms = senses.now_ms
            if moment is None and senses.muted:
                return capture.close("muted")
            woken = self._woken(moment, room) if moment is not None and wake else None
            if moment is not None and woken is not None:
                await self._judge.give_up()
                if capture.bid is not None:
                    capture.bid.withdraw("said again")
                return await self._begin_woken(*woken, senses, [*capture.pieces, moment.clean])
            outcome = await capture.feed(moment, realtime=senses.realtime)
            if outcome is not None:
                return outcome

    def _woken(self, moment: Moment, room: Room) -> tuple[Wake, float, Bid | None] | None:
        """A wake word that has become sure, with its SNR."""
        for sign in moment.wakes:
            if room.deaf():
                self._withdraw("a loudspeaker said it")
            elif sign.stage == "claim":
                self._bid, self._claimed = room.bid(sign), True
            elif sign.stage == "refuse":
                self._withdraw("the detector was not sure")
            else:
                bid = self._bid if self._claimed else room.bid(sign)
                self._bid, self._claimed = None, False
                if bid is not None:
                    bid.confirm()
                room.woken(bid)
                return Wake(sign.score, moment.end_ms - sign.ago_ms), sign.snr_db, bid
        return None

    def _withdraw(self, why: str) -> None:
        if self._bid is not None:
            self._bid.withdraw(why)
        self._bid, self._claimed = None, False

    async def _begin_woken(self, wake: Wake, snr_db: float, bid: Bid | None, senses: Senses, before: Any) -> Capture:
        """Text from a little before the detection, the endpoint from the detection on: the phrase's own tail must
        not count as speech."""
        import numpy as np

        self._windows.close()
        self._ended = None
        capture = self._capture(wake=wake, bid=bid)
        self._emit(
            events.WakeHeard(
                at_ms=self._clock.mono_ms(),
                turn=capture.turn,
                score=wake.score,
                snr_db=snr_db,
                stream_ms=wake.claimed_ms,
            )
        )
        heard = np.concatenate(list(before))
        at = max(len(heard) - int((senses.now_ms - wake.claimed_ms) * RATE_HZ / 1000), 0)
        settling = min(at // FRAME_SAMPLES, SETTLING_FRAMES)
        scores = await senses.speech_in(heard[at - settling * FRAME_SAMPLES :])
        before_ms = self._settings.before_wake_ms
        capture.begin(heard[max(at - int(before_ms * RATE_HZ / 1000), 0) :], scores[settling:], senses.now_ms)
        return capture

    def _begin_spoken(self, moment: Moment, senses: Senses, room: Room) -> Capture | None:
        """A capture, when somebody has begun to speak and may without the wake word."""
        settings = self._settings
        barging = senses.cancelling and room.playing
        if barging:
            begun = self._evidence.heard(moment.speech, settings.barge_in_doubt, settings.barge_in_enough)
        else:
            begun = self._onset.heard(moment.speech, settings.window_frames, settings.endpoint.onset)
        if not begun:
            return None
        window = None if room.playing else self._windows.at(self._now_ms)
        if self._ended is not None and self._now_ms < self._ended[1] and not room.playing:
            self._emit(events.CutOff(at_ms=self._clock.mono_ms(), turn=self._ended[0]))
        self._ended = None
        if barging:
            room.somebody_speaks()
            capture = self._capture(
                accepts=room.for_us,
                accepted=room.spoken_to,
                no_speech_ms=settings.barge_in_quiet_ms,
                cap_ms=settings.barge_in_cap_ms,
            )
        elif window is not None:
            self._windows.close()
            capture = self._capture(
                accepts=lambda text: window.takes(text) and not room.echoes(text),
                accepted=room.spoken_to,
                no_speech_ms=max(window.until_ms - self._now_ms, 1_000.0) if window.accepts is None else None,
            )
        else:
            return None
        frames_ms = len(begun) * FRAME_SAMPLES * 1000 / RATE_HZ
        capture.begin(self._last(settings.before_voice_ms + frames_ms), begun, moment.end_ms)
        return capture

    def _capture(self, *, no_speech_ms: float | None = None, cap_ms: float | None = None, **parts: Any) -> Capture:
        endpoint = self._settings.endpoint
        if self._judge.decode_ms >= self._settings.slow_decode_ms:
            endpoint = replace(endpoint, ask_ms=endpoint.pause_ms)
        endpoint = replace(
            endpoint, no_speech_ms=no_speech_ms or endpoint.no_speech_ms, cap_ms=cap_ms or endpoint.cap_ms
        )
        turn = secrets.token_hex(8)
        return Capture(turn, self._judge, self._wording, endpoint, emit=self._emit, clock=self._clock, **parts)

    def _forget(self) -> None:
        """What is left of an earlier attempt."""
        self._withdraw("listening was interrupted")
        self._recent.clear()
        self._recent_samples = 0
        self._onset.forget()
        self._evidence.forget()

    def _keep(self, block: Samples) -> None:
        """The last `pre_roll_ms`."""
        self._recent.append(block)
        self._recent_samples += len(block)
        bound = int(self._settings.pre_roll_ms * RATE_HZ / 1000)
        while self._recent_samples - len(self._recent[0]) >= bound:
            self._recent_samples -= len(self._recent.popleft())

    def _last(self, ms: float) -> Samples:
        import numpy as np

        return np.concatenate(list(self._recent))[-int(ms * RATE_HZ / 1000) :]

    def _show(self, state: str) -> None:
        """Whoever looks must always see whether they are heard."""
        if state != self._state:
            self._state = state
            self._emit(events.Listening(at_ms=self._clock.mono_ms(), state=state))
