"""Taking a node out of the home. Only the owner's node can sign a removal; what counts of the removed node is decided
here, once, for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from jarvis.core.errors import JarvisError, NotAllowed
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.entries import Cutoff
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.links.peering import Peering
from jarvis.node.membership.members import Members
from jarvis.node.membership.ownership import current
from jarvis.node.membership.quarantine import quarantine
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.replica.frontier import node_of
from jarvis.store.protocol import Head

log = structlog.get_logger()


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
        await self._sign(node_id, "node.removed", actor="owner")
        return {"node_id": to_text(node_id), "name": name, "removed": True}

    async def let_go(self, node_id: bytes) -> None:
        """Take a member out that asked for it. Raises NotFound when it is none."""
        await self._sign(node_id, "node.left", actor="node")

    async def run(self) -> None:
        """On the owner's node, sign again what a losing branch has removed, until cancelled."""
        while True:
            changed = self._members.changed
            try:
                await self._sign_again()
            except JarvisError as error:
                log.warning("a removal was not signed again", reason=str(error))
            await changed.wait()

    async def _sign_again(self) -> None:
        for node_id, cutoffs in self._members.branches.removed.items():
            key = await self._journal.read(current)
            if key is None:
                return
            shrink = _shrink(key, node_id, cutoffs, self._clock.wall_ms())
            said = self._audit.entry("node.removed", to_text(node_id), actor="node", again=True)
            await self._journal.grow_membership(shrink, said)

    async def _sign(self, node_id: bytes, action: str, *, actor: str) -> None:
        key = await self._journal.read(current)
        if key is None:
            owner = self._members.name_of(self._members.chain.owner_node)
            raise NotAllowed("Only the owner's node can remove a node.", fix=f"Run `jarvis node remove` on {owner}.")
        held = await self._journal.read(lambda tx, replica: dict(replica.heads(tx)))
        cutoffs = _cutoffs(node_id, held, self._peering.claimed(node_id))
        shrink = _shrink(key, node_id, cutoffs, self._clock.wall_ms())
        await self._journal.grow_membership(shrink, self._audit.entry(action, to_text(node_id), actor=actor))

    async def quarantine(self) -> list[dict[str, Any]]:
        """What is kept and does not count, with the reason: set aside, rejected, or of a newer Jarvis."""
        return await self._journal.read(quarantine)


def _shrink(key: SigningKey, node_id: bytes, cutoffs: Mapping[bytes, Cutoff], at_ms: int) -> Callable[[Chain], Chain]:
    return lambda chain: chain.remove(key, node_id, cutoffs, at_ms=at_ms)


def _cutoffs(node_id: bytes, *frontiers: dict[bytes, Head]) -> dict[bytes, Cutoff]:
    """Of each author of the node the highest head in these."""
    cutoffs: dict[bytes, Cutoff] = {}
    for frontier in frontiers:
        for author, head in frontier.items():
            if node_of(author) == node_id and (author not in cutoffs or head.seq > cutoffs[author].seq):
                cutoffs[author] = Cutoff(head.seq, head.hash)
    return cutoffs
