"""The in-memory twin: a store for tests and simulations that keeps every promise of the protocol except surviving its
process. It undoes exactly as the disk does, runs without threads or clocks, and must never grow a convenience that
SQLCipher lacks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from jarvis.core.errors import StoreFailed
from jarvis.store.library import Library, MemoryLibrary
from jarvis.store.protocol import APPLIED, ERASED, Checkpoint, Head, StoredRecord, Transaction

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


@dataclass
class _Tables:
    """What the store holds, and how to take back what the work under way changed."""

    chains: dict[bytes, list[StoredRecord]] = field(default_factory=dict)
    """Author -> records in order of sequence."""
    documents: dict[str, list[StoredRecord]] = field(default_factory=dict)
    """Document -> applied records in order of position; never an empty list."""
    heads: dict[bytes, Head] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    bases: dict[str, bytes] = field(default_factory=dict)
    membership: tuple[tuple[bytes, bytes], ...] = ()
    values: dict[str, bytes] = field(default_factory=dict)
    position: int = 0

    def copy(self) -> _Tables:
        return _Tables(
            {author: list(chain) for author, chain in self.chains.items()},
            {name: list(records) for name, records in self.documents.items()},
            dict(self.heads),
            dict(self.checkpoints),
            dict(self.bases),
            self.membership,
            dict(self.values),
            self.position,
        )


def _sequence(record: StoredRecord) -> int:
    return record.seq


def _position(record: StoredRecord) -> int:
    return record.position


class _Shelf:
    """The library, made when it is first asked for: most homes of a simulation have none."""

    def __init__(self, library: MemoryLibrary | None = None) -> None:
        self._library = library
        self._before: int | None = None
        """Its changes when the work that uses it began to; None when none does."""

    def open(self) -> Library:
        if self._library is None:
            self._library = MemoryLibrary()
        if self._before is None:
            self._library.start()
            self._before = self._library.changes
        return self._library

    @property
    def wrote(self) -> bool:
        return self._library is not None and self._before is not None and self._library.changes != self._before

    def end(self, *, keep: bool) -> None:
        if self._library is not None and self._before is not None:
            self._before = None
            self._library.end(keep=keep)

    def copy(self) -> _Shelf:
        return _Shelf(self._library.copy() if self._library is not None else None)


class _MemoryTransaction:
    """A `Transaction` over `_Tables`; `undo` holds, newest last, one step back for each change."""

    def __init__(self, tables: _Tables, shelf: _Shelf) -> None:
        self._tables = tables
        self._shelf = shelf
        self.undo: list[Callable[[], object]] = []

    def take_back(self) -> None:
        self._shelf.end(keep=False)
        while self.undo:
            self.undo.pop()()

    @property
    def wrote(self) -> bool:
        return bool(self.undo) or self._shelf.wrote

    @property
    def library(self) -> Library:
        return self._shelf.open()

    def put_record(self, record: StoredRecord) -> int:
        if self.record(record.author, record.seq) is not None:
            raise StoreFailed(f"The record {record.seq} of this author is already held.")
        tables = self._tables
        before = tables.position
        record = replace(record, position=before + 1)
        tables.position = record.position
        self.undo.append(lambda: setattr(tables, "position", before))
        chain = tables.chains.setdefault(record.author, [])
        insort(chain, record, key=_sequence)
        self.undo.append(lambda: chain.pop(bisect_left(chain, record.seq, key=_sequence)))
        if record.status == APPLIED:
            tables.documents.setdefault(record.document, []).append(record)
            self.undo.append(lambda: self._forget_newest(record.document))
        return record.position

    def _forget_newest(self, document: str) -> None:
        records = self._tables.documents[document]
        records.pop()
        if not records:
            del self._tables.documents[document]

    def record(self, author: bytes, seq: int) -> StoredRecord | None:
        chain = self._tables.chains.get(author, [])
        at = bisect_left(chain, seq, key=_sequence)
        return chain[at] if at < len(chain) and chain[at].seq == seq else None

    def records(self, author: bytes, first: int, last: int, max_bytes: int) -> list[StoredRecord]:
        chain = self._tables.chains.get(author, [])
        found: list[StoredRecord] = []
        size_bytes = 0
        for record in islice(chain, bisect_left(chain, first, key=_sequence), None):
            size_bytes += record.size_bytes
            if record.seq > last or (found and size_bytes > max_bytes):
                break
            found.append(record)
        return found

    def set_status(self, author: bytes, seq: int, status: int) -> None:
        before = self.record(author, seq)
        if before is None or before.status == status:
            return
        self._change(before, replace(before, status=status))

    def erase(self, document: str) -> bool:
        chains = self._tables.chains.values()
        found = [one for chain in chains for one in chain if one.document == document and one.status != ERASED]
        for record in found:
            self._change(record, replace(record, payload=None, status=ERASED))
        held = bool(found) or document in self._tables.bases or document in self._tables.checkpoints
        self.drop_base(document)
        self.drop_checkpoint(document)
        return held

    def _change(self, old: StoredRecord, new: StoredRecord) -> None:
        self._replace(old, new)
        self.undo.append(lambda: self._replace(new, old))

    def _replace(self, old: StoredRecord, new: StoredRecord) -> None:
        chain = self._tables.chains[old.author]
        chain[bisect_left(chain, old.seq, key=_sequence)] = new
        if old.status == APPLIED:
            records = self._tables.documents[old.document]
            records.pop(bisect_left(records, old.position, key=_position))
            if not records:
                del self._tables.documents[old.document]
        if new.status == APPLIED:
            insort(self._tables.documents.setdefault(new.document, []), new, key=_position)

    def delete_records(self, records: Iterable[StoredRecord]) -> int:
        deleted = 0
        for one in records:
            deleted += 1
            record = self.record(one.author, one.seq)
            assert record is not None
            self._take_out(record)
            self.undo.append(lambda record=record: self._put_back(record))  # type: ignore[misc]
        return deleted

    def _take_out(self, record: StoredRecord) -> None:
        chain = self._tables.chains[record.author]
        chain.pop(bisect_left(chain, record.seq, key=_sequence))
        if record.status == APPLIED:
            records = self._tables.documents[record.document]
            records.pop(bisect_left(records, record.position, key=_position))
            if not records:
                del self._tables.documents[record.document]

    def _put_back(self, record: StoredRecord) -> None:
        insort(self._tables.chains[record.author], record, key=_sequence)
        if record.status == APPLIED:
            insort(self._tables.documents.setdefault(record.document, []), record, key=_position)

    def records_in_order(self, after: int) -> Iterator[StoredRecord]:
        chains = self._tables.chains.values()
        found = sorted((record for chain in chains for record in chain if record.position > after), key=_position)
        return iter(found)

    def unapplied(self) -> Iterator[StoredRecord]:
        return (record for record in self.records_in_order(0) if record.status != APPLIED)

    def document_records(self, document: str, after: int) -> Iterator[StoredRecord]:
        records = self._tables.documents.get(document, [])
        return iter(records[bisect_left(records, after + 1, key=_position) :])

    def documents(self, prefix: str = "") -> list[str]:
        names = self._tables.documents.keys() | self._tables.bases.keys()
        return sorted(name for name in names if name.startswith(prefix))

    def heads(self) -> dict[bytes, Head]:
        return dict(self._tables.heads)

    def put_head(self, author: bytes, head: Head) -> None:
        self._set(self._tables.heads, author, head)

    def drop_head(self, author: bytes) -> None:
        self._drop(self._tables.heads, author)

    def checkpoint(self, document: str) -> Checkpoint | None:
        return self._tables.checkpoints.get(document)

    def put_checkpoint(self, document: str, checkpoint: Checkpoint) -> None:
        self._set(self._tables.checkpoints, document, checkpoint)

    def drop_checkpoint(self, document: str) -> None:
        self._drop(self._tables.checkpoints, document)

    def base(self, document: str) -> bytes | None:
        return self._tables.bases.get(document)

    def base_part(self, document: str, offset: int, max_bytes: int) -> bytes:
        return self._tables.bases.get(document, b"")[offset : offset + max_bytes]

    def put_base(self, document: str, state: bytes) -> None:
        self._set(self._tables.bases, document, state)

    def drop_base(self, document: str) -> None:
        self._drop(self._tables.bases, document)

    def membership(self) -> list[tuple[bytes, bytes]]:
        return list(self._tables.membership)

    def put_membership(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        tables, before = self._tables, self._tables.membership
        tables.membership = tuple(entries)
        self.undo.append(lambda: setattr(tables, "membership", before))

    def get(self, key: str) -> bytes | None:
        return self._tables.values.get(key)

    def put(self, key: str, value: bytes) -> None:
        self._set(self._tables.values, key, value)

    def delete(self, key: str) -> None:
        self._drop(self._tables.values, key)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._tables.values if key.startswith(prefix))

    def used_bytes(self) -> int:
        records = sum(record.size_bytes for chain in self._tables.chains.values() for record in chain)
        states = sum(len(one.state) for one in self._tables.checkpoints.values())
        return records + states + sum(map(len, self._tables.bases.values()))

    def record_count(self) -> int:
        return sum(len(chain) for chain in self._tables.chains.values())

    def _drop(self, table: dict[K, V], key: K) -> None:
        if key in table:
            before = table.pop(key)
            self.undo.append(lambda: table.__setitem__(key, before))

    def _set(self, table: dict[K, V], key: K, value: V) -> None:
        if key in table:
            before = table[key]
            self.undo.append(lambda: table.__setitem__(key, before))
        else:
            self.undo.append(lambda: table.pop(key))
        table[key] = value


class MemoryStore:
    """A `Store` that also works without an event loop: `transact` and `view` are `write` and `read` done at once.

    `commit`, when given, is called in the place of the disk's commit: raising from it undoes the work and is how a
    test or a simulation says "disk full" or "crash here". Not for use from more than one thread.
    """

    def __init__(self, *, commit: Callable[[], None] | None = None) -> None:
        self._tables = _Tables()
        self._shelf = _Shelf()
        self._commit = commit
        self._undone: list[Callable[[], None]] = []
        self._closed = False

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and keep what it did; whatever it or the commit raises undoes it and is raised here."""
        transaction = self._begin()
        try:
            result = work(transaction)
            if self._commit is not None:
                self._commit()
        except BaseException:
            self._undo(transaction)
            raise
        self._shelf.end(keep=True)
        return result

    def view(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which only reads. Raises StoreFailed, and undoes, when it wrote."""
        transaction = self._begin()
        try:
            result = work(transaction)
        except BaseException:
            self._end_view(transaction)
            raise
        if self._end_view(transaction):
            raise StoreFailed("A read of the store tried to write.")
        return result

    def _end_view(self, transaction: _MemoryTransaction) -> bool:
        """Whether it wrote, which is undone then."""
        wrote = transaction.wrote
        if wrote:
            self._undo(transaction)
        else:
            self._shelf.end(keep=False)
        return wrote

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return self.transact(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return self.view(work)

    def on_undo(self, callback: Callable[[], None]) -> None:
        self._undone.append(callback)

    async def close(self) -> None:
        self._closed = True

    def copy(self) -> MemoryStore:
        """A second store with the same content: what a clone of the disk, or a backup put back, would hold."""
        twin = MemoryStore(commit=self._commit)
        twin._tables = self._tables.copy()
        twin._shelf = self._shelf.copy()
        return twin

    def _begin(self) -> _MemoryTransaction:
        if self._closed:
            raise StoreFailed("The store is closed.")
        return _MemoryTransaction(self._tables, self._shelf)

    def _undo(self, transaction: _MemoryTransaction) -> None:
        transaction.take_back()
        for callback in self._undone:
            callback()
