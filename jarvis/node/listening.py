"""Keeps the node's microphone open: one that vanishes is waited for, and the node answers by text meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from jarvis.core.errors import JarvisError
from jarvis.node.status import State

RETRY_S = 5.0

log = structlog.get_logger()


class Listening:
    """`listen` hears and answers until the source ends; None on a node without sound."""

    def __init__(self, listen: Callable[[], Awaitable[None]] | None) -> None:
        self._listen = listen
        self._problem = ""

    async def run(self) -> None:
        while self._listen is not None:
            try:
                await self._listen()
                return
            except JarvisError as error:
                if self._problem != str(error):
                    log.warning("audio failed", reason=str(error), fix=error.fix)
                self._problem = str(error)
                if not error.retry:
                    return
            await asyncio.sleep(RETRY_S)

    def state(self) -> State:
        if self._listen is None:
            return {"state": "off", "detail": "this node has no microphone"}
        return {"state": "failed" if self._problem else "ok", "detail": self._problem or "listening"}
