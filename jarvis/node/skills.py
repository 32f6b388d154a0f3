"""The part of the home that the assistant's skills may touch, as this node offers it."""

from __future__ import annotations

from datetime import datetime

from jarvis.assistant.types import TimerInfo
from jarvis.core.time import EARLIEST_WALL_MS, Clock
from jarvis.node.memory import Memory
from jarvis.node.timers import Timers


class HomeSkills:
    """See assistant.types.Home."""

    def __init__(self, clock: Clock, timers: Timers, memory: Memory) -> None:
        self._clock = clock
        self._timers = timers
        self._memory = memory

    @property
    def clock_is_set(self) -> bool:
        return self._clock.wall_ms() >= EARLIEST_WALL_MS

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000).astimezone()

    async def set_timer(self, seconds: int, name: str) -> TimerInfo:
        return await self._timers.set(seconds, name)

    async def list_timers(self) -> list[TimerInfo]:
        return self._timers.infos()

    async def cancel_timer(self, timer_id: str) -> bool:
        return await self._timers.remove(timer_id)

    async def remember(self, text: str) -> None:
        await self._memory.remember(text)

    async def remembered(self) -> list[str]:
        return await self._memory.remembered()
