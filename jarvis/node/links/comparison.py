"""What people see of replication: who is connected, who is behind, and whether equal records gave equal bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from jarvis.assistant.language.spending import Spent
from jarvis.core.errors import InvalidInput
from jarvis.core.ids import to_text
from jarvis.node.links import metrics
from jarvis.node.links.peering import Peering
from jarvis.node.links.tracing import Traced
from jarvis.node.membership.members import Members
from jarvis.node.records.journal import Journal


class Comparison:
    """`spent` is what each provider of language models cost."""

    def __init__(
        self, journal: Journal, members: Members, peering: Peering, node_id: bytes, spent: Mapping[str, Spent]
    ) -> None:
        self._journal = journal
        self._spent = spent
        self._members = members
        self._peering = peering
        self._node_id = node_id

    async def status(self) -> dict[str, Any]:
        await self._members.refresh()
        connected = self._peering.connected()
        peers = []
        for node_id in self._members.chain.members:
            if node_id == self._node_id:
                continue
            behind, ahead = self._peering.progress(node_id) or (None, None)
            peers.append(
                {
                    "node_id": to_text(node_id),
                    "name": self._members.name_of(node_id),
                    "connected": node_id in connected,
                    "rtt_ms": self._peering.rtt_ms(node_id),
                    "behind": behind,
                    "ahead": ahead,
                    "clock_offset_ms": self._peering.clock_offset_ms(node_id),
                    **self._peering.flow(node_id),
                }
            )
        records, documents, waiting = await self._journal.read(
            lambda tx, replica: (tx.record_count(), len(tx.documents()), replica.waiting())
        )
        held = {"records": records, "documents": documents, "waiting": waiting}
        return {"peers": peers, **held, **self._journal.commits.as_dict()}

    async def metrics(self) -> str:
        """For Prometheus."""
        return metrics.exposition(await self.status(), self._journal.commits, self._spent)

    async def trace(self, peer: str) -> AsyncGenerator[dict[str, Any], None]:
        """Every message to and from a peer, from now on; the first row says that it has begun. Raises NotFound."""
        node_id = await self._members.find(peer)
        if node_id == self._node_id:
            raise InvalidInput("A node does not talk to itself.", fix="`jarvis sync status` names the peers.")
        with self._peering.traced.subscribe() as messages:
            told_lost = 0
            yield {
                "event": "tracing",
                "node_id": to_text(node_id),
                "name": self._members.name_of(node_id),
                "connected": node_id in self._peering.connected(),
            }
            while True:
                message = await messages.get()
                if messages.lost > told_lost:
                    yield {"event": "lost", "node_id": to_text(node_id), "count": messages.lost - told_lost}
                    told_lost = messages.lost
                if isinstance(message, Traced) and message.node_id == to_text(node_id):
                    yield message.as_dict()

    async def verify(self) -> dict[str, Any]:
        """Compare digests with every connected peer. Unequal frontiers are only "behind"; equal frontiers with
        unequal digests would be disagreement, which must never be."""
        await self._members.refresh()
        compared = await self._peering.compare()
        digest, documents = await self._journal.read(
            lambda tx, replica: (
                replica.digest(tx).hex(),
                {name: one.hex() for name, one in replica.digests(tx).items()},
            )
        )
        peers = {}
        for node_id, (mine, theirs) in compared.items():
            same = mine.digest == theirs.digest
            state = "agrees" if same else "behind" if mine.frontier != theirs.frontier else "disagrees"
            peers[to_text(node_id)] = {
                "agree": same,
                "digest": theirs.digest.hex(),
                "state": state,
                "name": self._members.name_of(node_id),
            }
        return {
            "agree": all(one["agree"] for one in peers.values()),
            "digest": digest,
            "documents": documents,
            "peers": peers,
        }
