"""What a store is, for everything above it. Two forms keep this promise and pass one acceptance suite: SQLCipher on
disk and the in-memory twin. All of a `Transaction` happens in the store's writer thread, one at a time; it becomes
durable whole or not at all. It must never interpret what it keeps: headers, payloads and states are bytes here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from jarvis.store.library import Library

T = TypeVar("T")

APPLIED, REJECTED, UNKNOWN, ASIDE, ERASED = 0, 1, 2, 3, 4
"""A record's status: part of its document; invalid and kept only so that the chain goes on; of a version or kind
that this program does not know, kept and forwarded until it does; set aside by a removal or a fork, kept and shown; of
a deleted document, kept without its payload so that the chain goes on."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    author: bytes
    """32 bytes: node id and incarnation."""
    seq: int
    """From 1, at most 2**63 - 1."""
    hash: bytes
    """32 bytes, of the header."""
    header: bytes
    signature: bytes
    payload: bytes | None
    """None once erased."""
    document: str
    """A name without U+0000 and U+10FFFF."""
    status: int
    position: int = 0
    """The local order of arrival, rising, given by the store when the record is put."""

    @property
    def size_bytes(self) -> int:
        return len(self.header) + len(self.signature) + len(self.payload or b"")


@dataclass(frozen=True, slots=True)
class Head:
    """The last of an author's records held without a gap."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A document's state after every applied record up to `position`."""

    position: int
    state: bytes


class Transaction(Protocol):
    """What a work may do. Valid only while the work runs; nothing of it may be kept."""

    @property
    def library(self) -> Library:
        """This node's own chunks of documents, and the indexes over them."""

    def put_record(self, record: StoredRecord) -> int:
        """Append; returns its position. Raises StoreFailed when the (author, seq) is held already."""

    def record(self, author: bytes, seq: int) -> StoredRecord | None: ...

    def set_status(self, author: bytes, seq: int, status: int) -> None:
        """Of a record that is held. The caller drops the checkpoints of documents that this changes."""

    def erase(self, document: str) -> bool:
        """Take the document's content: its checkpoint, its base, and the payload of each of its records, whatever its
        status, which becomes ERASED. Whether there was any. Once this is committed the bytes are gone from the disk."""

    def delete_records(self, records: Iterable[StoredRecord]) -> int:
        """Records that are held, for ever; no position is given twice. How many they were. The caller sees to what they
        meant."""

    def records_in_order(self, after: int) -> Iterator[StoredRecord]:
        """All records with a position above `after`, of every status, in order of position."""

    def unapplied(self) -> Iterator[StoredRecord]:
        """All records that are not applied, in order of position."""

    def records(self, author: bytes, first: int, last: int, max_bytes: int) -> list[StoredRecord]:
        """Records `first` to `last` inclusive in order, cut before `max_bytes` is passed, at least one if there is.

        Bytes are counted as `StoredRecord.size_bytes`."""

    def document_records(self, document: str, after: int) -> Iterator[StoredRecord]:
        """The document's applied records with a position above `after`, in order of position, as they were when this
        was called: what the same work puts meanwhile is not among them."""

    def documents(self, prefix: str = "") -> list[str]:
        """Names of documents with at least one applied record or a base, sorted."""

    def heads(self) -> dict[bytes, Head]: ...

    def put_head(self, author: bytes, head: Head) -> None:
        """Set, not compare: the caller knows that the head only moves forward."""

    def drop_head(self, author: bytes) -> None:
        """The author has none any more."""

    def checkpoint(self, document: str) -> Checkpoint | None: ...

    def put_checkpoint(self, document: str, checkpoint: Checkpoint) -> None: ...

    def drop_checkpoint(self, document: str) -> None: ...

    def base(self, document: str) -> bytes | None:
        """The document's state before every record that is held, where earlier ones were deleted."""

    def base_part(self, document: str, offset: int, max_bytes: int) -> bytes:
        """A part of the base; empty beyond its end, and where there is none."""

    def put_base(self, document: str, state: bytes) -> None:
        """`state` is not empty. The caller drops the checkpoint if that no longer includes it."""

    def drop_base(self, document: str) -> None: ...

    def membership(self) -> list[tuple[bytes, bytes]]:
        """The chain: (entry, signature) in order."""

    def put_membership(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Replaces the whole chain."""

    def get(self, key: str) -> bytes | None:
        """This node's own values, never replicated: pins, timers, addresses, the clock."""

    def put(self, key: str, value: bytes) -> None: ...

    def delete(self, key: str) -> None:
        """A key that is not there is no error."""

    def keys(self, prefix: str) -> list[str]:
        """Sorted."""

    def record_count(self) -> int: ...

    def used_bytes(self) -> int:
        """What is held takes on the disk, without what was freed; with what this work has written."""


class Store(Protocol):
    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer thread and return its result once it is durable.

        Works run in the order they were given; those queued while a commit is under way share the next one. An
        exception from `work` undoes that work alone and is raised here. Raises StoreFailed when the commit fails
        (disk full, read-only) or the store is closed, Overloaded when the queue is full. A caller that is cancelled
        before its work began takes it back; afterwards the work stands.
        """

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the same thread on what is durable, ahead of writes that wait. Raises StoreFailed when it
        writes, and undoes what it wrote."""

    def on_undo(self, callback: Callable[[], None]) -> None:
        """Call back, in the writer thread, whenever work was undone: caches above must forget what it did."""

    async def close(self) -> None:
        """Finish what is queued, close the files. Calling it again is no error; what comes after raises StoreFailed."""
