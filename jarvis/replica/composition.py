"""Own writes of one transaction on their way into records. Writes to the same document share one record, each with its
own dot: one signature, one header, one row for many. Each sees the ones before it.

What a record holds may change nothing about what counts: a write joins another's record only where it would be set
aside exactly when that one is. So the writes of a record name nothing outside it, or all of them lean on its first
one. Writes made in one call keep their order along the author's chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jarvis.core.codec import Value, pack
from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed, NotFound
from jarvis.crdt.dots import Dot
from jarvis.crdt.kind import Kind
from jarvis.crdt.registry import AUDIT_PREFIX, kind_of
from jarvis.identity.keys import SigningKey
from jarvis.identity.record import NONCE_BYTES, SignedRecord, write_record
from jarvis.replica.acceptance import Acceptance
from jarvis.replica.accepted import Accepted
from jarvis.replica.authorship import Authorship
from jarvis.replica.documents import Documents
from jarvis.replica.erasure import Erasure, deleted_by
from jarvis.replica.holdings import Holdings
from jarvis.store.protocol import APPLIED, Transaction

MAX_OPERATIONS = 256
"""In a record that writes share: beyond it a header and a signature weigh next to nothing each."""
MAX_SHARED_BYTES = 48 * 1024
"""Of their payload: what is asked for again, or erased, comes in pieces of some size."""
_LIST_BYTES = 3
"""Before the operations: how many there are."""


class Place(NamedTuple):
    """Where a write came to stand: its first operation has the dot (author, seq, op)."""

    seq: int
    op: int


@dataclass(slots=True)
class _Open:
    """A record that is not signed yet."""

    author: bytes
    seq: int
    document: str
    kind: Kind[Any]
    hlc: int
    leans: bool
    """Its first write names something outside it."""
    operations: list[Value] = field(default_factory=list)
    size_bytes: int = NONCE_BYTES + _LIST_BYTES

    def takes(self, count: int, size_bytes: int, names: set[Dot]) -> bool:
        """Whether one more write joins it."""
        inside = sum(dot.author == self.author and dot.seq == self.seq for dot in names)
        alike = inside == len(names) and (inside > 0 or not self.leans)
        room = len(self.operations) + count <= MAX_OPERATIONS and self.size_bytes + size_bytes <= MAX_SHARED_BYTES
        return self.kind.shares and alike and room


class Composition:
    """Of one transaction. An error changes nothing where `extent` stays as it was; else that transaction must be
    undone."""

    def __init__(
        self,
        tx: Transaction,
        key: SigningKey,
        *,
        held: Holdings,
        documents: Documents,
        authorship: Authorship,
        acceptance: Acceptance,
        erasure: Erasure,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._tx = tx
        self._key = key
        self._held = held
        self._documents = documents
        self._authorship = authorship
        self._acceptance = acceptance
        self._erasure = erasure
        self._entropy = entropy
        self._author = b""
        self._begun: list[_Open] = []
        self._open: dict[str, _Open] = {}
        self._records: dict[int, SignedRecord] = {}
        self._accepted = Accepted()
        self.extent = 0
        """Operations taken so far."""

    def add(self, document: str, make: Callable[[Any], list[Value]], after: int = 0) -> Place | None:
        """Write what `make` makes of the document's state, into record `after` or a later one; None when that is
        nothing. Raises InvalidInput when it is not the document's, NotFound when that was deleted, NotAllowed when
        the home has not admitted this node, and what `make` raises."""
        kind = kind_of(document)
        if kind is None:
            raise InvalidInput(f"There is no document called {document!r}.")
        if self._erasure.is_deleted(self._tx, document):
            if document.startswith(AUDIT_PREFIX):
                return None  # of a month that the home no longer keeps; whoever wrote it has a clock that is far off
            raise NotFound("That session was deleted.", fix="Begin another one.")
        state = self._documents.state(self._tx, document)
        operations = make(state)
        if not operations:
            return None
        try:
            names, size_bytes = _measured(kind, operations)
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        if deleted_by(document, operations):
            self._sign_all()  # what was written before it to what it deletes
        record = self._open.get(document)
        if record is None or record.seq < after or not record.takes(len(operations), size_bytes, names):
            record = self._begin(document, kind, leans=bool(names))
        place = Place(record.seq, len(record.operations))
        record.operations += operations
        record.size_bytes += size_bytes
        self.extent += len(operations)
        if kind.shares:
            # For the next writes to see. The record joins them again when it is accepted, which changes nothing.
            for op, operation in enumerate(operations, place.op):
                kind.absorb(state, kind.delta(operation, Dot(record.author, record.seq, op), record.hlc))
        else:
            self._sign_all()
        return place

    def finish(self) -> tuple[dict[int, SignedRecord], Accepted]:
        """The records by their numbers, signed and accepted. Raises InvalidInput when one cannot be written."""
        self._sign_all()
        return self._records, self._accepted

    def _begin(self, document: str, kind: Kind[Any], *, leans: bool) -> _Open:
        if self._key.node_id not in self._held.chain(self._tx).members:
            raise NotAllowed(
                "This node is no member of its home, so it can read and not write.",
                fix="Run `jarvis node invite` on a member, then stop this node and run `jarvis node join CODE`.",
            )
        self._author = self._author or self._authorship.writing_author(self._tx)
        seq = self._held.head(self._tx, self._author).seq + len(self._begun) + 1
        above = self._begun[-1].hlc if self._begun else self._held.stamp(self._tx, self._author)
        record = _Open(self._author, seq, document, kind, self._held.tick(above), leans)
        self._begun.append(record)
        self._open[document] = record
        return record

    def _sign_all(self) -> None:
        begun, self._begun, self._open = self._begun, [], {}
        for one in begun:
            self._records[one.seq] = self._sign(one)
        if begun:
            self._held.save_clock(self._tx)

    def _sign(self, one: _Open) -> SignedRecord:
        chain, head = self._held.chain(self._tx), self._held.head(self._tx, one.author)
        try:
            record = write_record(
                self._key,
                home_id=chain.home_id,
                document=one.document,
                author=one.author,
                seq=one.seq,
                prev=head.hash,
                entry=chain.head_id,
                hlc=one.hlc,
                kind=one.kind.code,
                operations=one.operations,
                nonce=self._entropy(NONCE_BYTES),
            )
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        self._acceptance.accept_all(self._tx, [record], self._accepted)
        status = next((kept.status for kept in reversed(self._accepted.records) if kept.hash == record.hash), None)
        if status is None:
            raise InvalidInput("That entry names something that is not held here.")
        if status != APPLIED:
            raise InvalidInput("That entry is nested too deeply, or holds too much.")
        return record


def _measured(kind: Kind[Any], operations: Iterable[Value]) -> tuple[set[Dot], int]:
    """What the operations name, and their bytes. Raises InvalidBytes when one is not the kind's."""
    names: set[Dot] = set()
    size_bytes = 0
    for operation in operations:
        kind.check(operation)
        names.update(kind.names(operation))
        size_bytes += len(pack(operation))
    return names, size_bytes
