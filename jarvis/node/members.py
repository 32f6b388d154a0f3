"""The nodes of the home as people know them: by name and room, online or not, and how another one gets in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, NotAllowed, NotFound
from jarvis.core.hlc import ms_of
from jarvis.core.ids import by_prefix, to_text
from jarvis.core.time import Clock
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import public_key_of
from jarvis.identity.keys import SigningKey, node_id_of
from jarvis.identity.membership import Chain
from jarvis.identity.record import decode_header
from jarvis.net.invitation import Announcer, Invitation
from jarvis.net.pairing import Welcome
from jarvis.node.audit import Audit
from jarvis.node.config import DECLARED, split_stored
from jarvis.node.directory import DataDirectory
from jarvis.node.journal import Commit, Journal
from jarvis.node.ownership import owner_key
from jarvis.node.peering import Peering
from jarvis.node.texts import check_name, iso_time
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
        self.chain = chain
        self.home_name = ""
        self._names: dict[str, dict[str, str]] = {}
        """Node id -> key -> value, of every node that set any."""
        self._seen_ms: dict[bytes, int] = {}
        self._fresh = False
        self._refreshing = asyncio.Lock()
        self._changed = asyncio.Event()
        journal.listen(self._committed)

    def certificates(self) -> Mapping[bytes, bytes]:
        """Node id -> certificate, of all members."""
        return {member.node_id: member.certificate for member in self.chain.members.values()}

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


class Invitations:
    """Lets one device at a time into the home. Only the owner's node can sign an admission."""

    def __init__(
        self,
        journal: Journal,
        members: Members,
        audit: Audit,
        key: SigningKey,
        directory: DataDirectory,
        clock: Clock,
        *,
        bind: str,
        announcer: Callable[[], Announcer | None],
    ) -> None:
        self._journal = journal
        self._members = members
        self._audit = audit
        self._key = key
        self._directory = directory
        self._clock = clock
        self._bind = bind
        self._announcer = announcer
        self._peer_port = 0
        self._addresses: tuple[str, ...] = ()
        self._opened: asyncio.Queue[Invitation] = asyncio.Queue(1)
        self._current: Invitation | None = None

    async def invite(self, name: str | None, room: str | None) -> dict[str, Any]:
        """Open an invitation for two minutes; an earlier one that is still open ends. Raises NotAllowed where the
        owner key is not."""
        suggested = {
            "name": check_name(name, "name") if name else "",
            "room": check_name(room, "room") if room else "",
        }
        if await self._owner_key() is None:
            await self._members.refresh()
            owner = self._members.chain.owner_node
            raise NotAllowed(
                "Only the owner's node can admit a new node.",
                fix=f"Run `jarvis node invite` on {self._members.name_of(owner)}.",
            )
        if self._current is not None:
            self._current.close()
        member = self._members.chain.members[self._key.node_id]

        async def admit(certificate: bytes, wishes: dict[str, Any]) -> Welcome:
            return await self._admit(certificate, suggested)

        invitation = Invitation(
            certificate=member.certificate,
            certificate_file=self._directory.certificate,
            key_file=self._directory.node_key,
            home_id=self._members.chain.home_id,
            chain_head=lambda: self._members.chain.head,
            admit=admit,
            bind=self._bind,
            prefer_port=min(self._peer_port + 1, 65_535),
            announcer=self._announcer(),
            clock=self._clock,
        )
        code = invitation.open()
        self._current = invitation
        await self._opened.put(invitation)
        hosts = [address.rpartition(":")[0] for address in self._addresses] or ["127.0.0.1"]
        return {
            "code": code,
            "expires_at": iso_time(invitation.expires_at_ms),
            "peer": f"{hosts[0]}:{invitation.port}",
        }

    def reachable(self, peer_port: int, addresses: tuple[str, ...]) -> None:
        """Where this node listens: the port, and HOST:PORT as others see it, best first."""
        self._peer_port, self._addresses = peer_port, addresses

    async def run(self) -> None:
        """Serve invitations as they are opened, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task((await self._opened.get()).run())

    async def _owner_key(self) -> SigningKey | None:
        return await self._journal.read(lambda tx, replica: owner_key(tx, replica.chain(tx)))

    async def _admit(self, certificate: bytes, suggested: dict[str, str]) -> Welcome:
        """Sign the admission, tell the home, welcome the joiner. Idempotent."""
        owner = await self._owner_key()
        if owner is None:
            raise NotAllowed("Only the owner's node can admit a new node.")
        try:
            joiner = node_id_of(public_key_of(certificate))
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        chain = await self._journal.grow_membership(
            lambda chain: chain.admit(owner, certificate, at_ms=self._clock.wall_ms()),
            self._audit.entry("node.admitted", to_text(joiner), actor="owner"),
        )
        await self._members.refresh()
        log.info("node admitted", node=to_text(joiner))
        return Welcome(
            chain=list(chain.entries),
            home_name=self._members.home_name,
            name=suggested["name"],
            room=suggested["room"],
            addresses=list(self._addresses),
            inviter=self._key.node_id,
        )


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
    for author, head in replica.heads(tx).items():
        record = tx.record(author, head.seq)
        if record is not None:
            node_id = node_of(author)
            result[node_id] = max(result.get(node_id, 0), ms_of(decode_header(record.header).hlc))
    return result
