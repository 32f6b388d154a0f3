"""A whole home in one process, without threads, clocks or sockets: every node is a real replica on an in-memory store
and a real protocol machine; the network between them delays, repeats, reorders and cuts as the caller says. What a
node does follows from the seed alone."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes, JarvisError
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.replica.accepted import Accepted
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Head, StoredRecord, Transaction
from jarvis.sync.effects import (
    Accept,
    AcceptFork,
    AcceptMembership,
    Acknowledged,
    Drop,
    Echoed,
    Effect,
    Fetch,
    Proposed,
    ReadSnapshot,
    Send,
    Stage,
)
from jarvis.sync.machine import Sync
from jarvis.sync.messages import Message, decode, encode
from jarvis.sync.pushing import FETCH_BYTES
from jarvis.testing.horizons import Conduct

T = TypeVar("T")
Operations = Callable[[Any], list[Value]]
"""What to write, made from the document's state."""
AuthoredOperations = Callable[[Any, bytes], list[Value]]
"""And from the author under whose name it will stand."""
START_MS = 1_800_000_000_000
OWNER_SEED, RECOVERY_SEED = b"owner key of a simulated home...", b"recovery key of a simulated home"


class SimClock:
    """Virtual time, shared by the home; a node may see it shifted."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def advance(self, ms: float) -> None:
        self.now_ms += ms


@dataclass
class SimNode:
    """One node. `skew_ms` shifts its wall clock."""

    number: int
    key: SigningKey
    clock: SimClock
    rng: random.Random
    send: Callable[[SimNode, bytes, bytes], None]
    """(from, to node id, frame)"""
    cut: Callable[[SimNode, bytes], None]
    """Close the link to that peer."""
    skew_ms: int = 0
    store: MemoryStore = field(default_factory=MemoryStore)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.certificate = make_certificate(self.key)
        self.start()

    @property
    def node_id(self) -> bytes:
        return self.key.node_id

    def start(self) -> None:
        """As after a boot: nothing in memory but what the store holds."""
        self.replica = Replica(self.key, entropy=self.rng.randbytes, wall_ms=self.wall_ms)
        self.store.on_undo(self.replica.forget)
        self.sync: Sync | None = None
        self.conduct = Conduct(self)

    def wall_ms(self) -> int:
        return START_MS + int(self.clock.now_ms) + self.skew_ms

    def found(self, chain: Chain) -> None:
        self.store.transact(lambda tx: self.replica.found(tx, chain))
        self.open()

    def open(self) -> None:
        chain = self.store.transact(self.replica.open)
        heads, bounds = self.store.view(lambda tx: (dict(self.replica.heads(tx)), self.replica.bounds(tx)))
        branches = self.store.view(self.replica.branches)
        self.sync = Sync(self.node_id, chain.entries, heads, bounds=bounds, branches=branches)
        self.conduct.take()

    def commit(
        self, work: Callable[[Transaction], T], then: Callable[[T], None], failed: Callable[[JarvisError], None]
    ) -> None:
        """Run `work` in a transaction; `then` hears its result once it is durable, `failed` why it is not."""
        try:
            result = self.store.transact(work)
        except JarvisError as error:
            failed(error)
        else:
            then(result)

    def write(self, document: str, operations: Operations) -> SignedRecord:
        """One record of our own, at once; `operations` is given the document's state."""
        written: list[SignedRecord] = []
        self.begin_write(document, lambda state, _: operations(state), written.append, _raise)
        return written[0]

    def begin_write(
        self,
        document: str,
        operations: AuthoredOperations,
        then: Callable[[SignedRecord], None],
        failed: Callable[[JarvisError], None],
    ) -> None:
        def work(tx: Transaction) -> tuple[SignedRecord, Accepted]:
            author = self.replica.writing_author(tx)
            return self.replica.append(tx, document, operations(self.replica.state(tx, document), author))

        def tell(done: tuple[SignedRecord, Accepted]) -> None:
            then(done[0])
            assert self.sync is not None
            self.perform(self.sync.committed(done[1].heads, [done[0]], self.clock.now_ms))

        self.commit(work, tell, failed)

    def accept(self, records: Iterable[SignedRecord], source: bytes | None = None) -> None:
        batch = list(records)
        authors = {record.header.author for record in batch}

        def work(tx: Transaction) -> tuple[Accepted, dict[bytes, Head]]:
            accepted = self.replica.accept(tx, batch)
            held = {author: head for author, head in self.replica.heads(tx).items() if author in authors}
            return accepted, {**held, **accepted.heads}

        def tell(done: tuple[Accepted, dict[bytes, Head]]) -> None:
            self.refused += [one.reason for one in done[0].refused]
            assert self.sync is not None
            self.restated(done[0])
            self.perform(self.sync.committed(done[1], done[0].own, self.clock.now_ms, source=source))
            for author, seq in done[0].suspects:
                self.perform(self.sync.suspected(source or b"", author, seq))
            if done[0].restated:
                self.conduct.take()
            self.perform(self.sync.took_in(source or b"", batch))

        self.commit(work, tell, lambda error: self.fail(source, error))

    def restated(self, accepted: Accepted) -> None:
        """A removal or a fork changed how far authors count."""
        assert self.sync is not None
        if accepted.bounds is not None:
            now_ms = self.clock.now_ms
            effects = self.sync.restated(accepted.bounds, accepted.lowered, accepted.forks, now_ms)
            self.perform(effects)

    def changed(self, accepted: Accepted) -> None:
        """Something else than a peer's records has changed what is held."""
        self.restated(accepted)
        if self.sync is not None:
            self.perform(self.sync.committed(accepted.heads, accepted.own, self.clock.now_ms))

    def chain_changed(self, accepted: Accepted, chain: Chain, peer: bytes = b"") -> None:
        """After a chain was offered, by a `peer` or made here; it may have told nothing new."""
        assert self.sync is not None
        self.restated(accepted)
        if accepted.branches is None:
            self.perform(self.sync.membership_stands(peer))
        else:
            now_ms = self.clock.now_ms
            self.perform(self.sync.membership_changed(chain.entries, now_ms, branches=accepted.branches))
        self.perform(self.sync.committed(accepted.heads, accepted.own, self.clock.now_ms))
        self.conduct.take()

    def about_to_take(self) -> None:
        """A step towards a horizon may delete records."""

    def take_later(self, error: JarvisError) -> None:
        """A step towards a horizon could not be kept."""
        raise error

    def fail(self, peer: bytes | None, error: JarvisError) -> None:
        """What a link asked of the store could not be done: that link ends."""
        if peer is None:
            raise error
        self.refused.append(str(error))
        self.cut(self, peer)

    def receive(self, peer: bytes, frame: bytes) -> None:
        assert self.sync is not None
        if peer not in self.sync.peers:
            return
        try:
            message = decode(frame, first=not self.sync.peers[peer].said_hello)
        except InvalidBytes as error:
            self.refused.append(str(error))
            self.cut(self, peer)
            return
        self.perform(self.sync.received(peer, message, self.clock.now_ms, self.wall_ms()))

    def perform(self, effects: Iterable[Effect]) -> None:
        assert self.sync is not None
        queue = deque(effects)
        while queue:
            match queue.popleft():
                case Send(peer, message):
                    self.post(peer, message)
                case Fetch(peer, author, first, through):
                    found = self.records(author, first, through)
                    queue.extend(self.sync.fetched(peer, found))
                case Accept(peer, records):
                    self.accept(records, source=peer)
                case AcceptMembership(peer, entries):
                    self._membership(peer, entries)
                case AcceptFork(peer, proof):
                    self._fork(peer, proof)
                case Echoed(peer, heads):
                    self.echoed(peer, dict(heads))
                case Proposed(peer, proposal):
                    self.conduct.reply(peer, proposal)
                case Acknowledged(peer, signature):
                    self.conduct.acknowledged(peer, signature)
                case ReadSnapshot(peer, want):
                    self.conduct.read(peer, want)
                case Stage(peer, snapshot):
                    self.conduct.stage(peer, snapshot)
                case Drop(peer, reason):
                    self.dropped(peer, reason)

    def dropped(self, peer: bytes, reason: str) -> None:
        self.refused.append(reason)
        self.cut(self, peer)

    def post(self, peer: bytes, message: Message) -> None:
        self.send(self, peer, encode(message))

    def echoed(self, peer: bytes, heads: dict[bytes, Head]) -> None:
        def work(tx: Transaction) -> None:
            self.replica.echo(tx, heads)

        self.commit(work, lambda _: None, lambda error: self.fail(peer, error))

    def accept_chain(self, chain: Chain) -> None:
        """A chain that this node's owner has signed."""
        self._membership(self.node_id, chain.entries)

    def _membership(self, peer: bytes, entries: tuple[RawEntry, ...]) -> None:
        def work(tx: Transaction) -> tuple[Accepted, Chain]:
            _, accepted = self.replica.accept_membership(tx, entries)
            return accepted, self.replica.chain(tx)

        self.commit(work, lambda done: self.chain_changed(*done, peer), lambda error: self.fail(peer, error))

    def _fork(self, peer: bytes, proof: ForkProof) -> None:
        def tell(accepted: Accepted) -> None:
            assert self.sync is not None
            self.restated(accepted)
            self.perform(self.sync.committed(accepted.heads, accepted.own, self.clock.now_ms))

        self.commit(lambda tx: self.replica.accept_fork(tx, proof), tell, lambda error: self.fail(peer, error))

    def records(self, author: bytes, first: int, through: int) -> list[SignedRecord]:
        found = self.store.view(lambda tx: self.replica.records(tx, author, first, through, FETCH_BYTES))
        return [wire(one) for one in found]

    def state(self, document: str) -> Any:
        return self.store.view(lambda tx: self.replica.state(tx, document))

    def digest(self) -> bytes:
        return self.store.view(self.replica.digest)

    def frontier(self) -> dict[bytes, int]:
        return self.store.view(lambda tx: {a: head.seq for a, head in self.replica.heads(tx).items()})


def _raise(error: JarvisError) -> NoReturn:
    raise error


def wire(stored: StoredRecord) -> SignedRecord:
    """A stored record as it travels."""
    return decode_record(stored.header, stored.signature, stored.payload)


class SimHome:
    """`nodes` whole nodes of one home, linked by `connect`, moved by `deliver` and `settle`."""

    def __init__(self, nodes: int, seed: int) -> None:
        self.rng = random.Random(seed)  # nosec B311 - a simulation's faults, not a secret
        self.clock = SimClock()
        self.links: dict[tuple[int, int], deque[bytes]] = {}
        """(from, to) -> frames under way."""
        self.nodes = [
            SimNode(number, SigningKey(self.rng.randbytes(32)), self.clock, self.rng, self._send, self._cut)
            for number in range(nodes)
        ]
        self._number = {node.node_id: node.number for node in self.nodes}
        self.owner = SigningKey(OWNER_SEED)
        recovery = SigningKey(RECOVERY_SEED)
        chain = Chain.found(
            self.owner, recovery.public, self.nodes[0].certificate, nonce=self.rng.randbytes(16), at_ms=START_MS
        )
        for node in self.nodes[1:]:
            chain = chain.admit(self.owner, node.certificate, at_ms=START_MS)
        for node in self.nodes:
            node.found(chain)

    def connect(self, a: int, b: int) -> None:
        if (a, b) in self.links:
            return
        self.links[a, b], self.links[b, a] = deque(), deque()
        for here, there in ((a, b), (b, a)):
            node = self.nodes[here]
            assert node.sync is not None
            node.perform(node.sync.connected(self.nodes[there].node_id, self.clock.now_ms, node.wall_ms()))

    def disconnect(self, a: int, b: int) -> None:
        """Whatever was under way is lost."""
        if self.links.pop((a, b), None) is None:
            return
        del self.links[b, a]
        for here, there in ((a, b), (b, a)):
            node = self.nodes[here]
            if node.sync is not None:
                node.perform(node.sync.disconnected(self.nodes[there].node_id, self.clock.now_ms))

    def restart(self, number: int) -> None:
        """Pull the plug and boot again: links fall, memory is lost, the store stays."""
        for a, b in list(self.links):
            if a == number:
                self.disconnect(a, b)
        self.nodes[number].start()
        self.nodes[number].open()

    def connect_all(self) -> None:
        for a in range(len(self.nodes)):
            for b in range(a):
                self.connect(a, b)

    def deliver(self, a: int, b: int, *, repeat: bool = False) -> None:
        """One frame from a to b; `repeat` leaves it under way, to arrive again."""
        queue = self.links.get((a, b))
        if queue:
            frame = queue[0] if repeat else queue.popleft()
            self.nodes[b].receive(self.nodes[a].node_id, frame)

    def tick(self, ms: float) -> None:
        self.clock.advance(ms)
        for node in self.nodes:
            assert node.sync is not None
            node.perform(node.sync.tick(self.clock.now_ms))

    def settle_pair(self, a: int, b: int) -> None:
        self.settle(nodes=(a, b))

    def settle(self, *, nodes: Iterable[int] | None = None, within_ms: float = 120_000) -> None:
        """Deliver everything and let time pass until these nodes (all of them by default) have the same frontier;
        AssertionError if they never have."""
        chosen = self.nodes if nodes is None else [self.nodes[number] for number in nodes]
        end = self.clock.now_ms + within_ms
        while self.clock.now_ms < end:
            while any(self.links.values()):
                for a, b in [pair for pair, queue in self.links.items() if queue]:
                    self.deliver(a, b)
            if all(node.frontier() == chosen[0].frontier() for node in chosen):
                return
            self.tick(250)
        raise AssertionError("the home did not settle")

    def _send(self, sender: SimNode, peer: bytes, frame: bytes) -> None:
        queue = self.links.get((sender.number, self._number[peer]))
        if queue is not None:
            queue.append(frame)

    def _cut(self, node: SimNode, peer: bytes) -> None:
        self.disconnect(node.number, self._number[peer])
