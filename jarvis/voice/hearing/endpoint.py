"""When has the user finished? A state machine without I/O: speech probabilities and verdicts in, decisions out.

All its time is the audio's own, 32 ms a frame, so that a file fed as fast as possible is cut where a microphone would
be. It transcribes nothing and never sees a sample.

    waiting --speech--> speaking --200 ms silence--> Ask --verdict--> done, or on to a longer silence
       ^                                                    |
       +------------------- nothing understood -------------+
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Literal

from jarvis.voice.hearing.vad import FRAME_MS

Reason = Literal["whole intent", "pause", "long pause", "too long", "end of audio"]


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Milliseconds of audio."""

    ask_ms: float = 200.0
    """Silence after which text and melody are asked for; a whole intent ends there."""
    pause_ms: float = 500.0
    """Silence that ends free text whose melody has ended."""
    long_pause_ms: float = 1_200.0
    """Silence that ends anything: a sentence without its end, or a melody still up."""
    no_speech_ms: float = 5_000.0
    """Without speech for so long, close."""
    cap_ms: float = 15_000.0
    """The longest utterance: the decoder's window, and a bound on memory against endless speech."""
    onset: float = 0.5
    """Probability at which a frame counts as speech that begins,"""
    hold: float = 0.35
    """and below which it is silence once it has begun."""
    onset_frames: int = 3
    """96 ms: a click or a cup on the table is shorter, the shortest command is not."""
    resume_frames: int = 2
    """A single loud frame does not undo a silence."""
    finished: float = 0.5
    """Smart Turn's own threshold."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the text and the melody say about the audio so far."""

    heard: bool
    """Something was understood at all."""
    whole: bool = False
    """The text is an intent with all its slots."""
    open: bool = False
    """The text cannot end here: a slot is missing, or the last word wants another."""
    finished: float = 0.0
    """Smart Turn's probability."""


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began at `at_ms`."""

    at_ms: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Judge the audio so far; answer with `verdict(number, ...)`."""

    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    reason: Reason
    silence_ms: float
    at_ms: float
    confirmed_ms: float
    """The silence that would have been enough, had the verdict come at once."""


@dataclass(frozen=True, slots=True)
class NoSpeech:
    """Nobody spoke, or nothing that was understood: close quietly."""

    at_ms: float


Decision = Started | Ask | Ended | NoSpeech


class Endpointer:
    def __init__(self, settings: EndpointSettings | None = None) -> None:
        self._settings = settings or EndpointSettings()
        self._now_ms = 0.0
        self._unheard_ms = 0.0  # silence in all while waiting: short noises do not extend it
        self._speaking = False
        self._loud_frames = 0
        self._silence_ms = 0.0
        self._asked = 0
        self._verdict: Verdict | None = None
        self._done = False

    @property
    def speaking(self) -> bool:
        """Speech has begun and the utterance has not ended."""
        return self._speaking and not self._done

    def awaits(self, number: int) -> bool:
        """Whether Ask `number` is still about the present silence."""
        return number == self._asked and self._silence_ms >= self._settings.ask_ms

    def frame(self, probability: float) -> list[Decision]:
        """The next 32 ms. At most one Ended or NoSpeech ever comes; after it, nothing."""
        if self._done:
            return []
        self._now_ms += FRAME_MS
        decisions = self._in_speech(probability) if self._speaking else self._in_waiting(probability)
        if not self._done and self._now_ms >= self._settings.cap_ms:
            decisions += [self._end("too long")] if self._speaking else [self._give_up()]
        return decisions

    def verdict(self, number: int, verdict: Verdict) -> list[Decision]:
        """The answer to Ask `number`; ignored when the user has gone on speaking meanwhile."""
        if self._done or not self.awaits(number):
            return []
        if not verdict.heard:
            self._wait_again()
            return []
        self._verdict = verdict
        return self._judge()

    def finish(self) -> list[Decision]:
        """The audio has ended: whatever was being said is the utterance."""
        if self._done:
            return []
        return [self._end("end of audio")] if self._speaking else [self._give_up()]

    def _in_waiting(self, probability: float) -> list[Decision]:
        settings = self._settings
        if probability >= settings.onset:
            self._loud_frames += 1
        else:
            self._loud_frames = 0
            self._unheard_ms += FRAME_MS
        if self._loud_frames >= settings.onset_frames:
            self._speaking, self._silence_ms = True, 0.0
            return [Started(self._now_ms - self._loud_frames * FRAME_MS)]
        return [self._give_up()] if self._unheard_ms >= settings.no_speech_ms else []

    def _in_speech(self, probability: float) -> list[Decision]:
        settings = self._settings
        was_silent = self._silence_ms > 0
        self._loud_frames = self._loud_frames + 1 if probability >= settings.onset else 0
        if self._loud_frames >= settings.resume_frames or (probability >= settings.hold and not was_silent):
            self._silence_ms, self._verdict = 0.0, None
            return []
        self._silence_ms += FRAME_MS
        if self._silence_ms >= settings.ask_ms > self._silence_ms - FRAME_MS:
            self._asked += 1
            return [Ask(self._asked)]
        return self._judge()

    def _judge(self) -> list[Decision]:
        """Is this silence long enough for what is known?"""
        settings, verdict = self._settings, self._verdict
        if self._silence_ms >= settings.long_pause_ms:
            return [self._end("long pause", settings.long_pause_ms)]
        if verdict is None or verdict.open:
            return []
        finished = verdict.finished >= settings.finished
        if finished and verdict.whole:
            return [self._end("whole intent", settings.ask_ms)]
        if (finished or verdict.whole) and self._silence_ms >= settings.pause_ms:
            return [self._end("pause", settings.pause_ms)]
        return []

    def _end(self, reason: Reason, needed_ms: float | None = None) -> Decision:
        self._done = True
        needed_ms = self._silence_ms if needed_ms is None else ceil(needed_ms / FRAME_MS) * FRAME_MS
        return Ended(reason, self._silence_ms, self._now_ms, min(needed_ms, self._silence_ms))

    def _give_up(self) -> Decision:
        self._done = True
        return NoSpeech(self._now_ms)

    def _wait_again(self) -> None:
        """It was a door, or the tail of the wake word. The silence counts as waited."""
        self._unheard_ms += self._silence_ms
        self._speaking, self._loud_frames, self._silence_ms, self._verdict = False, 0, 0.0, None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPEN_WORDS = _words(
    "a an the my your our his her their every each and or but for to of with about from at by in into than because if "
    "as between um uh er hmm"
)
_LINKS = _words("is are was were")
_CLOSES_A_LINK = _words("it this that he she they there what who where these those i")
_OPEN_ENDINGS = re.compile(
    r"\b(?:remember(?: that)?|remind me|wake me|tell me|(?:like|want) to know|what time|set an? (?:timer|alarm))$"
)
_WORD = re.compile(r"[\w']+")


def wants_more(text: str) -> bool:
    """Whether the last words cannot end a request: "Set a timer for", "the key is"; but "what time it is" can. A
    mistake costs 0.7 s of waiting."""
    words = _WORD.findall(text.lower())
    if not words:
        return False
    if words[-1] in _LINKS:
        return len(words) < 2 or words[-2] not in _CLOSES_A_LINK
    return words[-1] in _OPEN_WORDS or _OPEN_ENDINGS.search(" ".join(words)) is not None
