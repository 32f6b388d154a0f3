"""The part of the home that the assistant's skills may touch, as this node offers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jarvis.assistant.types import Announced, Condition, Findings, Heard, RoomInfo, TimerInfo
from jarvis.home_assistant.things import Devices
from jarvis.node.config import Config
from jarvis.node.kept.lists import Lists
from jarvis.node.kept.memory import Memory
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.timers import Timers

VOLUME = "audio.volume"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around this node's own things."""

    announce: Callable[[str, str | None], Awaitable[Announced]]
    nodes: Callable[[], Awaitable[list[dict[str, Any]]]]
    """As `Node.nodes` gives them."""
    status: Callable[[], Awaitable[dict[str, Any]]]
    """As `Node.status` gives it."""
    look_up: Callable[[str, str, bool], Awaitable[Findings]]
    """As `look_up` below."""
    heard: Callable[[str, int, bool], Awaitable[Heard]]
    """As `heard` below, and whether what was said in private here counts."""


class HomeSkills:
    """See assistant.types.Home."""

    def __init__(
        self,
        time: KnownTime,
        timers: Timers,
        memory: Memory,
        lists: Lists,
        config: Config,
        around: Surroundings,
        devices: Devices,
    ) -> None:
        self.devices = devices
        self._time = time
        self._timers = timers
        self._memory = memory
        self._config = config
        self._lists = lists
        self._around = around

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

    async def set_alarm(self, at: datetime, name: str, every: Sequence[str] = ()) -> TimerInfo:
        return await self._timers.set_alarm(at, name, every)

    async def stop_ringing(self) -> list[TimerInfo]:
        return await self._timers.stop_ringing()

    async def announce(self, text: str, room: str | None) -> Announced:
        return await self._around.announce(text, room)

    async def volume(self) -> int:
        value = await self._config.value(VOLUME)
        return int(value) if value.isascii() and value.isdigit() else 100  # a file may say anything

    async def set_volume(self, percent: int) -> None:
        await self._config.set(VOLUME, str(percent))

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        return await self._around.look_up(question, source, here)

    async def remember(self, text: str) -> None:
        await self._memory.remember(text)

    async def remembered(self) -> list[str]:
        return await self._memory.remembered()

    async def forget(self, texts: Sequence[str]) -> int:
        return await self._memory.forget(texts)

    async def lists(self) -> dict[str, list[str]]:
        return await self._lists.all()

    async def on_list(self, name: str) -> list[str]:
        return await self._lists.items(name)

    async def add_to_list(self, name: str, items: Sequence[str]) -> None:
        await self._lists.add(name, items)

    async def take_off_list(self, name: str, items: Sequence[str]) -> list[str]:
        return await self._lists.take_off(name, items)

    async def rooms(self) -> list[RoomInfo]:
        online: dict[str, bool] = {}
        for one in await self._around.nodes():
            online[one["room"]] = online.get(one["room"], False) or one["online"]
        return [RoomInfo(name, online[name]) for name in sorted(online)]

    async def heard(self, room: str, most: int, *, private: bool = False) -> Heard:
        return await self._around.heard(room, most, private)

    async def condition(self) -> Condition:
        status = await self._around.status()
        parts = status["components"].items()
        bad = [(name, part) for name, part in parts if part["state"] in ("degraded", "failed")]
        told = [f"{name.capitalize()}, {part['state']}: {part['detail'].rstrip('.')}." for name, part in bad]
        return Condition(status["node"]["version"], told)
