"""Apologies as sound, made while the voice works and kept in memory: when it has failed, it cannot say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.events import EventBus
from jarvis.engines.events import EngineReady

log = structlog.get_logger()


class Apologies:
    """`prepare` makes sound of texts, at leisure."""

    def __init__(
        self, events: EventBus, prepare: Callable[[Sequence[str]], Awaitable[None]], texts: Sequence[str]
    ) -> None:
        self._events, self._prepare, self._texts = events, prepare, texts

    async def run(self) -> None:
        """Make them once, when the voice is first there, or is back after it failed at them."""
        with self._events.subscribe() as told:
            while True:
                event = await told.get()
                if isinstance(event, EngineReady) and event.kind == "tts" and await self._made():
                    return

    async def _made(self) -> bool:
        try:
            await self._prepare(self._texts)
        except JarvisError as error:
            log.debug("apologies were not prepared", reason=str(error))
            return False
        log.info("apologies are ready")
        return True
