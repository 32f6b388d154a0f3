"""What rooms tell each other about one wake word, as small frozen messages, and how they are written. Each names the
wake word by the id that the sender gave its own claim. A text is in them only where the room it was said in lets it
out."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes

TOPIC = "claim"
WAKE_ID_BYTES = 8
MAX_TEXT_CHARS = 1_000
"""Compared of an utterance: the longest one, 15 s, has about 400."""
_STEPS = range(31)
SNR_STEP_DB = 3.0
LIMITS = Limits(size_bytes=4 * MAX_TEXT_CHARS + 64, depth=1, items=8)


def snr_step(snr_db: float) -> int:
    """Steps, because two rooms' microphones are not alike to the decibel. What is no number is no signal."""
    return min(max(round(snr_db / SNR_STEP_DB), 0), _STEPS[-1]) if math.isfinite(snr_db) else 0


@dataclass(frozen=True, slots=True)
class Claim:
    """I heard it, or with `answering`: I am the one who answers. Everything that ranks a room is in it."""

    wake: bytes
    answering: bool
    able: bool
    """Engines healthy, not muted."""
    engaged: bool
    """In a dialogue: speaking, or its follow-up window is open."""
    first: bool
    """It had heard of no other room's claim when it claimed: it concedes to nobody."""
    snr_step: int
    """Of the wake word over the room's own noise floor, in steps of 3 dB."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """It was not the wake word, or nothing was said to me after it: I do not answer."""

    wake: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """What I was asked and am about to answer. None: it was said in a private room, and I compare for you."""

    wake: bytes
    text: str | None


@dataclass(frozen=True, slots=True)
class Compare:
    """To a winner in a private room, about its own claim: is this what you heard?"""

    wake: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one bit that leaves a private room."""

    wake: bytes
    same: bool


@dataclass(frozen=True, slots=True)
class Second:
    """I lost, but somebody else spoke to me: I am about to answer this too."""

    wake: bytes
    text: str | None


Message = Claim | Withdraw | Text | Compare | Verdict | Second
_KINDS: tuple[type[Message], ...] = (Claim, Withdraw, Text, Compare, Verdict, Second)


def to_value(message: Message) -> Value:
    return [_KINDS.index(type(message)), *astuple(message)]


def from_value(value: Value) -> Message:
    """Raises InvalidBytes for anything that `to_value` does not make."""
    match value:
        case [int(kind), bytes(wake), *rest] if not isinstance(kind, bool) and len(wake) == WAKE_ID_BYTES:
            message = _read(kind, wake, rest)
            if message is not None and len(getattr(message, "text", None) or "") <= MAX_TEXT_CHARS:
                return message
    raise InvalidBytes("That is no message about a claim.")


def _read(kind: int, wake: bytes, rest: list[Value]) -> Message | None:
    match kind, rest:
        case 0, [bool(answering), bool(able), bool(engaged), bool(first), int(step)] if (
            type(step) is int and step in _STEPS
        ):
            return Claim(wake, answering, able, engaged, first, step)
        case 1, []:
            return Withdraw(wake)
        case 2, [(str() | None) as text]:
            return Text(wake, text)
        case 3, [str(text)]:
            return Compare(wake, text)
        case 4, [bool(same)]:
            return Verdict(wake, same)
        case 5, [(str() | None) as text]:
            return Second(wake, text)
    return None
