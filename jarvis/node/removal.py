"""Taking a node out of the home, and showing what was set aside because of that, or because an author forked. Only the
owner's node can sign a removal; what counts of the removed node is decided here, once, for everybody."""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidBytes, NotAllowed
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.entries import Cutoff
from jarvis.identity.membership import Chain
from jarvis.identity.record import operations_of
from jarvis.node.audit import Audit
from jarvis.node.journal import Journal
from jarvis.node.members import Members
from jarvis.node.ownership import owner_key
from jarvis.node.peering import Peering
from jarvis.replica.bounds import Bounds
from jarvis.replica.frontier import node_of
from jarvis.replica.replica import Replica
from jarvis.store.protocol import ASIDE, REJECTED, UNKNOWN, Head, StoredRecord, Transaction

MAX_SHOWN = 1_000
"""Records in one answer; a fork is understood from its first few."""


class Removal:
    def __init__(self, journal: Journal, members: Members, peering: Peering, audit: Audit, clock: Clock) -> None:
        self._journal = journal
        self._members = members
        self._peering = peering
        self._audit = audit
        self._clock = clock

    async def remove(self, wanted: str) -> dict[str, Any]:
        """Take a node out for good. Of its authors counts what any reachable member holds. Raises NotFound, and
        NotAllowed where the owner key is not, or when it is the owner's own node."""
        node_id = await self._members.find(wanted)
        name = self._members.name_of(node_id)
        key = await self._journal.read(lambda tx, replica: owner_key(tx, replica.chain(tx)))
        if key is None:
            owner = self._members.name_of(self._members.chain.owner_node)
            raise NotAllowed("Only the owner's node can remove a node.", fix=f"Run `jarvis node remove` on {owner}.")
        held = await self._journal.read(lambda tx, replica: dict(replica.heads(tx)))
        cutoffs = _cutoffs(node_id, held, self._peering.claimed(node_id))
        at_ms = self._clock.wall_ms()

        def shrink(chain: Chain) -> Chain:
            return chain.remove(key, node_id, cutoffs, at_ms=at_ms)

        entry = self._audit.entry("node.removed", to_text(node_id), actor="owner")
        await self._journal.grow_membership(shrink, entry)
        return {"node_id": to_text(node_id), "name": name, "removed": True}

    async def quarantine(self) -> list[dict[str, Any]]:
        """What is kept and does not count, with the reason: set aside, rejected, or of a newer Jarvis."""
        return await self._journal.read(_quarantine)


def _cutoffs(node_id: bytes, *frontiers: dict[bytes, Head]) -> dict[bytes, Cutoff]:
    """Of each author of the node the highest head in these."""
    cutoffs: dict[bytes, Cutoff] = {}
    for frontier in frontiers:
        for author, head in frontier.items():
            if node_of(author) == node_id and (author not in cutoffs or head.seq > cutoffs[author].seq):
                cutoffs[author] = Cutoff(head.seq, head.hash)
    return cutoffs


def _quarantine(tx: Transaction, replica: Replica) -> list[dict[str, Any]]:
    bounds = replica.bounds(tx)
    rows: list[dict[str, Any]] = []
    for record in tx.records_in_order(0):
        if record.status in (ASIDE, REJECTED, UNKNOWN) and len(rows) < MAX_SHOWN:
            rows.append(
                {
                    "author": to_text(record.author),
                    "node_id": to_text(node_of(record.author)),
                    "seq": record.seq,
                    "reason": _reason(record, bounds),
                    "document": record.document,
                    "content": _content(record),
                }
            )
    return rows


def _reason(record: StoredRecord, bounds: Bounds) -> str:
    if record.status == REJECTED:
        return "it is not valid"
    if record.status == UNKNOWN:
        return "it is of a kind that only a newer Jarvis knows"
    if not bounds.counts(record.author, record.seq):
        return bounds.reason(record.author)
    return "it names a record that was set aside"


def _content(record: StoredRecord) -> str:
    """The operations as text, for the eyes of the home's people; "" when they cannot be read."""
    if record.payload is None:
        return ""
    try:
        return repr(operations_of(record.payload))[:500]
    except InvalidBytes:
        return ""
