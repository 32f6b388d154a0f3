"""The nodes of the home as people know them: by name and room, online or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidBytes, JarvisError, NotFound
from jarvis.core.hlc import ms_of
from jarvis.core.ids import by_prefix, to_text
from jarvis.core.time import Clock
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG
from jarvis.identity.branches import Branches
from jarvis.identity.membership import Chain
from jarvis.node.config import split_stored
from jarvis.node.declared import DECLARED
from jarvis.node.links.peering import Peering
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.texts import iso_time
from jarvis.replica.frontier import node_of
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

ADDRESSES = "net/addresses"

log = structlog.get_logger()


class Members:
    """Follows the membership chain and the names in the config."""

    def __init__(self, journal: Journal, chain: Chain, node_id: bytes, clock: Clock) -> None:
        self._journal = journal
        self._node_id = node_id
        self._clock = clock
        self.branches = Branches(chain)
        self.home_name = ""
        self._names: dict[str, dict[str, str]] = {}
        """Node id -> key -> value, of every node that set any."""
        self._seen_ms: dict[bytes, int] = {}
        self._fresh = False
        self._refreshing = asyncio.Lock()
        self._changed = asyncio.Event()
        self.changed = asyncio.Event()
        """Set, and replaced, when the chain or a losing branch is another one."""
        journal.listen(self._committed)

    @property
    def chain(self) -> Chain:
        """The one that stands."""
        return self.branches.chain

    def branches_are(self, branches: Branches) -> None:
        """From now on."""
        self.branches = branches
        self.changed.set()
        self.changed = asyncio.Event()

    async def until(self, holds: Callable[[Chain], bool]) -> None:
        """Wait until the chain is such; the caller brings the deadline."""
        while not holds(self.chain):
            await self.changed.wait()

    def certificates(self) -> Mapping[bytes, bytes]:
        """Node id -> certificate, of all members to talk to: not of those that a losing branch has removed, which the
        owner's node will remove again."""
        removed = self.branches.removed
        return {one.node_id: one.certificate for one in self.chain.members.values() if one.node_id not in removed}

    async def refresh(self) -> None:
        """Read names and rooms anew if the config changed; whoever comes meanwhile waits for them too."""
        async with self._refreshing:
            if not self._fresh:
                self._fresh = True  # first: what changes while we read makes it stale again
                try:
                    self._names, self.home_name = await self._journal.state(
                        CONFIG, lambda state: (_node_values(state), _home_name(state))
                    )
                except BaseException:
                    self._fresh = False
                    raise

    async def follow(self) -> None:
        """Keep names and rooms current for those who cannot wait for `refresh`, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.refresh()
            except JarvisError as error:
                log.warning("names were not read", reason=str(error))

    def name_of(self, node_id: bytes) -> str:
        """What people call a node; its id's beginning until it has a name."""
        text = to_text(node_id)
        return self._names.get(text, {}).get("node.name") or text[:8]

    def room_of(self, node_id: bytes) -> str:
        return self._names.get(to_text(node_id), {}).get("node.room") or self.name_of(node_id)

    def rooms(self) -> list[str]:
        """The home's, each once."""
        return sorted({self.room_of(one) for one in self.chain.members})

    async def find(self, wanted: str) -> bytes:
        """A member by its name, or the beginning of its id. Raises NotFound."""
        await self.refresh()
        named = [one for one in self.chain.members if self.name_of(one).lower() == wanted.strip().lower()]
        if len(named) == 1:
            return named[0]
        if len(named) > 1:
            raise NotFound(f"{len(named)} nodes are called {wanted!r}.", fix="Give the beginning of the id.")
        by_text = {to_text(one): one for one in self.chain.members}
        return by_text[by_prefix(wanted, by_text, "node")]

    def in_room(self, room: str) -> list[bytes]:
        """Members in a room; raises NotFound when there is none."""
        found = [one for one in self.chain.members if self.room_of(one).lower() == room.strip().lower()]
        if not found:
            raise NotFound(f"There is no room {room!r}.", fix="`jarvis node list` shows the rooms.")
        return found

    def roles(self, node_id: bytes) -> list[str]:
        """A restored home's node has none before it is admitted."""
        if node_id == self.chain.owner_node:
            return ["owner"]
        return ["member"] if node_id in self.chain.members else []

    def seen(self, node_id: bytes) -> None:
        self._seen_ms[node_id] = self._clock.wall_ms()

    async def list(self, peering: Peering) -> list[dict[str, Any]]:
        await self.refresh()
        online = peering.connected() | {self._node_id}
        wrote_ms = await self._journal.read(_last_written)
        rows = []
        for node_id in self.chain.members:
            seen_ms = max(self._seen_ms.get(node_id, 0), wrote_ms.get(node_id, 0))
            seen_ms = self._clock.wall_ms() if node_id in online else seen_ms
            rows.append(
                {
                    "node_id": to_text(node_id),
                    "name": self.name_of(node_id),
                    "room": self.room_of(node_id),
                    "roles": self.roles(node_id),
                    "online": node_id in online,
                    "last_seen": iso_time(seen_ms) if seen_ms else None,
                    "rtt_ms": peering.rtt_ms(node_id),
                }
            )
        return rows

    def _committed(self, commit: Commit) -> None:
        if CONFIG in commit.documents:
            self._fresh = False
            self._changed.set()


async def load_addresses(journal: Journal) -> dict[bytes, list[str]]:
    """Where peers were last reached, from this node's own values."""
    data = await journal.read(lambda tx, _: tx.get(ADDRESSES))
    return dict(unpack(data)) if data else {}


async def save_addresses(journal: Journal, addresses: dict[bytes, list[str]]) -> None:
    with contextlib.suppress(InvalidBytes):
        data = pack(addresses)
        await journal.change_local(lambda tx: tx.put(ADDRESSES, data))


def _node_values(state: MVMap) -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for stored in state.keys():  # noqa: SIM118
        write = state.get(stored)
        key, node_id = split_stored(stored) if isinstance(stored, str) else ("", None)
        if node_id and write and isinstance(write.value, str):
            result.setdefault(node_id, {})[key] = write.value
    return result


def _home_name(state: MVMap) -> str:
    write = state.get("home.name")
    return str(write.value) if write else DECLARED["home.name"].default


def _last_written(tx: Transaction, replica: Replica) -> dict[bytes, int]:
    """Milliseconds of each node's newest record."""
    result: dict[bytes, int] = {}
    for author in replica.heads(tx):
        node_id = node_of(author)
        result[node_id] = max(result.get(node_id, 0), ms_of(replica.stamp(tx, author)))
    return result
