"""What the home calls its rooms, things, lists and timers, told to the assistant whenever somebody begins to speak, so
that a recogniser's guess can be held against it. It only reads, beside the turn; nothing of it is kept or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.house.calling import Names
from jarvis.assistant.types import Home
from jarvis.core.errors import JarvisError, Missing
from jarvis.core.events import EventBus
from jarvis.home_assistant.things import House

WHEN = frozenset({"wake", "speech", "turn.committed"})
"""A turn may have changed them, and a client's speech is told to that client alone."""

log = structlog.get_logger()


class HomeNames:
    """`rooms` are the home's."""

    def __init__(self, assistant: Assistant, events: EventBus, home: Home, rooms: Callable[[], Sequence[str]]) -> None:
        self._assistant, self._events, self._home, self._rooms = assistant, events, home, rooms
        self._house: House | None = None

    async def run(self) -> None:
        """Until cancelled."""
        with self._events.subscribe() as told:
            while True:
                await self.refresh()
                while (await told.get()).name not in WHEN:
                    pass

    async def refresh(self) -> None:
        """What cannot be read just now stays as it was known, or is left out."""
        try:
            self._house = await self._home.devices.house()
        except Missing:
            self._house = None
        except JarvisError as error:
            log.debug("the things' names are as they were", error=type(error).__name__)
        try:
            lists, timers = await self._home.lists(), await self._home.list_timers()
        except JarvisError as error:
            log.debug("no names of lists and timers", error=type(error).__name__)
            lists, timers = {}, []
        named = (tuple(self._rooms()), self._house, tuple(lists), tuple(one.name for one in timers))
        self._assistant.know(await asyncio.to_thread(Names, *named))  # a large home has thousands
