"""What nodes tell one another of their timers, on the ephemeral topic `ring`: how far each has run, as whoever tells it
has counted without a break, and which of them ring there. Each message says all of it, so that a lost one is made good
by the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes

TOPIC = "ring"
LIMITS = Limits(size_bytes=16 * 1024, depth=4, items=2_048)
MAX_TOLD = 256
"""Timers in one message: more than a home may have."""
_MAX_ID_CHARS = 64


@dataclass(frozen=True, slots=True)
class Told:
    """Of one timer."""

    n: int
    """Of the count that this goes on from."""
    elapsed_ms: int
    """When it was told; -1 where it is only guessed."""
    rings: bool


@dataclass(frozen=True, slots=True)
class Statement:
    aloud: bool
    """The teller has a loudspeaker."""
    timers: Mapping[str, Told] = field(default_factory=dict)


def encode(statement: Statement) -> Value:
    return [
        statement.aloud,
        {timer_id: [one.n, one.elapsed_ms, one.rings] for timer_id, one in statement.timers.items()},
    ]


def decode(value: Value) -> Statement:
    """Raises InvalidBytes."""
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], bool) and isinstance(value[1], dict)):
        raise InvalidBytes("not what timers do")
    if len(value[1]) > MAX_TOLD:
        raise InvalidBytes("too many timers")
    return Statement(value[0], {_timer_id(key): _told(one) for key, one in value[1].items()})


def _timer_id(value: Value) -> str:
    if not isinstance(value, str) or len(value) > _MAX_ID_CHARS:
        raise InvalidBytes("not a timer's id")
    return value


def _told(value: Value) -> Told:
    match value:
        case [n, elapsed_ms, bool(rings)] if type(n) is int and type(elapsed_ms) is int:
            if 0 <= n < 2**31 and -1 <= elapsed_ms < 2**40:
                return Told(n, elapsed_ms, rings)
    raise InvalidBytes("not how far a timer has run")
