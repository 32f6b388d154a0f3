"""What the home knows of a timer: one key of the document `timers`, and how several writes of that key are one timer.
Every change puts the key anew with all its author has seen; what two rooms put at once is joined on reading. So an
addition counts once and is never lost, and an end takes away only what whoever ended it had seen. Pure: it reads no
clock, and takes nothing a member wrote for granted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jarvis.assistant.wording.days import SHORT
from jarvis.assistant.wording.recurring import Recurrence
from jarvis.core.codec import Value
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.crdt.mvmap import MVMap

MAX_MS = 7 * 86_400_000
"""The longest timer, and the most that can be added at once."""
MAX_ALARM_MS = 367 * 86_400_000
"""To the furthest alarm: this day next year, and a clock that is changed on the way."""
MAX_ADDED = 64
"""Changes of one timer; each takes some 16 bytes of its every later write."""
ADDED_ID_BYTES = 8
MAX_NAME_CHARS = 80
_MAX_WALL_MS = 2**53


@dataclass(frozen=True, slots=True)
class Count:
    """How far it had run at one moment, and whether it went on from there."""

    n: int
    """Counts up with every pause and every time it goes on."""
    elapsed_ms: int
    at_ms: int
    """That moment, by the wall clock of `by`."""
    by: bytes
    """Node id of whoever wrote this."""
    runs: bool = True

    @property
    def order(self) -> tuple[Any, ...]:
        """The greatest one holds; of a pause and its opposite made at once, the pause."""
        return (self.n, not self.runs, self.elapsed_ms, self.at_ms, self.by)


@dataclass(frozen=True, slots=True)
class Timer:
    name: str
    owner: bytes
    """Node id of where it was set: there it rings."""
    length_ms: int
    count: Count
    alarm: bool = False
    """It was set for a time of day: who owns it follows the wall clock."""
    added: Mapping[bytes, int] = field(default_factory=dict)
    """Milliseconds by the addition's own random id; negative where time was taken away."""
    again: Recurrence | None = None
    """When an alarm comes again. Then `count.n` counts how often it came."""

    @property
    def total_ms(self) -> int:
        """It rings when it has run for so long."""
        return self.length_ms + sum(self.added.values())

    @property
    def due_ms(self) -> int:
        """By the wall clock of whoever counted last."""
        return self.count.at_ms + self.total_ms - self.count.elapsed_ms

    def next_round(self, due_ms: int) -> Timer:
        """The same alarm, counting from when it was due to when it is due next. Every node that works this out from
        the same writes comes to the same, so it does not matter who does."""
        count = Count(self.count.n + 1, 0, max(0, self.due_ms), self.owner)
        return replace(self, length_ms=min(max(1, due_ms - self.due_ms), MAX_ALARM_MS), count=count, added={})

    def with_added(self, added_id: bytes, ms: int) -> Timer:
        return replace(self, added={**self.added, added_id: ms})

    def counting(self, elapsed_ms: int, at_ms: int, by: bytes, *, runs: bool) -> Timer:
        return replace(self, count=Count(self.count.n + 1, elapsed_ms, at_ms, by, runs))


def encode(timer: Timer) -> Value:
    count = timer.count
    clock = [count.n, count.elapsed_ms, count.at_ms, count.by, count.runs]
    written: list[Value] = [timer.name, timer.owner, timer.length_ms, clock, timer.alarm, dict(timer.added)]
    if timer.again is not None:
        written.append([timer.again.hour, timer.again.minute, [SHORT.index(day) for day in timer.again.days]])
    return written


def decode(value: Value) -> Timer | None:
    """None for what is no timer: any member may write anything as itself."""
    match value:
        case [str(name), bytes(owner), length_ms, list(clock), bool(alarm), dict(added), *rest]:
            count, again = _count(clock), _again(rest[0]) if rest else None
            sound = (
                (not rest or (len(rest) == 1 and alarm and again is not None))
                and len(name) <= MAX_NAME_CHARS
                and len(owner) == NODE_ID_BYTES
                and _whole(length_ms, 1, MAX_ALARM_MS if alarm else MAX_MS)
                and len(added) <= 16 * MAX_ADDED  # rooms without a link may each have come to the limit
                and all(isinstance(one, bytes) and len(one) == ADDED_ID_BYTES for one in added)
                and all(_whole(ms, -MAX_MS, MAX_MS) for ms in added.values())
            )
            return Timer(name, owner, length_ms, count, alarm, added, again) if sound and count else None
    return None


def _count(value: Value) -> Count | None:
    match value:
        case [n, elapsed_ms, at_ms, bytes(by), bool(runs)] if len(by) == NODE_ID_BYTES:
            if _whole(n, 0, 2**31) and _whole(elapsed_ms, 0, 2**40) and _whole(at_ms, 0, _MAX_WALL_MS):
                return Count(n, elapsed_ms, at_ms, by, runs)
    return None


def _again(value: Value) -> Recurrence | None:
    match value:
        case [hour, minute, [*days]] if _whole(hour, 0, 23) and _whole(minute, 0, 59):
            if days and len(days) <= 7 and all(_whole(day, 0, 6) for day in days) and days == sorted(set(days)):
                return Recurrence(hour, minute, tuple(SHORT[day] for day in days))
    return None


def join(timers: Iterable[Timer]) -> Timer | None:
    """One timer from what several rooms wrote without having seen each other, the newest first; None of none."""
    joined: Timer | None = None
    for timer in timers:
        if joined is None:
            joined = timer
            continue
        if joined.again is not None and timer.count.n != joined.count.n:
            joined = max(joined, timer, key=lambda one: one.count.n)  # what was done to a round that is over, is over
            continue
        added = dict(joined.added)
        for one, ms in timer.added.items():
            added[one] = min(ms, added.get(one, ms))
        count = max(joined.count, timer.count, key=lambda count: count.order)
        joined = replace(joined, added=added, count=count)
    return joined


def timer_at(state: MVMap, timer_id: str) -> Timer | None:
    return join(filter(None, (decode(write.value) for write in state.writes(timer_id))))


def timers_of(state: MVMap) -> dict[str, Timer]:
    """Timer id -> timer, of all there are."""
    ids = [key for key in state.keys() if isinstance(key, str)]  # noqa: SIM118
    found = {timer_id: timer_at(state, timer_id) for timer_id in ids}
    return {timer_id: timer for timer_id, timer in found.items() if timer is not None}


def _whole(value: Value, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
