"""Whether what is said in this node's room may leave the node: one answer for everything that would carry it, be it a
record, a partial transcript, a claim, or audio for a peer's engine. What is not known counts as no."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from jarvis.core.errors import JarvisError

SHARE = "session.share"
HOME, ROOM = "home", "room"
RETRY_S = 5.0

log = structlog.get_logger()


class Privacy:
    """`value` reads a key of the configuration; `follow` takes whom to call when one may have changed; `private_in`
    says whether a room's open conversation is private."""

    def __init__(
        self,
        value: Callable[[str], Awaitable[str]],
        follow: Callable[[Callable[[], None]], None],
        private_in: Callable[[str], bool],
    ) -> None:
        self._value = value
        self._private_in = private_in
        self._changed = asyncio.Event()
        self._changed.set()
        self._shared = False
        self._kept = 0
        self.room = ""
        """This node's, as far as it is known."""
        follow(self._doubt)

    async def shared(self) -> bool:
        """Whether this node shares with its home what is said to it, as it is set now."""
        return await self._value(SHARE) == HOME  # a file or the environment may say anything

    def closed(self) -> bool:
        """Whether nothing that is said here now may leave the node: `session.share` is not `home`, or this room's open
        conversation is private, or a client's is. At once, for those who cannot wait."""
        return bool(self._kept) or not self._shared or self._private_in(self.room)

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Something private is said as long as this lasts."""
        self._kept += 1
        try:
            yield
        finally:
            self._kept -= 1

    async def run(self) -> None:
        """Know the setting, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                room, shared = await self._value("node.room"), await self.shared()
            except JarvisError as error:
                log.warning("whether this room shares is not known", reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._changed.set()
                continue
            if not self._changed.is_set():  # else it may be out of date again
                self.room, self._shared = room, shared

    def _doubt(self) -> None:
        self._shared = False
        self._changed.set()
