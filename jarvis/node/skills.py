"""The part of the home that the assistant's skills may touch, as this node offers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from jarvis.assistant.types import Announced, TimerInfo
from jarvis.node.config import Config
from jarvis.node.known_time import KnownTime
from jarvis.node.memory import Memory
from jarvis.node.timers import Timers

VOLUME = "audio.volume"


class HomeSkills:
    """See assistant.types.Home."""

    def __init__(
        self,
        time: KnownTime,
        timers: Timers,
        memory: Memory,
        config: Config,
        announce: Callable[[str, str | None], Awaitable[Announced]],
    ) -> None:
        self._time = time
        self._timers = timers
        self._memory = memory
        self._config = config
        self._announce = announce

    @property
    def clock_is_set(self) -> bool:
        return self._time.wall_ms() is not None

    def now(self) -> datetime:
        return datetime.fromtimestamp((self._time.wall_ms() or 0) / 1000).astimezone()

    async def set_timer(self, seconds: int, name: str) -> TimerInfo:
        return await self._timers.set(seconds, name)

    async def list_timers(self) -> list[TimerInfo]:
        return self._timers.infos()

    async def cancel_timer(self, timer_id: str) -> bool:
        return await self._timers.remove(timer_id)

    async def add_time(self, timer_id: str, seconds: int) -> TimerInfo:
        return await self._timers.add(timer_id, seconds)

    async def pause_timer(self, timer_id: str, paused: bool) -> TimerInfo:
        return await self._timers.pause(timer_id, paused)

    async def set_alarm(self, at: datetime, name: str) -> TimerInfo:
        return await self._timers.set_alarm(at, name)

    async def stop_ringing(self) -> list[TimerInfo]:
        return await self._timers.stop_ringing()

    async def announce(self, text: str, room: str | None) -> Announced:
        return await self._announce(text, room)

    async def volume(self) -> int:
        value = await self._config.value(VOLUME)
        return int(value) if value.isascii() and value.isdigit() else 100  # a file may say anything

    async def set_volume(self, percent: int) -> None:
        await self._config.set(VOLUME, str(percent))

    async def remember(self, text: str) -> None:
        await self._memory.remember(text)

    async def remembered(self) -> list[str]:
        return await self._memory.remembered()
