"""What lies below the horizon in a backup: the manifest and the documents, as a peer would bring them, and as a peer's
they are checked against the entry that the members signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from jarvis.core.errors import InvalidBytes, Overloaded
from jarvis.node.backups.items import Below
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica
from jarvis.replica.staging import Part
from jarvis.store.protocol import Store, Transaction

PIECE_BYTES = 60 * 1024
"""In one item."""


async def what_lies_below(journal: Journal) -> AsyncIterator[list[Below]]:
    """Nothing where there is no horizon. Raises Overloaded while this node is still taking one."""
    entry = await journal.read(_taken)
    document, offset, size_bytes = "", 0, 0
    while entry:
        parts = await journal.read(_answer(entry, document, offset))
        if not parts:
            break
        yield [piece for part in parts for piece in _pieces(part)]
        last = parts[-1]
        size_bytes += sum(one.total if one.data is None else len(one.data) for one in parts if one.document)
        whole = last.data is None or last.offset + len(last.data) == last.total
        # A name and NUL comes right behind the name.
        document, offset = (last.document + "\0", 0) if whole else (last.document, last.offset + len(last.data or b""))
    if entry:
        await check(journal, entry, size_bytes)


async def check(journal: Journal, entry: bytes, size_bytes: int | None = None) -> None:
    """Raises Overloaded when another horizon was taken meanwhile, so that records may be missing."""

    def look(tx: Transaction, replica: Replica) -> bool:
        manifest = replica.horizons.manifest(tx, replica.floor(tx).root)
        same = replica.floor(tx).entry == entry
        return same and (size_bytes is None or manifest is None or manifest.size_bytes == size_bytes)

    if not await journal.read(look):
        raise Overloaded("The home was compacted meanwhile.", fix="Make the backup again.")


def _taken(tx: Transaction, replica: Replica) -> bytes:
    if not replica.horizons.is_taken(tx):
        raise Overloaded("The home is being compacted.", fix="Make the backup again in a moment.")
    return replica.floor(tx).entry


def _answer(entry: bytes, document: str, offset: int) -> Callable[[Transaction, Replica], list[Part]]:
    return lambda tx, replica: replica.horizons.answer(tx, entry, document, offset)


def _pieces(part: Part) -> Iterable[Below]:
    if part.data is None:
        yield Below(part.document, 0, part.total, None)
        return
    for at in range(0, len(part.data), PIECE_BYTES):
        yield Below(part.document, part.offset + at, part.total, part.data[at : at + PIECE_BYTES])


async def take(store: Store, replica: Replica) -> int:
    """As far as possible with what was staged; how many records were written here in the course of it."""
    own, more = 0, True
    while more:
        following, accepted = await store.write(replica.take_horizon)
        own, more = own + len(accepted.own), following.more
    return own


async def stage(store: Store, replica: Replica, item: Below) -> None:
    """Raises InvalidBytes when it is not what the members signed."""

    def work(tx: Transaction) -> bool:
        horizon = replica.chain(tx).horizon  # a backup holds no branch that lost
        part = Part(item.document, item.offset, item.total, item.data)
        return horizon is not None and replica.horizons.stage(tx, horizon.entry, [part])

    if not await store.write(work):
        raise InvalidBytes("What lies below the horizon in the backup is not what the home's members signed.")
