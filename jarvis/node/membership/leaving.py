"""A node that leaves its home of its own accord: what it wrote counts to the last word, because the owner's node signs
its removal only when it holds all of that; then the data directory is emptied. The owner's side of it is here too."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import InvalidBytes, JarvisError, NotAllowed, NotFound, Overloaded, Unreachable
from jarvis.core.ids import to_text
from jarvis.identity.entries import MAX_CUTOFFS
from jarvis.identity.membership import Chain
from jarvis.identity.record import AUTHOR_BYTES, HASH_BYTES
from jarvis.net.connector import REMOVED
from jarvis.node.links.peering import Peering
from jarvis.node.membership.invitations import owner_is_away
from jarvis.node.membership.members import Members
from jarvis.node.membership.removal import Removal
from jarvis.node.membership.requests import Hung
from jarvis.node.records.journal import Journal
from jarvis.replica.frontier import node_of
from jarvis.store.protocol import Head

LEAVE = "leave"
ASK_S = 10.0
CATCH_UP_S = 20.0
"""How long the owner's node may take to hold what this node wrote: it is linked, so some seconds at most."""
AGAIN_S = 0.25
_HEADS_LIMITS = Limits(size_bytes=32 * 1024, depth=3, items=4 * MAX_CUTOFFS + 1)


class Leaving:
    def __init__(
        self, journal: Journal, members: Members, peering: Peering, removal: Removal, node_id: bytes, data_dir: str
    ) -> None:
        self._journal = journal
        self._members = members
        self._peering = peering
        self._removal = removal
        self._node_id = node_id
        self._data_dir = data_dir
        self.left = asyncio.Event()
        """Set once the home has let this node go: it ends, and its data directory is emptied."""
        peering.requests.serve(LEAVE, self._asked)

    async def leave(self) -> dict[str, Any]:
        """Have this node removed and end. Raises NotAllowed on the owner's node and for the last node, Unreachable when
        the owner's node is not linked; then nothing has changed."""
        chain = self._members.chain
        self._must_not_own(chain)
        if self._node_id in chain.members:
            await self._be_removed(chain.owner_node)
        self.left.set()
        return {"node_id": to_text(self._node_id), "home_id": to_text(chain.home_id), "left": True}

    def _must_not_own(self, chain: Chain) -> None:
        if chain.owner_node != self._node_id:
            return
        if len(chain.members) == 1:
            raise NotAllowed(
                "This node is all there is of its home.", fix=f"Delete {self._data_dir} to give the home up."
            )
        raise NotAllowed(
            "This node keeps the home's owner key, so it cannot leave.",
            fix="Hand the home over first: `jarvis home handover NODE`.",
        )

    async def _be_removed(self, owner: bytes) -> None:
        await self._members.refresh()
        name = self._members.name_of(owner)
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while not await self._asks(owner):  # noqa: ASYNC110 - another node is asked again
                    await asyncio.sleep(AGAIN_S)
        except (Unreachable, TimeoutError):
            raise owner_is_away(name, "the home cannot hear that this node leaves") from None
        except JarvisError as error:
            raise type(error)(f"{name}, which keeps the owner key, says: {error}", fix=error.fix) from None

    async def _asks(self, owner: bytes) -> bool:
        """Whether the owner's node has signed; not while it lacks something that this node wrote."""
        heads = await self._journal.read(lambda tx, replica: dict(replica.heads(tx)))
        own = {author: [head.seq, head.hash] for author, head in heads.items() if node_of(author) == self._node_id}
        try:
            await self._peering.requests.ask(owner, LEAVE, pack(own), within_s=ASK_S)
        except Overloaded:
            return False
        except Hung as error:
            if error.reason != REMOVED:  # a removed node's links are closed at once, perhaps before its answer left
                raise
        return True

    async def _asked(self, peer: bytes, body: bytes) -> bytes:
        """A member leaves: it says how far it wrote."""
        told = _heads(peer, body)
        held = await self._journal.read(lambda tx, replica: dict(replica.heads(tx)))
        if any(author not in held or held[author].seq < head.seq for author, head in told.items()):
            raise Overloaded("Not everything that you wrote is held here yet.")
        with contextlib.suppress(NotFound):  # it asked twice
            await self._removal.let_go(peer)
        return b""


def _heads(peer: bytes, body: bytes) -> dict[bytes, Head]:
    """The leaver's own frontier. Raises InvalidBytes."""
    value = unpack(body, _HEADS_LIMITS)
    good = isinstance(value, dict) and all(
        isinstance(author, bytes)
        and len(author) == AUTHOR_BYTES
        and node_of(author) == peer
        and isinstance(head, list)
        and len(head) == 2
        and type(head[0]) is int
        and isinstance(head[1], bytes)
        and len(head[1]) == HASH_BYTES
        for author, head in value.items()
    )
    if not good:
        raise InvalidBytes("That is no frontier of the node that leaves.")
    return {author: Head(seq, digest) for author, (seq, digest) in value.items()}
