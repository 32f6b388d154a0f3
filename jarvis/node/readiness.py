"""What should be there before it is needed: apologies as sound, made while the voice works, because when it has failed
it is too late; and models whose memory was given back, loaded again while whoever said the wake word still speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.events import EventBus
from jarvis.engines.engine import Engine
from jarvis.engines.events import EngineReady

WAKE = "wake"

log = structlog.get_logger()


class Readiness:
    """`engines` are loaded at a wake word; `prepare` makes sound of texts, at leisure."""

    def __init__(
        self,
        events: EventBus,
        engines: Sequence[Engine],
        prepare: Callable[[Sequence[str]], Awaitable[None]],
        texts: Sequence[str],
    ) -> None:
        self._events, self._engines, self._prepare, self._texts = events, engines, prepare, texts
        self._preparing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            with self._events.subscribe() as told:
                while True:
                    event = await told.get()
                    if event.name == WAKE:
                        for engine in self._engines:
                            if engine.state == "stopped":
                                group.create_task(_load(engine), name=f"{engine.name} engine for a wake word")
                    elif isinstance(event, EngineReady) and event.kind == "tts" and self._preparing is None:
                        self._preparing = group.create_task(self._make(), name="apologies")

    async def _make(self) -> None:
        try:
            await self._prepare(self._texts)
            log.info("apologies are ready")
        except JarvisError as error:
            log.debug("apologies were not prepared", reason=str(error))
            self._preparing = None  # again when the voice is back


async def _load(engine: Engine) -> None:
    try:
        await engine.start()
    except JarvisError as error:
        log.debug("not loaded for a wake word", engine=engine.name, reason=str(error))
