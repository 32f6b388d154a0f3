"""What a document was at a frontier, as bytes: the base that later records are joined to, equal on every node, which is
how nodes agree on it and how one is brought to another. It never decides which frontier."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.crdt.dots import Dot
from jarvis.crdt.kind import Kind
from jarvis.crdt.registry import kind_of
from jarvis.identity.record import decode_header, operations_of
from jarvis.store.protocol import StoredRecord, Transaction

DIGEST_TAG = b"jarvis document v1\x00"
OWN_LIMITS = Limits(size_bytes=2**31, depth=16, items=2**31)
"""For states from our own encrypted store, which are our own bytes or were verified by their digest."""


def write_state(document: str, kind: Kind[Any], state: Any) -> bytes:
    """The canonical bytes of a document: equal states, equal bytes."""
    return pack([document, kind.code, kind.encode(state)])


def digest_of(data: bytes) -> bytes:
    """Of the canonical bytes of a document."""
    return hashlib.sha256(DIGEST_TAG + data).digest()


def read_state(kind: Kind[Any], data: bytes) -> Any:
    """From the canonical bytes; raises whatever damaged ones cause."""
    return kind.decode(unpack(data, OWN_LIMITS)[2])


def begin(tx: Transaction, document: str, kind: Kind[Any]) -> tuple[Any, int]:
    """The state that the document's records are joined to, and how many bytes it was read from."""
    base = tx.base(document)
    return (kind.empty(), 0) if base is None else (read_state(kind, base), len(base))


def absorb(kind: Kind[Any], state: Any, operations: tuple[Value, ...], dot: tuple[bytes, int], hlc: int) -> None:
    """Join a record's operations into a state."""
    for index, operation in enumerate(operations):
        kind.absorb(state, kind.delta(operation, Dot(*dot, index), hlc))


def absorb_record(kind: Kind[Any], state: Any, record: StoredRecord) -> tuple[int, int]:
    """Join an applied record. How many operations, in how many bytes; none once its payload is erased."""
    if record.payload is None:
        return 0, 0
    operations = tuple(operations_of(record.payload))
    absorb(kind, state, operations, (record.author, record.seq), decode_header(record.header).hlc)
    return len(operations), len(record.payload)


class Adding:
    """Adds up a document of a known kind as the applied records up to `frontier` made it, some records at a time. The
    base must lie within the frontier, and what is held up to there may not change meanwhile."""

    def __init__(self, tx: Transaction, document: str, frontier: Mapping[bytes, int]) -> None:
        kind = kind_of(document)
        assert kind is not None, document
        self.document = document
        self._kind = kind
        self._frontier = frontier
        self._state, size_bytes = begin(tx, document, kind)
        self._found = size_bytes > 0
        self._position = 0

    def step(self, tx: Transaction, most: int) -> int:
        """Look at so many more; how many there were, fewer than `most` at the end."""
        count = 0
        for record in islice(tx.document_records(self.document, self._position), most):
            count, self._position = count + 1, record.position
            if record.seq <= self._frontier.get(record.author, 0):
                absorb_record(self._kind, self._state, record)
                self._found = True
        return count

    def data(self) -> bytes | None:
        """The canonical bytes; None when there was nothing up to there."""
        return write_state(self.document, self._kind, self._state) if self._found else None


def state_at(tx: Transaction, document: str, frontier: Mapping[bytes, int]) -> bytes | None:
    """All of it at once."""
    adding = Adding(tx, document, frontier)
    adding.step(tx, sys.maxsize)
    return adding.data()
