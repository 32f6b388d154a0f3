"""What the voice pipeline tells: one frozen event a stage, with a monotonic time. A turn's events are its trace.

`text` fields are for the person who spoke and for their session; they must never reach a log above debug.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jarvis.core.events import Event


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WakeHeard(Event):
    name: ClassVar[str] = "wake"
    score: float
    """Peak of the detector, 0 to 1."""
    snr_db: float = 0.0
    """Of the phrase over the room's own noise."""
    stream_ms: float
    """Where in the audio, from its start."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    name: ClassVar[str] = "speech"
    stream_ms: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReached(Event):
    name: ClassVar[str] = "endpoint"
    reason: str
    """`whole intent`, `pause`, `long pause`, `too long` or `end of audio`."""
    silence_ms: float
    """Of audio after the last speech."""
    stream_ms: float
    speculations: int = 0
    """How often text was asked for before the end was sure."""
    wasted: int = 0
    """How many of those decodes were of no use: more was said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CutOff(Event):
    """Somebody spoke on within a second of the end of `turn`: it had not been the end."""

    name: ClassVar[str] = "cut off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Partial(Event):
    name: ClassVar[str] = "partial"
    text: str
    """What was understood of an utterance that may still go on."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Event):
    name: ClassVar[str] = "listening"
    state: str
    """`wake word`: only that is heard; `open`: one may speak without it; `capturing`: what is said is being heard;
    `off`: the source has ended."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chimed(Event):
    name: ClassVar[str] = "chime"
    after_wake_ms: float
    """Since the detector was sure."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ducked(Event):
    name: ClassVar[str] = "ducked"
    db: float
    """How much quieter we play while somebody speaks; 0 when the volume returns."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    name: ClassVar[str] = "interrupted"
    by: str
    """`wake word`, or `words` that are an intent: what we were saying was stopped."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed(Event):
    name: ClassVar[str] = "stt"
    text: str
    logprob: float
    no_speech: float
    decode_ms: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStarted(Event):
    name: ClassVar[str] = "reply"
    waited_ms: float
    """From the text heard to the first piece of the answer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirstAudio(Event):
    name: ClassVar[str] = "tts"
    synthesis_ms: float
    """Of the first sentence."""
    after_speech_ms: float | None
    """From the end of the user's speech; None when nobody spoke before, as with `say`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spoken(Event):
    name: ClassVar[str] = "spoken"
    text: str
    """What was heard: whole sentences, and of one that was cut its words. Less than the reply when it was
    interrupted."""
    audio_ms: float
    first_audio_ms: float
    """From the call to the first sound; 0 when there was none."""
    interrupted: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClosedQuietly(Event):
    name: ClassVar[str] = "closed"
    reason: str
    """`no wake word`, `no speech`, `nothing understood`, `not for us` or `another room answers`: nothing is kept and
    nothing said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AudioProblem(Event):
    name: ClassVar[str] = "problem"
    stage: str
    """`source`, `ears`, `stt`, `answer`, `tts` or `sink`."""
    message: str
    """A sentence for a person, without anything that was said."""
