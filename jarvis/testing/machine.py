"""One machine of a simulation: a whole node that can lose its power, on a disk that takes time. It notes what it
acknowledged, to people and to peers, for the oracle to hold it to."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping

from jarvis.core.errors import JarvisError, NotAllowed, NotFound, StoreFailed
from jarvis.identity.entries import Cutoff
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord
from jarvis.node.membership.ownership import current
from jarvis.replica.accepted import Accepted
from jarvis.replica.bounds import Bounds
from jarvis.replica.holdings import Floor
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Head, Transaction
from jarvis.sync.effects import Effect
from jarvis.sync.messages import Ack, Heads, Message, Records
from jarvis.testing.disk import SimDisk
from jarvis.testing.home import START_MS, AuthoredOperations, SimNode
from jarvis.testing.timeline import Timeline
from jarvis.testing.wires import Wires

TICK_MS = 250.0
DOWN_MS = (20.0, 6_000.0)
"""How long a machine stays dark after a crash in a commit."""


class Machine(SimNode):
    """`fell` is told of every crash with its kind."""

    def __init__(
        self, number: int, key: SigningKey, timeline: Timeline, seed: str, wires: Wires, fell: Callable[[str], None]
    ) -> None:
        self.timeline = timeline
        self.wires = wires
        self.up = False
        self.acknowledged: dict[bytes, Head] = {}
        """What this disk was heard to hold."""
        self.unechoed: set[bytes] = set()
        """Authors that it continued in a later life although no member had said that this is all there is."""
        self.records_sent = 0
        self.traced = hashlib.sha256()
        self.watched: Callable[[Machine], None] = lambda _: None
        """Called before it may delete records."""
        self.replaced = False
        """Whether it runs on another disk than it began with."""
        self.unsynced = 0
        """Writes lost because the power went before they were committed."""
        self._fell = fell
        self._rng = random.Random(f"{seed}/machine/{number}")  # nosec B311 - a simulation's entropy
        self.disk = SimDisk(timeline, self._rng, self._power_off)
        super().__init__(number, key, timeline, self._rng, self._post, self._hang_up, store=self.disk)

    # --- its life -----------------------------------------------------------------------------------------------

    def boot(self) -> None:
        if self.up or self.node_id not in self.store.view(self.replica.chain).members:  # a removed node does not start
            return
        self.start()
        # A disk that knows no other member waits for no echo, though it may be older than the home has grown.
        self._alone = len(self.bounds().chain.members) == 1
        self._life = object()
        self.open()
        self.up = True
        mine = self.store.view(lambda tx: [one for one in self.replica.heads(tx) if one.startswith(self.node_id)])
        self._earlier, self._echoed = set(mine), set[bytes]()
        self._tick_later(self._life)
        self._sign_again()

    def crash(self, down_ms: float, *, said_goodbye: bool = False) -> None:
        """The power goes, and comes back after a while; inf is never."""
        if not self.up:
            return
        self.up = False
        self.sync = None
        self.unsynced += self.disk.waiting
        self.disk.lose_memory()
        self.wires.lost_power(self, said_goodbye=said_goodbye)
        if down_ms != float("inf"):
            self.timeline.call_after(down_ms, self.boot)

    def restore(self, copy: MemoryStore) -> None:
        """Put another copy of its disk in place while it is dark: what only this disk held is gone, and no fault."""
        self.replaced = True
        self.disk.restore(copy)
        held = self.heads()
        self.acknowledged = {
            author: min(head, held[author], key=lambda one: one.seq)
            for author, head in self.acknowledged.items()
            if author in held
        }

    @property
    def is_member(self) -> bool:
        """Whether its disk holds a home."""
        return bool(self.store.view(lambda tx: tx.membership()))

    def welcomes(self, node_id: bytes) -> bool:
        """Whether it knows that node as a member, which no losing branch has removed either."""
        branches = self.store.view(self.replica.branches)
        return node_id in branches.chain.members and node_id not in branches.removed

    def heads(self) -> dict[bytes, Head]:
        """What its disk holds."""
        return self.store.view(lambda tx: tx.heads())

    def known(self) -> tuple[object, ...]:
        """All that sooner or later everybody knows: the frontier, the membership chain's head and those of the branches
        that lost against it, where authors forked."""
        bounds, branches = self.bounds(), self.store.view(self.replica.branches)
        forks = {author: proof.seq for author, proof in bounds.forks.items()}
        return self.heads(), branches.chain.head, branches.heads, forks

    def ground(self) -> Chain:
        """The branch of the chain whose horizon stands."""
        bounds = self.bounds()
        return bounds.ground or bounds.chain

    def floor(self) -> Floor:
        """The horizon it has taken."""
        return self.store.view(self.replica.floor)

    def bounds(self) -> Bounds:
        """How far it believes each author."""
        return self.store.view(self.replica.bounds)

    def wall_ms(self) -> int:
        return max(0, START_MS + int(self.clock.now_ms) + self.skew_ms)

    def _power_off(self, where: str) -> None:
        self._fell(f"crash_{where}_commit")
        self.crash(self._rng.uniform(*DOWN_MS))

    def about_to_take(self) -> None:
        if self.ground().horizon is not None:
            self.watched(self)

    def take_later(self, error: JarvisError) -> None:
        life = self._life

        def again() -> None:
            if self.up and self._life is life:
                self.conduct.take()

        self.timeline.call_after(1_000.0, again)

    def _tick_later(self, life: object) -> None:
        def tick() -> None:
            if self.up and self._life is life and self.sync is not None:
                self.perform(self.sync.tick(self.clock.now_ms))
                self._tick_later(life)

        self.timeline.call_after(TICK_MS, tick)

    def _post(self, _: SimNode, peer: bytes, frame: bytes) -> None:
        self.wires.post(self, peer, frame)

    def _hang_up(self, _: SimNode, peer: bytes) -> None:
        self.wires.hang_up(self, peer)

    # --- its links ----------------------------------------------------------------------------------------------

    def linked(self, peer: bytes) -> None:
        assert self.sync is not None
        self.perform(self.sync.connected(peer, self.clock.now_ms, self.wall_ms()))

    def unlinked(self, peer: bytes) -> None:
        if self.sync is not None:
            self.perform(self.sync.disconnected(peer, self.clock.now_ms))

    def perform(self, effects: Iterable[Effect]) -> None:
        super().perform(effects)
        for peer in list(self.sync.peers) if self.sync is not None else ():
            if not self.welcomes(peer):
                self.cut(self, peer)

    def receive(self, peer: bytes, frame: bytes) -> None:
        self.traced.update(f"{self.clock.now_ms:.6f} {self.number} ".encode() + frame)
        super().receive(peer, frame)

    def post(self, peer: bytes, message: Message) -> None:
        if isinstance(message, Records):
            self.records_sent += len(message.records)
        elif isinstance(message, (Ack, Heads)):
            for author, head in message.heads:
                self._acknowledge(author, head)
        super().post(peer, message)

    def dropped(self, peer: bytes, reason: str) -> None:
        if "never said hello" in reason:  # its hello hangs in a cut
            self.cut(self, peer)
        else:
            super().dropped(peer, reason)

    # --- its disk -----------------------------------------------------------------------------------------------

    def commit(self, work, then, failed) -> None:  # type: ignore[no-untyped-def]  # as in SimNode
        self.disk.submit(work, then, failed)

    def fail(self, peer: bytes | None, error: JarvisError) -> None:
        if peer is not None and isinstance(error, StoreFailed):
            self.cut(self, peer)
        else:
            super().fail(peer, error)

    def echoed(self, peer: bytes, heads: dict[bytes, Head]) -> None:
        def work(tx: Transaction) -> None:
            self._echoed |= {one for one in self._earlier if heads.get(one) == self.replica.head(tx, one)}
            self.replica.echo(tx, heads)

        self.commit(work, lambda _: None, lambda error: self.fail(peer, error))

    def say(self, document: str, operations: AuthoredOperations) -> None:
        """A person writes something here."""

        def acknowledge(record: SignedRecord) -> None:
            author = record.header.author
            self._acknowledge(author, Head(record.header.seq, record.hash))
            if author in self._earlier - self._echoed and not self._alone:
                self.unechoed.add(author)

        def refuse(error: JarvisError) -> None:
            removed = isinstance(error, NotAllowed) and not self.welcomes(self.node_id)
            deleted = isinstance(error, NotFound) and self.store.view(lambda tx: self.replica.is_deleted(tx, document))
            if not removed and not deleted and not isinstance(error, StoreFailed):
                raise error

        if self.up:
            self.begin_write(document, operations, acknowledge, refuse)

    def admit(self, owner: SigningKey, certificate: bytes, then: Callable[[Chain], None]) -> None:
        """Let another machine into the home, as the owner's node does; a full disk lets nobody in."""
        self.change_chain(lambda _, chain: chain.admit(owner, certificate, at_ms=self.wall_ms()), then)

    def remove(self, owner: SigningKey, node_id: bytes, then: Callable[[Chain], None]) -> None:
        """Remove another machine as the owner's node does: what is held of it here counts."""

        def cutoffs(tx: Transaction) -> dict[bytes, Cutoff]:
            heads = self.replica.heads(tx).items()
            return {author: Cutoff(head.seq, head.hash) for author, head in heads if author.startswith(node_id)}

        self._remove(owner, node_id, cutoffs, then)

    def propose_horizon(self, owner: SigningKey, stale: Iterable[bytes], declared: Callable[[], None]) -> None:
        """Propose, as the owner's node does, what all but these hold."""
        if self.up:
            self.conduct.propose(owner, sorted(stale), declared)

    def chain_changed(self, accepted: Accepted, chain: Chain, peer: bytes = b"") -> None:
        super().chain_changed(accepted, chain, peer)
        if accepted.branches is not None:
            self._sign_again()

    def _sign_again(self) -> None:
        """As the owner's node does: whom a losing branch has removed is removed by the one that stands."""
        key = self.store.view(lambda tx: current(tx, self.replica))
        if key is None:
            return
        for node_id, cutoffs in self.store.view(self.replica.branches).removed.items():
            self._remove(key, node_id, lambda _, cutoffs=cutoffs: cutoffs, lambda _: None)  # type: ignore[misc]

    def _remove(
        self,
        owner: SigningKey,
        node_id: bytes,
        cutoffs: Callable[[Transaction], Mapping[bytes, Cutoff]],
        then: Callable[[Chain], None],
    ) -> None:
        def change(tx: Transaction, chain: Chain) -> Chain:
            return chain.remove(owner, node_id, cutoffs(tx), at_ms=self.wall_ms())

        self.change_chain(change, then)

    def change_chain(self, change: Callable[[Transaction, Chain], Chain], then: Callable[[Chain], None]) -> None:
        def work(tx: Transaction) -> tuple[Accepted, Chain]:
            changed = change(tx, self.replica.chain(tx))
            return self.replica.accept_membership(tx, changed.entries)[1], self.replica.chain(tx)

        def tell(done: tuple[Accepted, Chain]) -> None:
            self.chain_changed(*done)
            then(done[1])

        self.commit(work, tell, lambda _: None)

    def _acknowledge(self, author: bytes, head: Head) -> None:
        known = self.acknowledged.get(author)
        if known is None or head.seq > known.seq:
            self.acknowledged[author] = head


def highest(all_heads: list[Mapping[bytes, Head]]) -> dict[bytes, Head]:
    """The greatest head of each author."""
    result: dict[bytes, Head] = {}
    for heads in all_heads:
        for author, head in heads.items():
            if author not in result or head.seq > result[author].seq:
                result[author] = head
    return result
