"""What this node keeps and does not count, with the reason, for the home's people: set aside by a removal or a fork,
not valid, or of a newer Jarvis. It reads; it never lets anything out."""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.identity.record import decode_header, decode_record, operations_of
from jarvis.replica.bounds import Bounds
from jarvis.replica.frontier import node_of
from jarvis.replica.replica import Replica
from jarvis.replica.validity import judge
from jarvis.store.protocol import ASIDE, REJECTED, UNKNOWN, StoredRecord, Transaction

MAX_SHOWN = 1_000
"""Records in one answer; a fork is understood from its first few."""


def quarantine(tx: Transaction, replica: Replica) -> list[dict[str, Any]]:
    bounds = replica.bounds(tx)
    rows: list[dict[str, Any]] = []
    for record in tx.records_in_order(0):
        if record.status in (ASIDE, REJECTED, UNKNOWN) and len(rows) < MAX_SHOWN:
            rows.append(
                {
                    "author": to_text(record.author),
                    "node_id": to_text(node_of(record.author)),
                    "seq": record.seq,
                    "reason": _reason(tx, record, bounds),
                    "document": record.document,
                    "content": _content(record),
                }
            )
    return rows


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


def _content(record: StoredRecord) -> str:
    """The operations as text, for the eyes of the home's people; "" when they cannot be read."""
    if record.payload is None:
        return ""
    try:
        return repr(operations_of(record.payload))[:500]
    except InvalidBytes:
        return ""
