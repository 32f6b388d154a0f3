"""The home as people manage it: what it is, who owns it, what its nodes are called. Names and rooms stand in the
config, so renaming needs no owner and works while everybody else is away."""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidInput
from jarvis.core.ids import to_text
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG
from jarvis.identity.horizon import Horizon
from jarvis.node.membership.handover import Handover
from jarvis.node.membership.leaving import Leaving
from jarvis.node.membership.members import Members
from jarvis.node.records.audit import Audit
from jarvis.node.records.horizon import Compaction
from jarvis.node.records.journal import Journal
from jarvis.node.texts import check_name


class Home:
    def __init__(
        self,
        journal: Journal,
        members: Members,
        audit: Audit,
        node_id: bytes,
        *,
        handover: Handover,
        leaving: Leaving,
        compaction: Compaction,
    ) -> None:
        self._journal = journal
        self._members = members
        self._audit = audit
        self._node_id = node_id
        self.hand_over = handover.hand_over
        self.recover = handover.recover
        self.leave = leaving.leave
        self.compact = compaction.compact

    async def info(self) -> dict[str, Any]:
        await self._members.refresh()
        chain = self._members.chain
        return {
            "home_id": to_text(chain.home_id),
            "home_name": self._members.home_name,
            "owner_node": to_text(chain.owner_node),
            "owner_name": self._members.name_of(chain.owner_node),
            "term": chain.term,
            "members": len(chain.members),
            "entries": len(chain.entries),
            "horizon": None if chain.horizon is None else await self._horizon(chain.horizon),
        }

    async def _horizon(self, horizon: Horizon) -> dict[str, Any]:
        taken = await self._journal.read(lambda tx, replica: replica.floor(tx).entry == horizon.entry)
        stale = [self._members.name_of(one) for one in horizon.stale]
        return {"root": horizon.root.hex(), "authors": len(horizon.frontier), "stale": stale, "taken": taken}

    async def rename(self, wanted: str | None, name: str | None, room: str | None) -> dict[str, Any]:
        """Give a node (this one by default) another name, another room, or both. Raises InvalidInput when neither is
        given or one cannot be borne, NotFound for a node that is none."""
        if name is None and room is None:
            raise InvalidInput("There is no new name and no new room.", fix="Give --name, --room, or both.")
        given = {"node.name": (name, "name"), "node.room": (room, "room")}
        values = {key: check_name(text, what) for key, (text, what) in given.items() if text is not None}
        node_id = self._node_id if wanted is None else await self._members.find(wanted)
        prefix = f"node/{to_text(node_id)}/"

        def change(state: MVMap) -> list[Any]:
            return [state.put(prefix + key, value) for key, value in values.items()]

        said = self._audit.entry("node.renamed", to_text(node_id), actor="user", what=sorted(values))
        await self._journal.write((CONFIG, change), said)
        await self._members.refresh()
        return {
            "node_id": to_text(node_id),
            "name": self._members.name_of(node_id),
            "room": self._members.room_of(node_id),
        }
