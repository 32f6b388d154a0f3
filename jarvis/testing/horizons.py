"""How a simulated node carries out what concerns horizons, as `jarvis.node.records.horizon` does it in a real one: it
takes them step by step, each step in a commit of its own, is brought what it lacks, replies to proposals, and on the
owner's node proposes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

from jarvis.core.errors import InvalidBytes, JarvisError
from jarvis.identity.horizon import Frontier, is_acknowledged
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.replica.accepted import Accepted
from jarvis.replica.horizon import Next
from jarvis.replica.manifest import Impossible, Manifest, root_of
from jarvis.replica.proposing import Reply
from jarvis.store.protocol import Transaction
from jarvis.sync.horizons import Acknowledge, Proposal, Propose, Snapshot, WantSnapshot

if TYPE_CHECKING:
    from jarvis.testing.home import SimNode

T = TypeVar("T")


class Conduct:
    """Of one life of a node; what was under way when it ends is forgotten with it."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._taking = False
        self._acks: dict[bytes, bytes] = {}
        self._stale: tuple[bytes, ...] = ()
        self._proposing = object()

    # --- taking one -----------------------------------------------------------------------------------------------

    def take(self) -> None:
        """Go on with the newest, as far as that can be done now."""
        if not self._taking:
            self._taking = True
            self._node.about_to_take()
            self._commit(self._step, self._stepped)

    def _step(self, tx: Transaction) -> tuple[Next, Accepted]:
        return self._node.replica.take_horizon(tx)

    def _stepped(self, done: tuple[Next, Accepted]) -> None:
        self._taking = False
        following, accepted = done
        self._node.changed(accepted)
        if following.more:
            self.take()
        elif self._node.sync is not None:
            self._node.perform(self._node.sync.lacks(following.need, self._node.clock.now_ms))

    def stage(self, peer: bytes, snapshot: Snapshot) -> None:
        self._node.about_to_take()

        def work(tx: Transaction) -> tuple[bool, Next, Accepted]:
            useful = self._node.replica.horizons.stage(tx, snapshot.entry, snapshot.parts)
            return (useful, *self._step(tx))

        def tell(done: tuple[bool, Next, Accepted]) -> None:
            useful, following, accepted = done
            self._node.changed(accepted)
            if self._node.sync is not None:
                now_ms = self._node.clock.now_ms
                self._node.perform(self._node.sync.staged(peer, following.need, now_ms, useful=useful))
            if following.more:
                self.take()

        self._node.commit(work, tell, lambda error: self._node.fail(peer, error))

    def read(self, peer: bytes, want: WantSnapshot) -> None:
        parts = self._node.store.view(
            lambda tx: self._node.replica.horizons.answer(tx, want.entry, want.document, want.offset)
        )
        self._node.post(peer, Snapshot(want.entry, tuple(parts)))

    # --- acknowledging one ------------------------------------------------------------------------------------------

    def reply(self, peer: bytes, proposal: Propose) -> None:
        def tell(reply: Reply | None) -> None:
            if reply is None:
                self.reply(peer, proposal)
            else:
                self._node.post(peer, Acknowledge(proposal.root, reply.signature, reply.reason))

        self._node.commit(
            lambda tx: self._node.replica.proposing.reply(tx, proposal.places, proposal.root),
            tell,
            lambda error: self._node.fail(peer, error),
        )

    # --- proposing one ----------------------------------------------------------------------------------------------

    def propose(self, owner: SigningKey, stale: Collection[bytes], declared: Callable[[], None]) -> None:
        """What all members but these hold; declared once all have signed. A later proposal takes its place."""
        sync, node = self._node.sync, self._node
        assert sync is not None
        self._stale = tuple(stale)
        self._acks, self._owner, self._declared = {}, owner, declared
        mark = self._proposing = object()
        told = sync.told(stale)
        frontier: list[Frontier] = []

        def work(tx: Transaction) -> tuple[Manifest | None, set[bytes]]:
            if not frontier:
                frontier.append(node.replica.proposing.frontier(tx, told, stale))
            members = set(node.replica.chain(tx).members) - {node.node_id, *stale}
            return node.replica.horizons.make(tx, frontier[0]), members

        def tell(done: tuple[Manifest | None, set[bytes]] | None) -> None:
            if self._proposing is not mark or done is None:
                return
            manifest, members = done
            if manifest is None:
                node.commit(self._possible(work), tell, lambda _: None)
                return
            self._proposal = Proposal(frontier[0], root_of(manifest.encode()), members)
            self._ask_or_declare()

        node.commit(self._possible(work), tell, lambda _: None)

    @staticmethod
    def _possible(work: Callable[[Transaction], T]) -> Callable[[Transaction], T | None]:
        def tried(tx: Transaction) -> T | None:
            try:
                return work(tx)
            except Impossible:
                return None

        return tried

    def acknowledged(self, peer: bytes, signature: bytes) -> None:
        proposal = self._proposal
        chain = self._node.store.view(self._node.replica.chain)
        member = chain.members.get(peer)
        good = member is not None and is_acknowledged(
            member.public_key, signature, chain.home_id, proposal.frontier, proposal.root
        )
        if good and peer in proposal.missing:
            proposal.missing.discard(peer)
            self._acks[peer] = signature
            self._ask_or_declare()

    def _ask_or_declare(self) -> None:
        node, proposal = self._node, self._proposal
        assert node.sync is not None
        if proposal.missing:
            node.perform(node.sync.propose(proposal, node.clock.now_ms))
            return

        def work(tx: Transaction) -> tuple[Accepted, Chain] | None:
            chain = node.replica.chain(tx)
            try:
                grown = chain.declare_horizon(
                    self._owner, proposal.frontier, proposal.root, self._acks, self._stale, at_ms=node.wall_ms()
                )
            except InvalidBytes:  # the members are others than when it was proposed
                return None
            return node.replica.accept_membership(tx, grown.entries)[1], grown

        def tell(done: tuple[Accepted, Chain] | None) -> None:
            assert node.sync is not None
            node.perform(node.sync.propose(None, node.clock.now_ms))
            if done is not None:
                node.chain_changed(*done)
                self._declared()

        node.commit(work, tell, lambda _: None)

    def _commit(self, work: Callable[[Transaction], T], then: Callable[[T], None]) -> None:
        def failed(error: JarvisError) -> None:
            self._taking = False
            self._node.take_later(error)

        self._node.commit(work, then, failed)
