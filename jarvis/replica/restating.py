"""What counts, stated anew after a removal or a fork became known: records beyond their author's bound are set aside,
and with them every record that names something beyond a bound or, in its own document, something set aside, whoever
wrote it. (Not across documents: what is erased names nothing any more, so it would matter whether the bound or the
deletion came first.) Where what an author writes must go on from what it wrote before (`Kind.fits`), that is asked
anew too, of what counts now.

A pass over all records in their order of arrival, in which whatever a record names stands before it; rare, and the same
on every node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import attrgetter

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.registry import kind_of
from jarvis.identity.record import VERSION, decode_header, decode_record, operations_of
from jarvis.replica.bases import absorb, begin
from jarvis.replica.bounds import Bounds
from jarvis.replica.holdings import Floor, Key
from jarvis.replica.validity import judge
from jarvis.store.protocol import APPLIED, ASIDE, REJECTED, StoredRecord, Transaction


def restate(tx: Transaction, bounds: Bounds, floor: Floor, risen: Sequence[StoredRecord] = ()) -> set[str]:
    """Give every record the status that these bounds mean. What lies at or below the floor stays as it was found when
    the floor was taken; what has `risen` was taken out, to be accepted again, and others may stand on it. Returns the
    documents that changed, whose checkpoints are dropped already."""
    anew = _Restatement(tx, bounds, floor, {(one.author, one.seq) for one in risen})
    asked: dict[str, list[StoredRecord]] = {}
    for record in merge(tx.records_in_order(0), risen, key=attrgetter("position")):
        if anew.is_asked(record):
            asked.setdefault(record.document, []).append(record)
        elif record.status in (APPLIED, ASIDE) and record.seq > floor.seq(record.author):
            anew.state(record)
    for document, records in asked.items():
        _fit_anew(anew, document, records)
    for document in anew.changed:
        tx.drop_checkpoint(document)
    return anew.changed


class _Restatement:
    def __init__(self, tx: Transaction, bounds: Bounds, floor: Floor, out: set[Key]) -> None:
        self.tx = tx
        self.floor = floor
        self.changed: set[str] = set()
        self._bounds = bounds
        self._out = out
        self._aside: dict[str, set[Key]] = {}
        """By document."""
        for key, document in floor.aside.items():
            self._aside.setdefault(document, set()).add(key)

    def state(self, record: StoredRecord, fits: Callable[[], bool] = lambda: True) -> None:
        """Whatever it names and is held was stated before it."""
        key, status = (record.author, record.seq), APPLIED
        # What it names may never have been held here: a record beyond a bound is refused where the bound came first.
        names, aside = names_of(record), self._aside.setdefault(record.document, set())
        if not all(self._bounds.counts(*one) for one in (*names, key)) or not aside.isdisjoint(names):
            status = ASIDE
            aside.add(key)
        elif not fits():
            status = REJECTED
        if status != record.status and key not in self._out:
            self.tx.set_status(*key, status)
            self.changed.add(record.document)

    def is_asked(self, record: StoredRecord) -> bool:
        """Whether it must go on from what its author wrote before, and is valid but for that."""
        kind = kind_of(record.document)
        if kind is None or kind.shares or record.payload is None:
            return False
        if record.status != REJECTED:
            return record.status in (APPLIED, ASIDE)
        before = self.tx.record(record.author, record.seq - 1)
        stamp = decode_header(before.header).hlc if before else self.floor.stamps.get(record.author, -1)
        return judge(decode_record(record.header, record.signature, record.payload), stamp).status == APPLIED


def _fit_anew(anew: _Restatement, document: str, records: list[StoredRecord]) -> None:
    """One document whose edits go on from each other, as it grows with what counts now."""
    kind = kind_of(document)
    assert kind is not None  # as it was asked
    document_state = begin(anew.tx, document, kind)[0]
    for record in _behind_what_they_name(records):
        operations, hlc = tuple(operations_of(record.payload or b"")), decode_header(record.header).hlc

        def takes(record: StoredRecord = record, operations: tuple[Value, ...] = operations, hlc: int = hlc) -> bool:
            try:
                kind.fits(document_state, operations, record.author, document)
            except InvalidBytes:
                return False
            absorb(kind, document_state, operations, (record.author, record.seq), hlc)
            return True

        if record.seq > anew.floor.seq(record.author):
            anew.state(record, takes)
        elif record.status == APPLIED:  # below a horizon and not deleted yet: later edits go on from it
            takes()


def _behind_what_they_name(records: list[StoredRecord]) -> Iterator[StoredRecord]:
    """In order of arrival, but that what was taken out once and accepted again stands before what names it or follows
    it in its author's chain."""
    before: dict[Key, set[Key]] = {}
    last: dict[bytes, Key] = {}
    for record in sorted(records, key=attrgetter("seq")):
        key = (record.author, record.seq)
        before[key] = names_of(record) | ({last[record.author]} if record.author in last else set())
        last[record.author] = key
    left = records
    while left:
        held_back = []
        for record in left:
            key = (record.author, record.seq)
            if any(one in before and one != key for one in before[key]):
                held_back.append(record)
            else:
                del before[key]
                yield record
        if len(held_back) == len(left):
            # A record that waits is not held, so nothing held names in a circle; and should it, it costs no more
            # than these.
            yield from sorted(left, key=attrgetter("author", "seq"))
            return
        left = held_back


def names_of(record: StoredRecord) -> set[Key]:
    """The records that a valid record names."""
    kind = kind_of(record.document)
    if kind is None or record.payload is None or decode_header(record.header).version != VERSION:
        return set()
    operations = operations_of(record.payload)
    return {(dot.author, dot.seq) for operation in operations for dot in kind.names(operation)}
