"""Another owner: the home handed over by its owner's node, or brought back with the recovery phrase when that node is
lost. In both ways the key is made on the node that keeps it and never leaves it; what travels is its public half."""

from __future__ import annotations

import os
from typing import Any

import structlog

from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, NotAllowed, Unreachable
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.keys import (
    PUBLIC_KEY_BYTES,
    RECOVERY_ENTROPY_BYTES,
    SEED_BYTES,
    SigningKey,
    recovery_key,
    recovery_phrase,
)
from jarvis.identity.membership import Chain
from jarvis.node.links.peering import Peering
from jarvis.node.membership.members import Members
from jarvis.node.membership.ownership import current, keep_next, tidy
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal

NEW_OWNER_KEY = "owner-key"
MAKE_KEY_S = 10.0
"""How long the other node may take to make a key and keep it: one commit on a small board's card."""

log = structlog.get_logger()


class Handover:
    def __init__(
        self, journal: Journal, members: Members, peering: Peering, audit: Audit, clock: Clock, node_id: bytes
    ) -> None:
        self._journal = journal
        self._members = members
        self._peering = peering
        self._audit = audit
        self._clock = clock
        self._node_id = node_id
        peering.requests.serve(NEW_OWNER_KEY, self._asked_for_key)

    async def hand_over(self, wanted: str) -> dict[str, Any]:
        """Make another member the owner's node. Raises NotFound, NotAllowed where the owner key is not, InvalidInput
        when it is the owner's already, Unreachable when it is not linked; then nothing has changed."""
        node_id = await self._members.find(wanted)
        name = self._members.name_of(node_id)
        key = await self._journal.read(current)
        if key is None:
            owner = self._members.name_of(self._members.chain.owner_node)
            raise NotAllowed(
                f"{owner} keeps the owner key, so only it can hand the home over.",
                fix=f"Run `jarvis home handover` on {owner}, or, when it is lost, `jarvis home recover` here.",
            )
        if node_id == self._node_id:
            raise InvalidInput(f"{name} is the owner's node already.", fix="Name another node.")
        public = await self._new_key_of(node_id, name)
        at_ms = self._clock.wall_ms()

        def change(chain: Chain) -> Chain:
            return chain.hand_over(key, public, node_id, at_ms=at_ms)

        said = self._audit.entry("home.handed_over", to_text(node_id), actor="owner")
        chain = await self._journal.grow_membership(change, said)
        await self._journal.change_local(lambda tx: tidy(tx, chain))
        log.info("home handed over", to=to_text(node_id))
        return {"owner_node": to_text(node_id), "owner_name": name, "term": chain.term}

    async def _new_key_of(self, node_id: bytes, name: str) -> bytes:
        """The public half of a key that the other node has made and keeps."""
        try:
            public = await self._peering.requests.ask(node_id, NEW_OWNER_KEY, b"", within_s=MAKE_KEY_S)
        except Unreachable:
            raise Unreachable(
                f"{name} cannot be reached, so it cannot take the home over.",
                fix=f"Start {name} or bring it into the network, and try again.",
            ) from None
        except JarvisError as error:
            raise type(error)(f"{name} did not take the home over: {error}", fix=error.fix) from None
        if len(public) != PUBLIC_KEY_BYTES:
            raise InvalidBytes(f"{name} answered with something that is no key.", fix="Choose another node.")
        return public

    async def _asked_for_key(self, peer: bytes, body: bytes) -> bytes:
        chain = self._members.chain
        if peer != chain.owner_node:
            raise NotAllowed("Only the owner's node hands the home over.")
        key = SigningKey(os.urandom(SEED_BYTES))
        await self._journal.change_local(lambda tx: keep_next(tx, chain, key))
        return key.public

    async def recover(self, phrase: str) -> dict[str, Any]:
        """Become the owner's node by the recovery phrase, in the next term, which wins over whatever the old owner key
        signs. The new phrase is in the result and nowhere else. Raises InvalidInput for what is no phrase, NotAllowed
        for another home's, or when this node is no member."""
        recovery = recovery_key(phrase)
        if self._node_id not in self._members.chain.members:
            raise NotAllowed(
                "This node is no member of its home, so it cannot own it.", fix="Run `jarvis home recover` on a member."
            )
        new_phrase = recovery_phrase(os.urandom(RECOVERY_ENTROPY_BYTES))
        owner, at_ms = SigningKey(os.urandom(SEED_BYTES)), self._clock.wall_ms()

        def change(chain: Chain) -> Chain:
            return chain.recover(recovery, owner.public, recovery_key(new_phrase).public, self._node_id, at_ms=at_ms)

        change(self._members.chain)  # a wrong phrase costs no write
        chain = self._members.chain
        await self._journal.change_local(lambda tx: keep_next(tx, chain, owner))
        said = self._audit.entry("home.recovered", to_text(self._node_id), actor="user")
        recovered = await self._journal.grow_membership(change, said)
        await self._journal.change_local(lambda tx: tidy(tx, recovered))
        log.warning("home recovered", term=recovered.term)
        return {
            "node_id": to_text(self._node_id),
            "owner_node": to_text(recovered.owner_node),
            "term": recovered.term,
            "recovery_phrase": new_phrase,
        }
