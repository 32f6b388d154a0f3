"""Making a backup, and a node from one. A backup holds what every member of the home holds anyway - records and the
membership chain - and of this node its pins, and the owner key when the home's owner is here. It never holds a node's
key: what is restored is a new node with a new author. Neither way keeps more than some chunks in memory.

What follows for the home: docs/backup.md, docs/decisions/0010-restoring-hands-the-home-over.md.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidBytes, InvalidInput, Overloaded
from jarvis.core.ids import to_text
from jarvis.core.time import Clock, SystemClock
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof, read_proof
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.identity.sealed import (
    ENTROPY_BYTES,
    HEADER_BYTES,
    Opener,
    how_to_open,
    sealed_to_recovery_key,
    sealed_with_passphrase,
)
from jarvis.node.backups.below import check, stage, take, what_lies_below
from jarvis.node.backups.items import About, Below, End, Entry, Fork, Item, Items, OwnValue, Proof, Record, encode
from jarvis.node.config import PINS
from jarvis.node.directory import DataDirectory
from jarvis.node.membership.founding import GUEST, name_writes
from jarvis.node.membership.members import Members
from jarvis.node.membership.ownership import OWNER_KEY, owner_key
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.privacy import HOME, ROOM, SHARE
from jarvis.node.texts import check_name
from jarvis.replica.replica import Replica
from jarvis.store.files import cannot_use
from jarvis.store.protocol import Store, StoredRecord, Transaction

READ_BYTES = 128 * 1024
"""Of records in one look at the store, which waits meanwhile: some milliseconds on a small board."""
BATCH_BYTES = 1024 * 1024
"""Of records in one commit while restoring."""
FILE_BYTES = 256 * 1024
MAX_VALUES = 10_000
"""Pins and one key; a person sets some ten."""

Progress = Callable[[int, int], None]
"""Done, and of how many."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of a backup that is being made."""

    data: bytes
    records: int
    """Done so far."""
    of: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    chain: Chain
    values: dict[str, bytes]
    forks: list[bytes]
    records: int
    """The first so many in the order of their arrival: what comes later comes behind them."""


class Backups:
    """Makes backups of the home as this node holds it, one at a time, also while the node goes on working. `audit` is
    None where the node does not run: it then writes nothing."""

    def __init__(self, journal: Journal, members: Members, node_id: bytes, clock: Clock, audit: Audit | None) -> None:
        self._journal = journal
        self._members = members
        self._node_id = node_id
        self._clock = clock
        self._audit = audit
        self._making = False

    async def make(self, passphrase: str | None) -> AsyncGenerator[dict[str, Any], None]:
        """Rows of `data` (base64), `records` done, and `of` how many; the last one says `done`. Sealed to a passphrase
        or, without one, to the recovery key. Raises Overloaded while another is being made, InvalidInput for a
        passphrase that is too short."""
        if self._making:
            raise Overloaded("Another backup is being made.", fix="Wait until it is done.")
        self._making = True
        try:
            if self._audit is not None and self._node_id in self._members.chain.members:
                await self._journal.write(self._audit.entry("backup.created", "", actor="user"))
            made = create(self._journal, self._members, self._node_id, passphrase=passphrase, clock=self._clock)
            piece = Piece(b"", 0, 0)
            async with aclosing(made) as pieces:
                async for piece in pieces:
                    row = {"data": b64encode(piece.data).decode("ascii"), "records": piece.records, "of": piece.of}
                    yield {**row, "done": False}
            yield {"data": "", "records": piece.records, "of": piece.records, "done": True}
        finally:
            self._making = False


async def create(
    journal: Journal, members: Members, node_id: bytes, *, passphrase: str | None, clock: Clock
) -> AsyncGenerator[Piece, None]:
    """The bytes of a backup. Raises InvalidInput for a passphrase that is too short."""
    await members.refresh()
    found = await journal.read(_snapshot)
    entropy = os.urandom(ENTROPY_BYTES)
    if passphrase is None:
        sealer = sealed_to_recovery_key(found.chain.recovery, entropy)
    else:
        sealer = await asyncio.to_thread(sealed_with_passphrase, passphrase, entropy)
    names = (members.name_of(node_id), members.room_of(node_id), members.home_name)
    begin: list[Item] = [About(node_id, *names, found.records, clock.wall_ms())]
    begin += [Entry(data, signature) for data, signature in found.chain.entries]
    begin += [OwnValue(key, value) for key, value in found.values.items()]
    begin += [Fork(proof) for proof in found.forks]
    yield Piece(sealer.header + sealer.feed(b"".join(map(encode, begin))), 0, found.records)
    floor = await journal.read(lambda tx, replica: replica.floor(tx).entry)
    async for below in what_lies_below(journal):
        yield Piece(sealer.feed(b"".join(map(encode, below))), 0, found.records)
    position = done = 0
    proven: set[str] = set()
    while records := await journal.read(_records(position, found.records - done)):
        position, done = records[-1].position, done + len(records)
        proofs = await journal.read(_proofs(records, proven))
        items: list[Item] = []
        for one in records:
            items += [
                Proof(proof.header, proof.signature, proof.payload or b"") for proof in proofs.get(one.position, ())
            ]
            items.append(Record(one.header, one.signature, one.payload))
        yield Piece(sealer.feed(b"".join(map(encode, items))), done, found.records)
    await check(journal, floor)
    yield Piece(sealer.feed(encode(End(done))) + sealer.finish(), done, found.records)


def _snapshot(tx: Transaction, replica: Replica) -> _Snapshot:
    chain = replica.chain(tx)
    values = {key: tx.get(key) or b"" for key in tx.keys(PINS)}
    key = owner_key(tx, chain)
    if key is not None:
        values[OWNER_KEY] = key.seed
    forks = [proof.to_bytes() for proof in replica.bounds(tx).forks.values()]
    return _Snapshot(chain, values, forks, tx.record_count())


def _proofs(
    records: list[StoredRecord], proven: set[str]
) -> Callable[[Transaction, Replica], dict[int, list[StoredRecord]]]:
    return lambda tx, replica: replica.deletions(tx, records, proven)


def _records(after: int, most: int) -> Callable[[Transaction, Replica], list[StoredRecord]]:
    """The next records behind a position, up to `most` and about READ_BYTES."""

    def look(tx: Transaction, _: Replica) -> list[StoredRecord]:
        found: list[StoredRecord] = []
        size_bytes = 0
        for record in islice(tx.records_in_order(after), most):
            if size_bytes >= READ_BYTES:
                break
            found.append(record)
            size_bytes += record.size_bytes
        return found

    return look


# --- restoring ----------------------------------------------------------------------------------------------------


def read_header(path: Path) -> bytes:
    """The first bytes of a backup, from which its opener is made. Raises InvalidInput when there is no such file,
    InvalidBytes when it is no backup, StoreFailed when it cannot be read."""
    with _opened(path) as file:
        header = file.read(HEADER_BYTES)
    how_to_open(header)
    return header


async def restore(
    data_dir: Path,
    path: Path,
    opener: Opener,
    *,
    name: str | None = None,
    room: str | None = None,
    progress: Progress = lambda done, of: None,
) -> dict[str, Any]:
    """A new node in an empty directory, with all that the backup holds; `opener` was made from its header.

    Raises BadConfiguration when the directory holds a node or a newer program made the backup, InvalidBytes for a
    file that is damaged or no backup, StoreFailed when the disk refuses. The directory is then as empty as before."""
    name = check_name(name, "name") if name else None
    room = check_name(room, "room") if room else None
    with _opened(path) as file:
        directory = DataDirectory(data_dir)
        with directory.founding():
            key = SigningKey(os.urandom(SEED_BYTES))
            store = await directory.open_store()
            try:
                result = await _Restoring(store, key, name, room).run(_items(file, opener, progress))
            finally:
                await store.close()
            directory.create_identity(key)
    return {"file": str(path), "bytes": path.stat().st_size, **result}


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}.", fix="Check where the backup lies.") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path} is a directory.", fix="Name the backup's file.") from None
    except OSError as error:
        raise cannot_use(path, error) from None


def _items(file: BinaryIO, opener: Opener, progress: Progress) -> Iterator[Item]:
    """What the file holds. Nothing of a chunk is given out before the chunk was verified."""
    items = Items()
    size = file.seek(0, os.SEEK_END)
    file.seek(HEADER_BYTES)
    while piece := file.read(FILE_BYTES):
        yield from items.feed(opener.feed(piece))
        progress(file.tell(), size)
    yield from items.feed(opener.finish())
    items.finish()


class _Restoring:
    """Fills an empty store from a backup's items, in their order."""

    def __init__(self, store: Store, key: SigningKey, name: str | None, room: str | None) -> None:
        clock = SystemClock()
        self._store, self._key, self._clock = store, key, clock
        self._name, self._room = name, room
        self._replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        self._entries: list[RawEntry] = []
        self._values: dict[str, bytes] = {}
        self._forks: list[ForkProof] = []
        self._batch: list[SignedRecord] = []
        self._batch_bytes = 0
        self._own = 0
        """Records that were written here in the course of it."""
        self._founded = False
        self._below = False
        """Whether something below the horizon has come that was not taken."""

    async def run(self, items: Iterator[Item]) -> dict[str, Any]:
        about = next(items)
        assert isinstance(about, About)  # which Items sees to
        self._name, self._room = self._name or about.name, self._room or about.room
        records = 0
        for item in items:
            match item:
                case Entry():
                    self._entries.append((item.data, item.signature))
                case OwnValue() if len(self._values) < MAX_VALUES:
                    self._values[item.key] = item.value
                case Fork():
                    self._forks.append(read_proof(item.proof))
                case Record():
                    await self._record(item)
                    records += 1
                case Proof():
                    await self._record(item)
                case Below():
                    await self._begin()
                    await stage(self._store, self._replica, item)
                    self._below = True
                case End() if item.records != records:
                    raise InvalidBytes("The backup does not hold what it says.")
        chain = await self._begin()
        await self._accept()
        await self._store.write(self._prove_forks)
        self._own += await take(self._store, self._replica)
        held = await self._store.read(lambda tx: tx.record_count()) - self._own
        if self._key.node_id in chain.members:
            await self._tell(chain)
        await self._store.write(lambda tx: self._stay_private(tx, about.node_id))
        return {
            "records": held,
            "left_out": records - held,
            "node_id": to_text(self._key.node_id),
            "name": self._name,
            "room": self._room,
            "home_id": to_text(chain.home_id),
            "home_name": about.home_name,
            "member": self._key.node_id in chain.members,
        }

    async def _begin(self) -> Chain:
        """Found the store with the backup's chain, once it has all come: before the first record."""
        if self._founded:
            return await self._store.read(self._replica.chain)
        chain = Chain.verify(self._entries)
        local = {key: value for key, value in self._values.items() if key.startswith(PINS)}
        seed = self._values.get(OWNER_KEY, b"")
        if len(seed) == SEED_BYTES and SigningKey(seed).public == chain.owner:
            owner, new, now = SigningKey(seed), SigningKey(os.urandom(SEED_BYTES)), self._clock.wall_ms()
            chain = chain.admit(owner, make_certificate(self._key), at_ms=now)
            chain = chain.hand_over(owner, new.public, self._key.node_id, at_ms=now)
            local[OWNER_KEY] = new.seed
        else:
            local[GUEST] = pack([self._name, self._room])

        def begin(tx: Transaction) -> Chain:
            self._replica.found(tx, chain)
            for name, value in local.items():
                tx.put(name, value)
            return chain

        self._founded = True
        return await self._store.write(begin)

    async def _record(self, item: Record | Proof) -> None:
        try:
            record = decode_record(item.header, item.signature, item.payload)
        except InvalidBytes:
            return  # counted as left out
        self._batch.append(record)
        self._batch_bytes += record.size_bytes
        if self._batch_bytes >= BATCH_BYTES and isinstance(item, Record):  # a proof goes with what it proves
            await self._begin()
            await self._accept()

    async def _accept(self) -> None:
        """On the same path as a peer's records: nothing is believed because it stood in a file."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if self._below:
            self._own += await take(self._store, self._replica)
            self._below = False
        if batch:
            accepted = await self._store.write(lambda tx: self._replica.accept(tx, batch))
            self._own += len(accepted.own)

    def _stay_private(self, tx: Transaction, before: bytes) -> None:
        """What the node before kept to itself is not shared because the new one has another id."""
        write = self._replica.state(tx, CONFIG).get(f"node/{to_text(before)}/{SHARE}")
        if write is not None and write.value != HOME and tx.get(PINS + SHARE) is None:
            tx.put(PINS + SHARE, pack(write.value if isinstance(write.value, str) else ROOM))

    def _prove_forks(self, tx: Transaction) -> None:
        """At last: what they set aside must be held first."""
        for proof in self._forks:
            self._replica.accept_fork(tx, proof)

    async def _tell(self, chain: Chain) -> None:
        journal = Journal(self._store, self._replica)
        said = Audit(journal, self._clock).entry("home.restored", to_text(chain.home_id), actor="user")
        assert self._name is not None and self._room is not None
        await journal.write(name_writes(self._key.node_id, self._name, self._room), said)
