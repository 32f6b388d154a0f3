"""What counts, stated anew after a removal or a fork became known: records beyond their author's bound are set aside,
and with them every record that names something beyond a bound or, in its own document, something set aside, whoever
wrote it. (Not across documents: what is erased names nothing any more, so it would matter whether the bound or the
deletion came first.) A pass over all records in their order of
arrival, in which whatever a record names stands before it; rare, and the same on every node."""

from __future__ import annotations

from jarvis.crdt.registry import kind_of
from jarvis.identity.record import VERSION, decode_header, operations_of
from jarvis.replica.bounds import Bounds
from jarvis.replica.holdings import Floor, Key
from jarvis.store.protocol import APPLIED, ASIDE, StoredRecord, Transaction


def restate(tx: Transaction, bounds: Bounds, floor: Floor) -> set[str]:
    """Give every record the status that these bounds mean. What lies at or below the floor stays as it was found when
    the floor was taken. Returns the documents that changed, whose checkpoints are dropped already."""
    aside: dict[str, set[Key]] = {}
    """By document."""
    for key, document in floor.aside.items():
        aside.setdefault(document, set()).add(key)
    changed: set[str] = set()
    for record in tx.records_in_order(0):
        if record.status not in (APPLIED, ASIDE) or record.seq <= floor.seq(record.author):
            continue
        status = APPLIED
        # What it names may never have been held here: a record beyond a bound is refused where the bound came first.
        names, leaning = names_of(record), aside.setdefault(record.document, set())
        counts = all(bounds.counts(*one) for one in (*names, (record.author, record.seq)))
        if not counts or not leaning.isdisjoint(names):
            status = ASIDE
            leaning.add((record.author, record.seq))
        if status != record.status:
            tx.set_status(record.author, record.seq, status)
            changed.add(record.document)
    for document in changed:
        tx.drop_checkpoint(document)
    return changed


def names_of(record: StoredRecord) -> set[Key]:
    """The records that a valid record names."""
    kind = kind_of(record.document)
    if kind is None or record.payload is None or decode_header(record.header).version != VERSION:
        return set()
    operations = operations_of(record.payload)
    return {(dot.author, dot.seq) for operation in operations for dot in kind.names(operation)}
