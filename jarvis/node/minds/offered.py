"""Engines that plugins offer, taken into care as long as the plugin is on, and asked before the node's own of their
kind. What becomes of one that fails is the supervisor's matter, as with any other engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from jarvis.engines.engine import Engine
from jarvis.engines.worker import Worker
from jarvis.node.minds.engines import Engines
from jarvis.plugins.kinds import EngineOffer

log = structlog.get_logger()


class OfferedEngines:
    """`offers` gives those of now, `follow` takes whom to call when they are others."""

    def __init__(
        self,
        engines: Engines,
        offers: Callable[[], list[EngineOffer]],
        follow: Callable[[Callable[[], None]], None],
    ) -> None:
        self._engines, self._offers = engines, offers
        self._taken: dict[str, tuple[EngineOffer, Engine]] = {}
        self._changed = asyncio.Event()
        self._changed.set()
        follow(self._changed.set)

    def of_kind(self, kind: str) -> Sequence[Engine]:
        """Those to ask first."""
        return [engine for offer, engine in self._taken.values() if offer.kind == kind]

    async def run(self) -> None:
        """Take and let go, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            now = self._offers()
            for name, (offer, _) in list(self._taken.items()):
                if offer not in now:
                    del self._taken[name]
                    await self._engines.remove(name)
            for offer in now:
                if offer.name not in self._taken:
                    self._take(offer)

    def _take(self, offer: EngineOffer) -> None:
        try:
            engine = self._engines.add(offer.name, offer.kind, Worker(offer.name, offer.target, dict(offer.settings)))
        except ValueError:
            log.warning("a plugin's engine has the name of another one", engine=offer.name)
            return
        self._taken[offer.name] = (offer, engine)
