"""What counts, stated anew after a removal or a fork became known: records beyond their author's bound are set aside,
and with them every record that names something beyond a bound or, in its own document, something set aside, whoever
wrote it. (Not across documents: what is erased names nothing any more, so it would matter whether the bound or the
deletion came first.) Where what an author writes must go on from what it wrote before (`Kind.fits`), that is asked
anew too, of what counts now.

A pass over all records in their order of arrival, in which whatever a record names stands before it; rare, and the same
on every node."""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidBytes
from jarvis.crdt.registry import kind_of
from jarvis.identity.record import VERSION, decode_header, decode_record, operations_of
from jarvis.replica.bases import absorb, begin
from jarvis.replica.bounds import Bounds
from jarvis.replica.holdings import Floor, Key
from jarvis.replica.validity import judge
from jarvis.store.protocol import APPLIED, ASIDE, REJECTED, StoredRecord, Transaction


def restate(tx: Transaction, bounds: Bounds, floor: Floor) -> set[str]:
    """Give every record the status that these bounds mean. What lies at or below the floor stays as it was found when
    the floor was taken. Returns the documents that changed, whose checkpoints are dropped already."""
    aside: dict[str, set[Key]] = {}
    """By document."""
    for key, document in floor.aside.items():
        aside.setdefault(document, set()).add(key)
    changed: set[str] = set()
    fitting = _Fitting(tx, floor)
    for record in tx.records_in_order(0):
        fits = fitting.is_asked(record)
        if record.seq <= floor.seq(record.author):
            if fits and record.status == APPLIED:  # not deleted yet: later edits go on from it
                fitting.takes(record)
            continue
        if record.status not in (APPLIED, ASIDE) and not fits:
            continue
        status = APPLIED
        # What it names may never have been held here: a record beyond a bound is refused where the bound came first.
        names, leaning = names_of(record), aside.setdefault(record.document, set())
        counts = all(bounds.counts(*one) for one in (*names, (record.author, record.seq)))
        if not counts or not leaning.isdisjoint(names):
            status = ASIDE
            leaning.add((record.author, record.seq))
        elif fits and not fitting.takes(record):
            status = REJECTED
        if status != record.status:
            tx.set_status(record.author, record.seq, status)
            changed.add(record.document)
    for document in changed:
        tx.drop_checkpoint(document)
    return changed


class _Fitting:
    """The documents whose kinds ask that edits go on from each other, as they grow with what counts now."""

    def __init__(self, tx: Transaction, floor: Floor) -> None:
        self._tx = tx
        self._floor = floor
        self._states: dict[str, Any] = {}

    def is_asked(self, record: StoredRecord) -> bool:
        """Whether it is of such a document, and valid but for that."""
        kind = kind_of(record.document)
        if kind is None or kind.shares or record.payload is None:
            return False
        if record.status != REJECTED:
            return record.status in (APPLIED, ASIDE)
        before = self._tx.record(record.author, record.seq - 1)
        stamp = decode_header(before.header).hlc if before else self._floor.stamps.get(record.author, -1)
        return judge(decode_record(record.header, record.signature, record.payload), stamp).status == APPLIED

    def takes(self, record: StoredRecord) -> bool:
        """Whether it goes on from what stands; it stands then too."""
        kind, name = kind_of(record.document), record.document
        assert kind is not None and record.payload is not None  # as it was asked
        if name not in self._states:
            self._states[name] = begin(self._tx, name, kind)[0]
        operations = tuple(operations_of(record.payload))
        try:
            kind.fits(self._states[name], operations, record.author, name)
        except InvalidBytes:
            return False
        absorb(kind, self._states[name], operations, (record.author, record.seq), decode_header(record.header).hlc)
        return True


def names_of(record: StoredRecord) -> set[Key]:
    """The records that a valid record names."""
    kind = kind_of(record.document)
    if kind is None or record.payload is None or decode_header(record.header).version != VERSION:
        return set()
    operations = operations_of(record.payload)
    return {(dot.author, dot.seq) for operation in operations for dot in kind.names(operation)}
