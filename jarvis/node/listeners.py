"""Tells plugins what happens. Each listener has its own queue and its own task: a slow one loses the oldest, and
neither others nor the node wait for it. Words that stay in their room are told to none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.events import Event, EventBus
from jarvis.core.time import Clock
from jarvis.node.texts import iso_time
from jarvis.plugins.catalogue import BY_ORIGIN, EVENTS
from jarvis.plugins.kinds import Listener

QUEUE_EVENTS = 256
"""Of one listener: some twenty turns, which take minutes to be spoken."""

log = structlog.get_logger()


class _Told:
    """One listener, what it is still to be told, and the task that tells it."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.queue: asyncio.Queue[tuple[str, Mapping[str, Any]]] = asyncio.Queue(QUEUE_EVENTS)
        self.task: asyncio.Task[None] | None = None

    def put(self, name: str, fields: Mapping[str, Any]) -> None:
        if self.queue.full():
            self.queue.get_nowait()
            log.debug("a plugin's listener lost an event", listener=self.listener.name)
        self.queue.put_nowait((name, fields))

    async def run(self) -> None:
        while True:
            name, fields = await self.queue.get()
            try:
                await self.listener.told(name, fields)
            except JarvisError as error:  # whatever else it raises its guard has made one of these
                log.debug("a plugin's listener failed", listener=self.listener.name, error=type(error).__name__)


class Listeners:
    """`listening` gives the listeners of now; `closed` says whether what is said now stays in its room."""

    def __init__(
        self,
        events: EventBus,
        clock: Clock,
        listening: Callable[[], list[Listener]],
        follow: Callable[[Callable[[], None]], None],
        closed: Callable[[], bool],
    ) -> None:
        self._events, self._clock, self._listening, self._closed = events, clock, listening, closed
        self._told: list[_Told] = []
        follow(self._changed)

    async def run(self) -> None:
        """Until cancelled."""
        with self._events.subscribe() as happened:
            async with asyncio.TaskGroup() as group:
                self._changed()
                async for event in happened:
                    self._tell(event, group)

    def _changed(self) -> None:
        """Who is gone is told nothing more, not even what waits."""
        now = self._listening()
        for told in self._told:
            if told.listener not in now and told.task is not None:
                told.task.cancel()
        known = {id(told.listener): told for told in self._told}
        self._told = [known.get(id(listener)) or _Told(listener) for listener in now]

    def _tell(self, event: Event, group: asyncio.TaskGroup) -> None:
        name = BY_ORIGIN.get(event.name)
        if name is None or (EVENTS[name].words and self._closed()):
            return
        fields = {field: getattr(event, field) for field in EVENTS[name].fields}
        fields |= {"at": iso_time(self._clock.wall_ms()), "turn": event.turn}
        for told in self._told:
            if name in told.listener.events:
                told.put(name, fields)
                if told.task is None:
                    told.task = group.create_task(told.run(), name=f"listener {told.listener.name}")
