"""What skills may touch in a private conversation: the home's timers, but not their names, since every room knows
those; and to what the home remembers for all nothing may be added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jarvis.assistant.types import Findings, Heard, Home, TimerInfo
from jarvis.core.errors import NotAllowed

MAX_NAMES = 100
"""As many timers as a node runs."""


class PrivateSkills:
    """The same as `home` but for what is here. Names of timers are known here until the node ends."""

    def __init__(self, home: Home) -> None:
        self._home: Any = home
        self._names: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._home, name)

    async def set_timer(self, seconds: int, name: str) -> TimerInfo:
        return self._call(await self._home.set_timer(seconds, ""), name)

    async def set_alarm(self, at: datetime, name: str, every: Sequence[str] = ()) -> TimerInfo:
        return self._call(await self._home.set_alarm(at, "", every), name)

    async def add_time(self, timer_id: str, seconds: int) -> TimerInfo:
        return self.called(await self._home.add_time(timer_id, seconds))

    async def pause_timer(self, timer_id: str, paused: bool) -> TimerInfo:
        return self.called(await self._home.pause_timer(timer_id, paused))

    async def list_timers(self) -> list[TimerInfo]:
        return [self.called(timer) for timer in await self._home.list_timers()]

    async def remember(self, text: str) -> None:
        raise NotAllowed("What I remember is known in every room, and this conversation stays here.")

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        """Nobody else is asked."""
        return await self._home.look_up(question, source, here=True)  # type: ignore[no-any-return]

    async def heard(self, room: str, most: int) -> Heard:
        """What was said in private on this node is told to who is in private here."""
        return await self._home.heard(room, most, private=True)  # type: ignore[no-any-return]

    async def add_to_list(self, name: str, items: Sequence[str]) -> None:
        raise NotAllowed("Lists are known in every room, and this conversation stays here.")

    def _call(self, timer: TimerInfo, name: str) -> TimerInfo:
        while len(self._names) >= MAX_NAMES:
            del self._names[next(iter(self._names))]
        self._names[timer.timer_id] = name
        return self.called(timer)

    def called(self, timer: TimerInfo) -> TimerInfo:
        """With the name that only this node knows, if it has one."""
        return replace(timer, name=self._names.get(timer.timer_id) or timer.name)
