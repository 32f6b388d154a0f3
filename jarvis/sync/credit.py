"""How many records may be on their way to whoever takes them in: the receiver says, the sender keeps to it, for what it
pushes and what it was asked for alike. Totals since the link began, so that hearing one twice changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jarvis.identity.record import SignedRecord

CREDIT_RECORDS = 512
CREDIT_BYTES = 1024 * 1024
"""Sent and not yet taken in. With the first of the two used up nothing more is sent; the last frame may go beyond."""


@dataclass(frozen=True, slots=True)
class Credit:
    """How many records, and bytes of them, the receiver may have sent since the link began."""

    count: int
    size_bytes: int


@dataclass(slots=True)
class Outgoing:
    """What was sent to a peer, and up to where it allows that."""

    records: int = 0
    size_bytes: int = 0
    allowed_records: int = CREDIT_RECORDS
    allowed_bytes: int = CREDIT_BYTES

    @property
    def is_left(self) -> bool:
        return self.records < self.allowed_records and self.size_bytes < self.allowed_bytes

    def sent(self, record: SignedRecord) -> None:
        self.records += 1
        self.size_bytes += record.size_bytes

    def allowed(self, credit: Credit) -> None:
        self.allowed_records = max(self.allowed_records, credit.count)
        self.allowed_bytes = max(self.allowed_bytes, credit.size_bytes)


@dataclass(slots=True)
class Incoming:
    """What was taken in from a peer, and up to where it was last told that it may send."""

    records: int = 0
    size_bytes: int = 0
    told_records: int = CREDIT_RECORDS
    told_bytes: int = CREDIT_BYTES

    def took(self, records: Sequence[SignedRecord]) -> Credit | None:
        """What to tell the peer, once half of its credit is free again."""
        self.records += len(records)
        self.size_bytes += sum(record.size_bytes for record in records)
        more_records = self.records + CREDIT_RECORDS - self.told_records
        more_bytes = self.size_bytes + CREDIT_BYTES - self.told_bytes
        if 2 * more_records < CREDIT_RECORDS and 2 * more_bytes < CREDIT_BYTES:
            return None
        self.told_records += more_records
        self.told_bytes += more_bytes
        return Credit(self.told_records, self.told_bytes)
