"""Timers of this node: kept in its store, so that a restart loses none, and rung here. A timer counts on the clock that
only goes forward; the wall clock serves to carry on after a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from jarvis.assistant.types import TimerInfo
from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidInput, Overloaded
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


@dataclass(slots=True)
class _Timer:
    timer_id: str
    name: str
    seconds: int
    due_wall_ms: int
    due_mono_ms: float


class Timers:
    """`ring` speaks once: it is called again and again until `silence`, or ten minutes have passed."""

    def __init__(
        self, journal: Journal, clock: Clock, node_id: bytes, ring: Callable[[TimerInfo], Awaitable[None]]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._node_id = node_id
        self._ring = ring
        self._timers: dict[str, _Timer] = {}
        self._changed = asyncio.Event()
        self._silenced = asyncio.Event()

    async def load(self) -> None:
        stored = await self._journal.read(lambda tx, _: {name: tx.get(name) or b"" for name in tx.keys(_PREFIX)})
        now_wall, now_mono = self._clock.wall_ms(), self._clock.mono_ms()
        for key, data in stored.items():
            name, seconds, due_wall_ms = unpack(data)
            # A clock that was set cannot make a timer longer than it was.
            left_ms = min(max(due_wall_ms - now_wall, 0), seconds * 1000)
            timer_id = key.removeprefix(_PREFIX)
            self._timers[timer_id] = _Timer(timer_id, name, seconds, due_wall_ms, now_mono + left_ms)

    async def set(self, seconds: int, name: str) -> TimerInfo:
        if not 1 <= seconds <= MAX_SECONDS:
            raise InvalidInput("A timer can run from one second to seven days.")
        if len(self._timers) >= MAX_TIMERS:
            raise Overloaded(f"{MAX_TIMERS} timers are running already.", fix="Cancel one first.")
        timer_id = to_text(os.urandom(5))
        ms = seconds * 1000
        timer = _Timer(timer_id, name[:80], seconds, self._clock.wall_ms() + ms, self._clock.mono_ms() + ms)
        data = pack([timer.name, seconds, timer.due_wall_ms])
        await self._journal.change_local(lambda tx: tx.put(_PREFIX + timer_id, data))
        self._timers[timer_id] = timer
        self._changed.set()
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
        await self._journal.change_local(lambda tx: tx.delete(_PREFIX + timer_id))
        gone = self._timers.pop(timer_id, None)
        self._changed.set()
        return gone is not None

    def silence(self) -> None:
        """Somebody said stop."""
        self._silenced.set()

    async def run(self) -> None:
        """Ring what is due, until cancelled."""
        while True:
            self._changed.clear()
            due = min(self._timers.values(), key=lambda one: one.due_mono_ms, default=None)
            left_s = None if due is None else (due.due_mono_ms - self._clock.mono_ms()) / 1000
            if due is None or (left_s is not None and left_s > 0):
                try:
                    async with asyncio.timeout(left_s):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            await self._ring_out(due)

    async def _ring_out(self, timer: _Timer) -> None:
        self._silenced.clear()
        info = self._info(timer)
        end_ms = self._clock.mono_ms() + RING_FOR_S * 1000
        while not self._silenced.is_set() and self._clock.mono_ms() < end_ms:
            await self._ring(info)
            try:
                async with asyncio.timeout(RING_EVERY_S):
                    await self._silenced.wait()
            except TimeoutError:
                pass
        await self.remove(timer.timer_id)

    def _info(self, timer: _Timer) -> TimerInfo:
        left_s = max(0.0, (timer.due_mono_ms - self._clock.mono_ms()) / 1000)
        return TimerInfo(timer.timer_id, timer.name, timer.seconds, left_s)
