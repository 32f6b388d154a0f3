"""Who comes into the home, as the owner's node decides it: it alone signs, for itself and for members that invite in
their own rooms. An admission takes one of the chain's entries for good, so no member may ask for them without end."""

from __future__ import annotations

import structlog

from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed, Overloaded
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.identity.certificate import MAX_CERTIFICATE_BYTES, public_key_of
from jarvis.identity.keys import node_id_of
from jarvis.identity.membership import Chain
from jarvis.node.membership.allowances import Allowances
from jarvis.node.membership.ownership import current
from jarvis.node.membership.requests import Requests
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal

ADMIT = "admit"
BURST = 5
"""Admissions that one member may ask for at once: it sets up every room of a flat in an evening."""
REFILL_S = 12 * 60
"""One more after so long: a member that goes on needs a week for the chain's 1,024 entries, all in the audit log."""

log = structlog.get_logger()


class Admissions:
    def __init__(self, journal: Journal, audit: Audit, requests: Requests, clock: Clock, node_id: bytes) -> None:
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self._node_id = node_id
        self._allowances = Allowances(clock, BURST, 1 / REFILL_S)
        requests.serve(ADMIT, self._asked)

    async def sign(self, certificate: bytes, *, invited_by: bytes) -> Chain:
        """Admit the node with this certificate, whose key it has proven to whoever invited it. Idempotent.

        Raises NotAllowed where the owner key is not, InvalidInput for what is no certificate."""
        try:
            joiner = node_id_of(public_key_of(certificate))
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        key = await self._journal.read(current)
        if key is None:
            raise NotAllowed("This node does not keep the home's owner key.", fix="Invite on another node.")
        said = {} if invited_by == self._node_id else {"invited_by": to_text(invited_by)}
        chain = await self._journal.grow_membership(
            lambda chain: chain.admit(key, certificate, at_ms=self._clock.wall_ms()),
            self._audit.entry("node.admitted", to_text(joiner), actor="owner", **said),
        )
        log.info("node admitted", node=to_text(joiner), **said)
        return chain

    async def _asked(self, peer: bytes, body: bytes) -> bytes:
        """A member asks for the admission of who has just proven its code there."""
        if len(body) > MAX_CERTIFICATE_BYTES:
            raise InvalidInput("That is no node's certificate.")
        if not self._allowances.take(peer):
            log.warning("too many admissions asked for", peer=to_text(peer))
            raise Overloaded(
                "That node has let in too many devices in a short time.",
                fix="Wait a quarter of an hour, or invite on the owner's node.",
            )
        await self.sign(body, invited_by=peer)
        return b""
