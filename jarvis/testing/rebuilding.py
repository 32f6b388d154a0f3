"""What a home with a horizon must hold, made anew from every record that was ever seen on any disk: a fresh replica
that knows no floor takes them all in, and must come to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping

from jarvis.core.errors import InvalidBytes
from jarvis.identity.record import decode_header, decode_record
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import StoredRecord
from jarvis.testing.machine import Machine

Seen = Mapping[tuple[bytes, int], Mapping[bytes, StoredRecord]]
"""(author, seq) -> hash -> record."""


def rebuilt(machine: Machine, seen: Seen) -> dict[str, bytes]:
    """The digest of each document. Raises InvalidBytes when a record that must have been seen was not."""
    bounds = machine.bounds()
    ground = machine.ground()
    horizon = ground.horizon
    assert horizon is not None
    records = {(one.author, one.seq): one for one in machine.store.view(lambda tx: list(tx.records_in_order(0)))}
    for author, (seq, digest) in ground.reach(horizon.frontier).items():
        for number in range(seq, 0, -1):
            record = seen.get((author, number), {}).get(digest)
            if record is None:
                raise InvalidBytes(f"record {number} of an author below the horizon was never seen")
            records[author, number], digest = record, decode_header(record.header).prev
    replica = Replica(machine.key, entropy=bytes, wall_ms=machine.wall_ms)
    replica._held.settled = lambda tx, author: 0  # type: ignore[method-assign]  # as before any horizon
    store = MemoryStore()
    store.transact(lambda tx: replica.found(tx, bounds.chain))
    for branch in machine.store.view(machine.replica.branches).losing:  # records name their entries
        store.transact(lambda tx, branch=branch: replica.accept_membership(tx, branch.entries))  # type: ignore[misc]
    for proof in bounds.forks.values():
        store.transact(lambda tx, proof=proof: replica.accept_fork(tx, proof))  # type: ignore[misc]
    batch = [decode_record(one.header, one.signature, one.payload) for _, one in sorted(records.items())]
    store.transact(lambda tx: replica.accept(tx, batch))
    return store.view(replica.digests)
