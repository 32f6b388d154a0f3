"""Giving pieces of a document to those that are to keep a copy of it, and to nobody else, from this node's own or from
a whole copy. It must never hold up what else goes over a link: whoever asks for a long document comes again."""

from __future__ import annotations

import asyncio

import structlog

from jarvis.core.errors import InvalidInput, JarvisError, NotAllowed, NotFound, Overloaded
from jarvis.core.time import Clock
from jarvis.node.begun import Begun
from jarvis.node.library.pieces import (
    PIECE_CHUNKS,
    Blob,
    Chunk,
    Cut,
    leaf,
    read_wanted,
    write_chunks,
    write_given,
)
from jarvis.node.library.shelf import Shelf
from jarvis.node.membership.allowances import Allowances
from jarvis.node.membership.requests import Requests
from jarvis.node.records.journal import Journal
from jarvis.store.protocol import Transaction

TOPIC = "knowledge.piece"
BURST, PER_S = 80.0, 40.0
"""Pieces that a peer may ask for at once, and more each second: twice what a node asks for."""
READY_S = 0.2
"""For reading all of a document before its first piece is given, while the link's records wait."""
MAX_READY = 4
"""Documents of which it is remembered how they are cut: half a MiB each at most."""

log = structlog.get_logger()


class Giving:
    def __init__(self, journal: Journal, shelf: Shelf, requests: Requests, clock: Clock) -> None:
        self._journal, self._shelf = journal, shelf
        self._cuts: dict[str, asyncio.Task[Cut | None]] = {}
        """Of documents that were asked for, the last of them last."""
        self._allowances = Allowances(clock, BURST, PER_S)
        self._begun = Begun()
        self.run = self._begun.run
        """Give until cancelled."""
        requests.serve(TOPIC, self._asked)

    async def _asked(self, peer: bytes, body: bytes) -> bytes:
        wanted = read_wanted(body)
        if not self._allowances.take(peer):
            raise Overloaded("That room gave enough for now.")
        entry = self._shelf.entries.get(wanted.document)
        if entry is None or wanted.document not in self._shelf.held:
            raise NotFound("That document is not here.")
        if peer not in entry.pins:
            raise NotAllowed("That room is not known to keep a copy.")
        cut = await self._cut_of(wanted.document)
        if cut.root != wanted.root:
            raise NotFound("That document has another content here.")
        if wanted.index >= len(cut.leaves):
            raise InvalidInput("That document has fewer pieces.")
        first, count = cut.chunks_of(wanted.index)
        chunks = await self._journal.read(lambda tx, _: tx.library.content(wanted.document, first, count))
        piece = write_chunks(chunks)
        if leaf(piece) != cut.leaves[wanted.index]:
            raise NotFound("That document is being erased.")
        return write_given(piece, cut.proof(wanted.index))

    async def _cut_of(self, document: str) -> Cut:
        """Raises Overloaded while it is still being read."""
        reading = self._cuts.pop(document, None)
        if reading is None:
            reading = self._begun.begin(self._cut(document), "cut")
            if reading is None:
                raise Overloaded("That room has only just begun.")
        self._cuts[document] = reading
        while len(self._cuts) > MAX_READY:
            self._cuts.pop(next(iter(self._cuts)))
        await asyncio.wait({reading}, timeout=READY_S)
        if not reading.done():
            raise Overloaded("That room is getting it ready.")
        cut = reading.result()
        if cut is None:
            self._cuts.pop(document, None)
            raise NotFound("That document cannot be read.")
        return cut

    async def _cut(self, document: str) -> Cut | None:
        """None when it cannot be read: whoever asks is told."""
        try:
            return (await read_all(self._journal, document))[0]
        except JarvisError as error:
            log.warning("a document was not read for its copies", document=document, reason=str(error))
            return None


async def read_all(journal: Journal, document: str) -> tuple[Cut, Blob]:
    """How what lies here is cut, and its name. Raises InvalidBytes when nothing does."""
    cut, first = Cut(), 0

    def some(tx: Transaction, _: object) -> list[Chunk]:
        return tx.library.content(document, first, PIECE_CHUNKS)

    while chunks := await journal.read(some):
        cut.add(chunks)
        first += len(chunks)
    return cut, cut.blob()
