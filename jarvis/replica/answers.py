"""What is sent to a peer that asks: an author's records in order, and before those that were erased the records that
deleted what they were part of."""

from __future__ import annotations

from jarvis.replica.erasure import Erasure
from jarvis.store.protocol import ERASED, StoredRecord, Transaction


def answer(
    tx: Transaction,
    erasure: Erasure,
    author: bytes,
    first: int,
    last: int,
    *,
    max_records: int,
    max_bytes: int,
) -> list[StoredRecord]:
    """Cut before `max_records` and `max_bytes`, both with what stands before them counted; at least one record of the
    author if there is one."""
    answered: list[StoredRecord] = []
    proven: set[str] = set()
    size_bytes = 0
    for record in tx.records(author, first, last, max_bytes):
        part = [*proofs(tx, erasure, record, proven), record]
        size_bytes += sum(one.size_bytes for one in part)
        if answered and (len(answered) + len(part) > max_records or size_bytes > max_bytes):
            break
        answered += part
    return answered


def proofs(tx: Transaction, erasure: Erasure, record: StoredRecord, proven: set[str]) -> list[StoredRecord]:
    """What must be known before an erased record is believed, unless its document is among the `proven`, to which it is
    added. Nothing where the deletion is not held any more: it lies below the horizon, with what it erased."""
    if record.status != ERASED or record.document in proven:
        return []
    proven.add(record.document)
    deletion = erasure.deletion(tx, record.document)
    return [] if deletion is None else [deletion]
