"""What a document was at a frontier, as bytes: the base that later records are joined to, equal on every node, which is
how nodes agree on it and how one is brought to another. It never decides which frontier."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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


def state_at(tx: Transaction, document: str, frontier: Mapping[bytes, int]) -> bytes | None:
    """The canonical bytes of a document of a known kind as the applied records up to `frontier` made it; None when
    none of them is its. The base must lie within the frontier."""
    kind = kind_of(document)
    assert kind is not None, document
    state, held = begin(tx, document, kind)
    found = held > 0
    for record in tx.document_records(document, 0):
        if record.seq <= frontier.get(record.author, 0):
            absorb_record(kind, state, record)
            found = True
    return write_state(document, kind, state) if found else None
