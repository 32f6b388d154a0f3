"""How much this node's store may hold (`store.max_bytes`). Over it the node says so and takes in nothing more, instead
of filling the disk: links stay, and it catches up once there is room. What makes room is written all the same, or
nothing ever could: deletions, settings and membership, some hundred bytes each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from jarvis.core.errors import JarvisError, StoreFull
from jarvis.store.protocol import Transaction

MAX_BYTES = "store.max_bytes"
RECORD_BYTES = 64 * 1024
"""What the next record of our own may take. A checkpoint that falls due with it may take more."""
LOOK_EVERY_S = 5.0
"""How soon a new limit, or new room, is noticed where nobody writes."""

log = structlog.get_logger()


class Budget:
    """Without a limit until it is told one."""

    def __init__(self) -> None:
        self.limit_bytes = 0
        """0 for none."""
        self.problem = ""
        """Why nothing is taken in; empty while there is room."""

    def check(self, tx: Transaction, more_bytes: int = RECORD_BYTES) -> None:
        """Raises StoreFull when so much more would pass the limit."""
        problem = self._problem(tx, more_bytes)
        if problem:
            raise StoreFull(problem, fix=FIX)

    def look(self, tx: Transaction) -> str:
        """The problem there is now."""
        self.problem = self._problem(tx, RECORD_BYTES)
        return self.problem

    def _problem(self, tx: Transaction, more_bytes: int) -> str:
        if not self.limit_bytes:
            return ""
        used_bytes = tx.used_bytes()
        if used_bytes + more_bytes <= self.limit_bytes:
            return ""
        return f"The store is full: it holds {_mib(used_bytes)} of at most {_mib(self.limit_bytes)} MiB."

    async def run(
        self,
        read: Callable[[Callable[[Transaction], str]], Awaitable[str]],
        value: Callable[[str], Awaitable[str]],
        pause: Callable[[bool], None],
    ) -> None:
        """Follow the limit and the room there is, until cancelled. `pause` is told whether peers are to be asked for
        nothing."""
        while True:
            try:
                text = await value(MAX_BYTES)
                self.limit_bytes = int(text) if text.isascii() and text.isdigit() else 0
                before, problem = self.problem, await read(self.look)
            except JarvisError as error:
                log.warning("the size of the store is not known", reason=str(error))
            else:
                pause(bool(problem))
                if bool(problem) != bool(before):
                    log.warning("store.full", reason=problem) if problem else log.info("store.has_room")
            await asyncio.sleep(LOOK_EVERY_S)


FIX = (
    "Delete conversations with `jarvis session delete`, run `jarvis home compact` on the owner's node, "
    "or allow more with `jarvis config set store.max_bytes BYTES`."
)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f}"
