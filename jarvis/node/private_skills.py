"""What skills may touch in a private conversation: the home's timers, but not their names, since every room knows
those; and to what the home remembers for all nothing may be added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jarvis.assistant.types import Home, TimerInfo
from jarvis.core.errors import NotAllowed

MAX_NAMES = 100
"""As many timers as a node runs."""


class PrivateSkills:
    """The same as `home` but for what is here. Names of timers are known until the node ends; a timer rings without."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._names: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._home, name)

    async def set_timer(self, seconds: int, name: str, *more: Any, **others: Any) -> TimerInfo:
        timer = await self._home.set_timer(seconds, "", *more, **others)
        while len(self._names) >= MAX_NAMES:
            del self._names[next(iter(self._names))]
        self._names[timer.timer_id] = name
        return replace(timer, name=name)

    async def list_timers(self) -> list[TimerInfo]:
        timers = await self._home.list_timers()
        return [replace(one, name=self._names.get(one.timer_id) or one.name) for one in timers]

    async def remember(self, text: str) -> None:
        raise NotAllowed("What I remember is known in every room, and this conversation stays here.")
