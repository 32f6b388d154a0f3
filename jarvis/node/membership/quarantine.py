"""What this node keeps and does not count, with the reason, for the home's people: set aside by a removal or a fork,
not valid, of a newer Jarvis, or waiting for something. It reads; it never lets anything out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.identity.record import SignedRecord, decode_header, decode_record, operations_of
from jarvis.replica.bounds import Bounds
from jarvis.replica.frontier import node_of
from jarvis.replica.replica import Replica
from jarvis.replica.validity import judge
from jarvis.replica.waiting import DELETED, Need
from jarvis.store.protocol import ASIDE, REJECTED, UNKNOWN, StoredRecord, Transaction

MAX_SHOWN = 1_000
"""Records in one answer; a fork is understood from its first few."""
MAX_CONTENT_CHARS = 500
SHOWN_ID = 8


def quarantine(tx: Transaction, replica: Replica) -> list[dict[str, Any]]:
    return list(itertools.islice(_rows(tx, replica), MAX_SHOWN))


def _rows(tx: Transaction, replica: Replica) -> Iterator[dict[str, Any]]:
    bounds = replica.bounds(tx)
    for record in tx.unapplied():
        if record.status in (ASIDE, REJECTED, UNKNOWN):
            yield _row(record, _reason(tx, record, bounds))
    for waiting, need in replica.waits():
        yield _row(waiting, _awaited(need))


def _row(record: StoredRecord | SignedRecord, reason: str) -> dict[str, Any]:
    header = decode_header(record.header) if isinstance(record, StoredRecord) else record.header
    return {
        "author": to_text(header.author),
        "node_id": to_text(node_of(header.author)),
        "seq": header.seq,
        "reason": reason,
        "document": header.document,
        "content": _content(record.payload),
    }


def _awaited(need: Need) -> str:
    name, seq = need
    if seq == DELETED:
        return "it waits to hear that its document was deleted"
    if seq == 0:
        return "it waits for a membership entry that is not known here"
    return f"it waits for record {seq} of {to_text(node_of(name))[:SHOWN_ID]}"


def _reason(tx: Transaction, record: StoredRecord, bounds: Bounds) -> str:
    if record.status == REJECTED:
        return f"it is not valid: {_fault(tx, record)}"
    if record.status == UNKNOWN:
        return "it is of a kind that only a newer Jarvis knows"
    if not bounds.counts(record.author, record.seq):
        return bounds.reason(record.author)
    return "it names a record that was set aside"


def _fault(tx: Transaction, record: StoredRecord) -> str:
    """What `judge` found, found again: reasons are not stored. What it does not find was found by its kind, which looks
    at what its author had written there before."""
    before = tx.record(record.author, record.seq - 1)
    previous_hlc = -1 if before is None else decode_header(before.header).hlc
    verdict = judge(decode_record(record.header, record.signature, record.payload), previous_hlc)
    return verdict.reason or "it does not go on from what its author wrote there before"


def _content(payload: bytes | None) -> str:
    """The operations as text, for the eyes of the home's people; "" when they cannot be read."""
    if payload is None:
        return ""
    try:
        operations = operations_of(payload)
    except InvalidBytes:
        return ""
    return ", ".join(map(_readable, operations))[:MAX_CONTENT_CHARS]


def _readable(value: Value) -> str:
    """Names of nodes and turns are bytes, and shown by their beginning."""
    if isinstance(value, bytes):
        return to_text(value)[:SHOWN_ID]
    if isinstance(value, list):
        return f"[{', '.join(map(_readable, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_readable(key)}: {_readable(one)}' for key, one in value.items())}}}"
    return str(value)
