"""Has this node write again what its own fork set aside, once it has caught up with a peer: by then it knows whether an
earlier life of its has done so already. Rare: a disk was put back, or a copy of it ran."""

from __future__ import annotations

import asyncio

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.ids import to_text
from jarvis.node.links.peering import Peering
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Commit, Journal
from jarvis.replica.frontier import node_of

LOOK_EVERY_S = 1.0
"""While something waits to be written again."""

log = structlog.get_logger()


class RewritingTask:
    def __init__(self, journal: Journal, peering: Peering, audit: Audit, node_id: bytes) -> None:
        self._journal = journal
        self._peering = peering
        self._audit = audit
        self._node_id = node_id
        self._forked = asyncio.Event()
        self._forked.set()  # it may have stopped before it had written
        journal.listen(self._committed)

    def _committed(self, commit: Commit) -> None:
        if any(node_of(proof.author) == self._node_id for proof in commit.forks):
            self._forked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._forked.wait()
            self._forked.clear()
            try:
                await self._write_again()
            except JarvisError as error:
                log.warning("what was set aside was not written again", reason=str(error))

    async def _write_again(self) -> None:
        while await self._journal.read(lambda tx, replica: bool(replica.forked_away(tx))):
            while not self._has_caught_up():  # noqa: ASYNC110 - links know nothing of who waits for them
                await asyncio.sleep(LOOK_EVERY_S)
            done = await self._journal.rewrite()
            for author in sorted(done.authors):
                said = self._audit.entry("records.written_again", to_text(author), written=done.written, left=done.left)
                await self._journal.write(said)
            log.warning("written again what a fork had set aside", written=done.written, left=done.left)

    def _has_caught_up(self) -> bool:
        found = [self._peering.progress(peer) for peer in self._peering.connected()]
        return any(progress is not None and progress[0] == 0 for progress in found)
