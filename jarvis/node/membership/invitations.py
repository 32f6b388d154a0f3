"""Lets one device at a time into the home, on whatever member stands in its room. The member proves the code with the
device; the owner's node signs. Without the owner's node there is no code, and the sentence says whose node that is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jarvis.core.errors import DeadlineExceeded, InvalidBytes, JarvisError, NotAllowed, Unreachable
from jarvis.core.time import Clock
from jarvis.identity.certificate import public_key_of
from jarvis.identity.keys import SigningKey, node_id_of
from jarvis.identity.membership import Chain
from jarvis.net.invitation import Announcer, Invitation
from jarvis.net.pairing import Welcome
from jarvis.node.directory import DataDirectory
from jarvis.node.links.peering import Peering
from jarvis.node.membership.admissions import ADMIT, Admissions
from jarvis.node.membership.members import Members
from jarvis.node.texts import check_name, iso_time

SIGN_S = 20.0
"""Of the 30 s that an admission may take: the owner's node signs and keeps it, on a small board's card."""
HEAR_S = 5.0
"""How long the signed entry may take to come here; it is sent before the answer."""


class Invitations:
    def __init__(
        self,
        members: Members,
        admissions: Admissions,
        peering: Peering,
        key: SigningKey,
        directory: DataDirectory,
        clock: Clock,
        *,
        bind: str,
        announcer: Callable[[], Announcer | None],
    ) -> None:
        self._members = members
        self._admissions = admissions
        self._peering = peering
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
        """Open an invitation for two minutes; an earlier one that is still open ends. Raises Unreachable when the
        owner's node is not linked, NotAllowed when this node is no member."""
        suggested = {
            "name": check_name(name, "name") if name else "",
            "room": check_name(room, "room") if room else "",
        }
        await self._members.refresh()
        member = self._members.chain.members.get(self._key.node_id)
        if member is None:
            raise NotAllowed(
                "This node is no member of its home, so it cannot invite.",
                fix="Run `jarvis node invite` on a member.",
            )
        self._owner_must_be_here()
        if self._current is not None:
            self._current.close()

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

    def _owner_must_be_here(self) -> bytes:
        """The owner's node. Raises Unreachable without a link to it."""
        owner = self._members.chain.owner_node
        if owner != self._key.node_id and owner not in self._peering.connected():
            raise owner_is_away(self._members.name_of(owner), "nobody can be admitted")
        return owner

    async def _admit(self, certificate: bytes, suggested: dict[str, str]) -> Welcome:
        """Have the admission signed, and welcome the joiner. Idempotent: who vanished before it saved comes again."""
        owner = self._owner_must_be_here()
        if owner == self._key.node_id:
            chain = await self._admissions.sign(certificate, invited_by=owner)
        else:
            chain = await self._admitted_by(owner, certificate)
        await self._members.refresh()
        return Welcome(
            chain=list(chain.entries),
            home_name=self._members.home_name,
            name=suggested["name"],
            room=suggested["room"],
            addresses=list(self._addresses),
            inviter=self._key.node_id,
        )

    async def _admitted_by(self, owner: bytes, certificate: bytes) -> Chain:
        """The chain with the joiner in it, signed by the owner's node and kept here."""
        name = self._members.name_of(owner)
        try:
            joiner = node_id_of(public_key_of(certificate))
            await self._peering.requests.ask(owner, ADMIT, certificate, within_s=SIGN_S)
            async with asyncio.timeout(HEAR_S):
                await self._members.until(lambda chain: joiner in chain.members)
        except InvalidBytes:
            raise
        except (Unreachable, TimeoutError, DeadlineExceeded):
            raise owner_is_away(name, "the admission was not signed") from None
        except JarvisError as error:
            raise type(error)(f"{name}, which keeps the owner key, says: {error}", fix=error.fix) from None
        return self._members.chain


def owner_is_away(name: str, therefore: str) -> Unreachable:
    return Unreachable(
        f"{name} keeps the owner key and cannot be reached, so {therefore}.",
        fix=f"Start {name} or bring it into the network, and try again.",
    )
