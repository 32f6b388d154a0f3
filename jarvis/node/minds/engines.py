"""This node's engines: the one list of them, for people who look, for `status`, and for the task that looks after each.
It decides nothing about models; what each engine is, jarvis.building says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.events import EventBus
from jarvis.core.time import Clock
from jarvis.engines.engine import IDLE_S, Engine, Supervised
from jarvis.engines.events import EngineHelped
from jarvis.engines.ranked import Rank, Ranked

RETRY_S = 30.0
"""After the configuration could not be read."""

log = structlog.get_logger()


class Engines:
    """`idle_minutes` gives the configured text; `follow` takes whom to call when it may be another."""

    def __init__(
        self,
        events: EventBus,
        clock: Clock,
        idle_minutes: Callable[[], Awaitable[str]],
        follow: Callable[[Callable[[], None]], None],
    ) -> None:
        self._events, self._clock, self._idle_minutes = events, clock, idle_minutes
        self._changed = asyncio.Event()
        self._changed.set()
        follow(self._changed.set)
        self._engines: dict[str, Engine] = {}
        self._care: asyncio.TaskGroup | None = None
        self._looking_after: dict[str, asyncio.Task[None]] = {}

    def add(self, name: str, kind: str, worker: Supervised) -> Engine:
        """Take an engine into care."""
        if name in self._engines:
            raise ValueError(f"There are two engines called {name}.")
        engine = Engine(name, kind, worker, clock=self._clock, emit=self._events.publish)
        self._engines[name] = engine
        self._look_after(engine)
        self._changed.set()  # it has not been told how long it may idle
        return engine

    async def remove(self, name: str) -> None:
        """End one and forget it."""
        engine, task = self._engines.pop(name), self._looking_after.pop(name, None)
        if task is not None:
            task.cancel()
        await engine.close()

    def ranked(self, kind: str, *ranks: Rank, first: Callable[[], Sequence[Rank]] = tuple) -> Ranked:
        """One that falls back; the event bus is told when it does."""

        def helped(by: str, reason: str) -> None:
            self._events.publish(EngineHelped(at_ms=self._clock.mono_ms(), kind=kind, by=by, reason=reason))

        return Ranked(ranks, helped=helped, first=first)

    async def list(self) -> list[dict[str, Any]]:
        return [engine.status() for engine in self._engines.values()]

    async def restart(self, name: str) -> dict[str, Any]:
        """Its row afterwards. Raises NotFound, or what loading raises."""
        engine = self._engines.get(name)
        if engine is None:
            known = ", ".join(self._engines)
            raise NotFound(f"There is no engine {name!r}.", fix=f"This node has {known}.")
        await engine.restart()
        return engine.status()

    def components(self) -> dict[str, dict[str, str]]:
        """Their part of `status`."""
        return {engine.name: engine.component() for engine in self._engines.values()}

    async def run(self) -> None:
        """Look after all of them until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_settings(), name="engines' settings")
            self._care = group
            for engine in self._engines.values():
                self._look_after(engine)

    def _look_after(self, engine: Engine) -> None:
        if self._care is not None:
            name = f"{engine.name} engine"
            self._looking_after[engine.name] = self._care.create_task(engine.supervise(), name=name)

    async def close(self) -> None:
        await asyncio.gather(*(engine.close() for engine in self._engines.values()))

    async def _follow_settings(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                minutes = await self._idle_minutes()
            except JarvisError as error:
                log.warning("engine.idle_minutes cannot be read", reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._changed.set()
                continue
            idle_s = float(minutes) * 60 if minutes.isdigit() else IDLE_S  # a file may say anything
            for engine in self._engines.values():
                engine.idle_s = idle_s
