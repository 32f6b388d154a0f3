"""Timers of this node: kept in its store, so that a restart loses none, and rung here. A timer counts on the clock that
only goes forward; the wall clock serves to carry on after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis.assistant.types import TimerInfo
from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidInput, JarvisError, Overloaded
from jarvis.core.ids import by_prefix, to_text
from jarvis.core.time import Clock
from jarvis.node.journal import Journal
from jarvis.node.texts import iso_time

MAX_TIMERS = 100
MAX_SECONDS = 7 * 86_400
RING_EVERY_S = 6.0
RING_FOR_S = 600.0
"""Ringing gives up: somebody may be out."""
_PREFIX = "timer/"

log = structlog.get_logger()


@dataclass(slots=True)
class _Timer:
    timer_id: str
    name: str
    seconds: int
    due_wall_ms: int
    due_mono_ms: float
    next_ring_ms: float
    began_ringing_ms: float | None = None
    over: bool = False
    """It rang and somebody said stop."""


class Timers:
    """`ring` speaks once: it is called again and again until `silence`, the timer's end, or ten minutes have passed."""

    def __init__(
        self, journal: Journal, clock: Clock, node_id: bytes, ring: Callable[[TimerInfo], Awaitable[None]]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._node_id = node_id
        self._ring = ring
        self._timers: dict[str, _Timer] = {}
        self._changed = asyncio.Event()

    async def load(self) -> None:
        stored = await self._journal.read(lambda tx, _: {name: tx.get(name) or b"" for name in tx.keys(_PREFIX)})
        now_wall, now_mono = self._clock.wall_ms(), self._clock.mono_ms()
        for key, data in stored.items():
            name, seconds, due_wall_ms = unpack(data)
            # A clock that was set cannot make a timer longer than it was.
            left_ms = min(max(due_wall_ms - now_wall, 0), seconds * 1000)
            timer_id = key.removeprefix(_PREFIX)
            due_mono_ms = now_mono + left_ms
            self._timers[timer_id] = _Timer(timer_id, name, seconds, due_wall_ms, due_mono_ms, due_mono_ms)

    async def set(self, seconds: int, name: str) -> TimerInfo:
        if not 1 <= seconds <= MAX_SECONDS:
            raise InvalidInput("A timer can run from one second to seven days.")
        if len(self._timers) >= MAX_TIMERS:
            raise Overloaded(f"{MAX_TIMERS} timers are running already.", fix="Cancel one first.")
        timer_id = to_text(os.urandom(5))
        ms = seconds * 1000
        due_mono_ms = self._clock.mono_ms() + ms
        timer = _Timer(timer_id, name[:80], seconds, self._clock.wall_ms() + ms, due_mono_ms, due_mono_ms)
        data = pack([timer.name, seconds, timer.due_wall_ms])

        def begin(_: None) -> None:
            self._timers[timer_id] = timer
            self._changed.set()

        # With the commit: whoever asked may leave in the middle, and a timer that only the disk knows would not ring.
        await self._journal.change_local(lambda tx: tx.put(_PREFIX + timer_id, data), begin)
        return self._info(timer)

    def infos(self) -> list[TimerInfo]:
        """The next to ring first."""
        return [self._info(timer) for timer in sorted(self._timers.values(), key=lambda one: one.due_mono_ms)]

    async def list(self) -> list[dict[str, Any]]:
        return [
            {
                "timer_id": timer.timer_id,
                "name": timer.name,
                "remaining_s": round(self._info(timer).remaining_s, 1),
                "rings_at": iso_time(timer.due_wall_ms),
                "node_id": to_text(self._node_id),
            }
            for timer in sorted(self._timers.values(), key=lambda one: one.due_mono_ms)
        ]

    async def cancel(self, wanted: str) -> dict[str, Any]:
        """Raises NotFound."""
        timer_id = by_prefix(wanted, self._timers, "timer")
        await self.remove(timer_id)
        return {"timer_id": timer_id, "cancelled": True}

    async def remove(self, timer_id: str) -> bool:
        known = timer_id in self._timers

        def end(_: None) -> None:
            self._timers.pop(timer_id, None)
            self._changed.set()

        await self._journal.change_local(lambda tx: tx.delete(_PREFIX + timer_id), end)
        return known

    def silence(self) -> None:
        """Somebody said stop: whatever rings has rung enough."""
        for timer in self._timers.values():
            timer.over = timer.began_ringing_ms is not None
        self._changed.set()

    async def run(self) -> None:
        """Ring what is due, each for itself, until cancelled."""
        while True:
            self._changed.clear()
            now_ms = self._clock.mono_ms()
            for timer in list(self._timers.values()):
                if timer.over or now_ms - (timer.began_ringing_ms or now_ms) >= RING_FOR_S * 1000:
                    await self._finish(timer)
            for timer in sorted(self._timers.values(), key=lambda one: one.next_ring_ms):
                if timer.next_ring_ms <= now_ms and not timer.over and timer.timer_id in self._timers:
                    timer.began_ringing_ms = timer.began_ringing_ms or now_ms
                    timer.next_ring_ms = now_ms + RING_EVERY_S * 1000
                    await self._ring(self._info(timer))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._changed.wait()

    def _pause_s(self) -> float | None:
        """Until the next ring; None when there is none."""
        next_ms = min((timer.next_ring_ms for timer in self._timers.values()), default=None)
        return None if next_ms is None else max(0.0, (next_ms - self._clock.mono_ms()) / 1000)

    async def _finish(self, timer: _Timer) -> None:
        try:
            await self.remove(timer.timer_id)
        except JarvisError as error:
            log.warning("a timer that rang was not removed", reason=str(error))
            self._timers.pop(timer.timer_id, None)

    def _info(self, timer: _Timer) -> TimerInfo:
        left_s = max(0.0, (timer.due_mono_ms - self._clock.mono_ms()) / 1000)
        return TimerInfo(timer.timer_id, timer.name, timer.seconds, left_s)
