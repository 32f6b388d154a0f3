"""The peer protocol of one node with all its peers, as a state machine without I/O: something happened in, a list of
effects out. It decides what to send to whom and whom to ask for what; the node carries the effects out. It reads no
clock (the time comes in) and never touches the store: it asks for records and is told what became durable.

    connected -> hello -> membership until both chains are equal -> heads -> want, records, ack while it lasts

Each record should reach each node about once: an author pushes its own new records to everyone, everything else is
asked for, from one peer an author at a time. No records are queued here: a peer that does not acknowledge gets no more
pushes, and asks when it is ready; one that does not take in answers waits for the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.branches import Branches
from jarvis.identity.entries import RawEntry, entry_hash
from jarvis.identity.fork import ForkProof
from jarvis.identity.record import SignedRecord
from jarvis.replica.bounds import Bounds
from jarvis.replica.horizon import Need
from jarvis.store.protocol import Head
from jarvis.sync.asking import Asking
from jarvis.sync.branching import Branching
from jarvis.sync.credit import Credit
from jarvis.sync.effects import (
    Accept,
    AcceptFork,
    AcceptMembership,
    Acknowledged,
    Deliver,
    Drop,
    Echoed,
    Effect,
    Proposed,
    ReadSnapshot,
    Send,
    Stage,
)
from jarvis.sync.horizons import Acknowledge, Fetching, Proposal, Propose, Snapshot, WantSnapshot
from jarvis.sync.messages import (
    PROTOCOL,
    Ack,
    Answer,
    Branch,
    Digest,
    Ephemeral,
    Fork,
    Heads,
    Hello,
    Membership,
    Message,
    Ping,
    Records,
    Refuse,
    Request,
    Want,
)
from jarvis.sync.peer import Peer
from jarvis.sync.pushing import Pushing, frontier_frames
from jarvis.sync.serving import answer_next, answered, asked
from jarvis.sync.view import View

MAX_AUTHORS = 16_384
"""That one peer may name, about 4 MiB: a home of 50 nodes which each begin a new incarnation every week for six years.
Without it a peer could invent them without end."""
PING_EVERY_MS = 5_000
MAX_MEMBERSHIP_BYTES = 192 * 1024
HELLO_WITHIN_MS = 10_000
LOOK_BACK = 63
"""Records before a suspect one that are asked for with it: most forks are noticed within a few."""
MAX_SUSPECTED = 4_096
"""Of one peer on one link; a fork of any length is told apart 64 records at a time."""
MAX_FORKS_TOLD = 256
"""On a new link, half a KiB each."""


class Sync:
    """One node's side of all its links."""

    def __init__(
        self,
        node_id: bytes,
        chain: Sequence[RawEntry],
        heads: Mapping[bytes, Head],
        *,
        bounds: Bounds | None = None,
        addresses: Sequence[str] = (),
        branches: Branches | None = None,
    ) -> None:
        self.node_id = node_id
        self.addresses = tuple(addresses)
        self._view = View(node_id, dict(heads), bounds)
        self.peers = self._view.peers
        self._asking = Asking(self._view)
        self._pushing = Pushing(self._view)
        self._fetching = Fetching()
        self.proposal: Proposal | None = None
        """On the owner's node, while members have not signed it."""
        self._chain: list[RawEntry] = []
        self._hashes: list[bytes] = []
        self._set_chain(chain)
        self._branching = Branching()
        self._branching.now(branches)

    # --- links come and go --------------------------------------------------------------------------------------

    def connected(self, peer: bytes, now_ms: float, wall_ms: int) -> list[Effect]:
        self.peers[peer] = Peer(since_ms=now_ms)
        return [Send(peer, Hello(PROTOCOL, self._hashes[0][:NODE_ID_BYTES], self.node_id, wall_ms, self.addresses))]

    def disconnected(self, peer: bytes, now_ms: float) -> list[Effect]:
        """Whatever it was asked for is asked of others."""
        self.peers.pop(peer, None)
        self._asking.forget_peer(peer)
        self._fetching.gone(peer)
        return self._asking.ask(now_ms)

    def pause(self, paused: bool) -> None:
        """Whether to ask nobody for anything, since nothing can be taken in."""
        self._asking.paused = paused

    def ask_again(self) -> None:
        """What peers sent was not taken in here, and can be now: none of them rests any longer."""
        for peer in self.peers.values():
            peer.rests.clear()

    def tick(self, now_ms: float) -> list[Effect]:
        """Called a few times a second: moves slow wants, spreads news, measures round trips."""
        self._asking.move_slow(now_ms)
        effects = self._asking.ask(now_ms) + self._horizons_due(now_ms)
        for name, peer in list(self.peers.items()):
            if not peer.said_hello and now_ms - peer.since_ms > HELLO_WITHIN_MS:
                effects.append(Drop(name, "it never said hello"))
            effects += self._pushing.due(name, peer, now_ms)
            if peer.said_hello and now_ms - peer.ping_at_ms >= PING_EVERY_MS:
                peer.ping_nonce, peer.ping_at_ms = peer.ping_nonce + 1, now_ms
                effects.append(Send(name, Ping(peer.ping_nonce)))
        return effects

    # --- what the node did --------------------------------------------------------------------------------------

    def committed(
        self, heads: Mapping[bytes, Head], own: Sequence[SignedRecord], now_ms: float, *, source: bytes | None = None
    ) -> list[Effect]:
        """`heads` are durable now. `own` are new records of this node, to be pushed. `source` is the peer whose records
        were accepted, with `heads` of every author among them, moved or not: it is acknowledged at once."""
        moved = {author for author, head in heads.items() if head.seq > self._view.seq(author)}
        self._view.heads.update(heads)
        effects: list[Effect] = []
        if source in self.peers:
            effects += [Send(source, Ack(part)) for part in frontier_frames(tuple(sorted(heads.items())))]
        self._asking.moved(heads, moved, source)
        pushed = {record.header.author for record in own}
        for name, peer in self.peers.items():
            if peer.ready:
                effects += self._pushing.push(name, peer, own, now_ms)
                if name != source:
                    peer.news |= moved - pushed
        return effects + self._asking.ask(now_ms)

    def fetched(self, name: bytes, records: Sequence[SignedRecord]) -> list[Effect]:
        """The store's answer to a Fetch; empty when there is nothing (any more), or when it could not say."""
        peer = self.peers.get(name)
        return answered(name, peer, records) if peer is not None else []

    def took_in(self, name: bytes, records: Sequence[SignedRecord]) -> list[Effect]:
        """What a peer sent needs no more room here, whatever became of it: as much again may follow."""
        peer = self.peers.get(name)
        credit = peer.incoming.took(records) if peer is not None else None
        return [Send(name, credit)] if credit is not None else []

    def membership_stands(self, name: bytes) -> list[Effect]:
        """Ours won over the chain that this peer offered: it alone hears of it, so that who repeats a vain offer costs
        nobody else anything."""
        peer = self.peers.get(name)
        if peer is None or not peer.said_hello:
            return []
        return [Send(name, self._membership_for(peer)), *self._heads_if_due(name, peer)]

    def membership_changed(
        self, chain: Sequence[RawEntry], now_ms: float, *, branches: Branches | None = None
    ) -> list[Effect]:
        """A new chain, or a new branch that lost against it, offered by a peer or made here: everyone hears of it
        before anything else."""
        self._set_chain(chain)
        new = self._branching.now(branches)
        effects: list[Effect] = []
        for name, peer in self.peers.items():
            if peer.said_hello:
                effects.append(Send(name, self._membership_for(peer)))
                effects += [Send(name, branch) for branch in new if peer.heads_sent]
                effects += self._heads_if_due(name, peer)
        return effects + self._asking.ask(now_ms)

    def restated(
        self,
        bounds: Bounds,
        lowered: Mapping[bytes, Head],
        forks: Iterable[ForkProof],
        now_ms: float,
    ) -> list[Effect]:
        """Less of some authors counts than before (`lowered`: where their frontier is now), because of a removal or of
        new `forks`, of which everybody is told at once: also whoever brought the record that proves one, since it may
        hold nothing but its own branch."""
        self._view.bounds = bounds
        self._view.lower(lowered)
        self._asking.forget_authors(lowered)
        for author, head in lowered.items():
            self._pushing.lowered(author, head)
        told = [Fork(proof) for proof in forks]
        greeted = [name for name, peer in self.peers.items() if peer.said_hello]
        return [Send(name, message) for name in greeted for message in told] + self._asking.ask(now_ms)

    def suspected(self, name: bytes, author: bytes, seq: int) -> list[Effect]:
        """The peer must hold another record than we do under this number. Asking once for it and some before it gives
        the proof of where the two histories part, or of a later place; then their heads differ again."""
        peer = self.peers.get(name)
        if peer is None or (author, seq) in peer.suspected or not self._view.counts(author, seq):
            return []
        if seq <= self._view.settled(author):  # nothing proves a fork any more
            return []
        if len(peer.suspected) >= MAX_SUSPECTED:
            return [Drop(name, "its histories differ from ours again and again")]
        peer.suspected.add((author, seq))
        return [Send(name, Want(author, max(1, seq - LOOK_BACK), seq))]

    def broadcast(self, topic: str, body: bytes) -> list[Effect]:
        return [Send(name, Ephemeral(topic, body)) for name, peer in self.peers.items() if peer.said_hello]

    # --- what a peer said -----------------------------------------------------------------------------------------

    def received(self, name: bytes, message: Message, now_ms: float, wall_ms: int) -> list[Effect]:
        peer = self.peers.get(name)
        if peer is None:
            return []
        if not peer.said_hello:
            if isinstance(message, Refuse):
                return [Drop(name, f"it refused: {message.reason}")]
            if not isinstance(message, Hello):
                return [Drop(name, "it did not say hello first")]
            return self._hello(name, peer, message, wall_ms)
        match message:
            case Hello():
                return [Drop(name, "it said hello twice")]
            case Membership():
                return self._membership(name, peer, message)
            case Branch():
                return self._branch(name, message)
            case Heads():
                return self._heads_from(name, peer, message, now_ms)
            case Ack():
                return self._acked(name, peer, message, now_ms)
            case Want():
                return asked(name, peer, message)
            case Credit():
                peer.outgoing.allowed(message)
                return answer_next(name, peer)
            case Records():
                return [Accept(name, message.records)] if message.records else []
            case Fork():
                return [AcceptFork(name, message.proof)]
            case Propose() | Acknowledge() | WantSnapshot() | Snapshot():
                return self._of_horizons(name, message, now_ms)
            case Digest() | Ephemeral() | Request() | Answer():
                return [Deliver(name, message)]
            case Ping():
                return self._ping(name, peer, message, now_ms)
            case Refuse():
                return [Drop(name, f"it refused: {message.reason}")]

    def _hello(self, name: bytes, peer: Peer, hello: Hello, wall_ms: int) -> list[Effect]:
        reason = ""
        if hello.protocol != PROTOCOL:
            reason = f"protocol {hello.protocol} is not {PROTOCOL}; one of the two needs an upgrade"
        elif hello.home_id != self._hashes[0][:NODE_ID_BYTES]:
            reason = "it belongs to another home"
        elif hello.node_id != name:
            reason = "its name is not its certificate's"
        if reason:
            return [Send(name, Refuse(reason)), Drop(name, reason)]
        peer.said_hello = True
        peer.clock_offset_ms = hello.wall_ms - wall_ms
        return [Deliver(name, hello), Send(name, Membership(len(self._chain), self._hashes[-1], len(self._chain)))]

    def _membership(self, name: bytes, peer: Peer, message: Membership) -> list[Effect]:
        peer.chain_length, peer.chain_head = message.length, message.head
        if message.entries:
            if message.first > len(self._chain):
                return [Drop(name, "its membership entries leave a gap")]
            # A hash stands for all before it: an offer that ends in an entry of ours holds nothing new to verify.
            if entry_hash(message.entries[-1][0]) not in self._hashes:
                return [AcceptMembership(name, (*self._chain[: message.first], *message.entries))]
        effects: list[Effect] = []
        if message.head != self._hashes[-1] and (message.entries or message.length <= len(self._chain)):
            effects.append(Send(name, self._membership_for(peer)))
        return effects + self._heads_if_due(name, peer)

    def _branch(self, name: bytes, message: Branch) -> list[Effect]:
        """Told on a link once its chain is ours; of another chain's it says nothing that could be verified."""
        first = message.first
        ours = first <= len(self._chain) and self._hashes[first - 1] == message.prev
        if not ours or self._branching.is_known(message) or entry_hash(message.entries[-1][0]) in self._hashes:
            return []
        return [AcceptMembership(name, (*self._chain[:first], *message.entries))]

    def _membership_for(self, peer: Peer) -> Membership:
        """What the peer lacks; the whole chain where the two part."""
        length = peer.chain_length
        shared = 0 < length <= len(self._chain) and self._hashes[length - 1] == peer.chain_head
        first = length if shared else 0
        entries, size_bytes = [], 0
        for data, signature in self._chain[first:]:
            size_bytes += len(data) + len(signature)
            if size_bytes > MAX_MEMBERSHIP_BYTES:
                break
            entries.append((data, signature))
        return Membership(len(self._chain), self._hashes[-1], first, tuple(entries))

    def _heads_if_due(self, name: bytes, peer: Peer) -> list[Effect]:
        """Membership first: our frontier goes out once the peer's chain is ours or the beginning of ours."""
        if peer.heads_sent or peer.chain_head not in self._hashes:
            return []
        peer.heads_sent = True
        self._pushing.begin(peer)
        parts = frontier_frames(tuple(sorted(self._view.heads.items()))) or [()]
        forks = list(self._view.bounds.forks.values())[:MAX_FORKS_TOLD] if self._view.bounds else []
        told: list[Effect] = [Send(name, Fork(proof)) for proof in forks]
        told = [Send(name, branch) for branch in self._branching.told] + told
        return told + [Send(name, Heads(part, last=part is parts[-1])) for part in parts]

    def _heads_from(self, name: bytes, peer: Peer, message: Heads, now_ms: float) -> list[Effect]:
        effects = self._note(name, peer, message.heads)
        if message.last and not peer.heads_heard:
            peer.heads_heard = True
            self._pushing.catch_up(peer)
        return effects + self._asking.ask(now_ms)

    def _acked(self, name: bytes, peer: Peer, message: Ack, now_ms: float) -> list[Effect]:
        effects = self._note(name, peer, message.heads)
        effects += self._pushing.acked(name, peer, now_ms)
        return effects + self._asking.ask(now_ms)

    def _note(self, name: bytes, peer: Peer, heads: Iterable[tuple[bytes, Head]]) -> list[Effect]:
        own = []
        effects: list[Effect] = []
        for author, head in heads:
            if author not in peer.heads and len(peer.heads) >= MAX_AUTHORS:
                return [Drop(name, "it names too many authors")]
            peer.heads[author] = head
            if self._view.is_mine(author):
                own.append((author, head))
            mine = self._view.heads.get(author)
            if mine is not None and mine.seq == head.seq and mine.hash != head.hash:
                effects += self.suspected(name, author, head.seq)
        return [*effects, Echoed(name, tuple(own))] if own else effects

    # --- horizons -------------------------------------------------------------------------------------------------

    def propose(self, proposal: Proposal | None, now_ms: float) -> list[Effect]:
        """Ask all members that have not signed it, now and again; None: nothing is proposed any more."""
        self.proposal = proposal
        return self._horizons_due(now_ms)

    def told(self, but: Collection[bytes]) -> list[dict[bytes, int]]:
        """How far each linked peer holds each author, of all but these, as far as is known. What it wrote itself it
        held before anybody else."""
        frontiers = []
        for name, peer in self.peers.items():
            if peer.ready and name not in but:
                own = {author: head.seq for author, head in self._view.heads.items() if author.startswith(name)}
                frontiers.append({author: head.seq for author, head in peer.heads.items()} | own)
        return frontiers

    def lacks(self, need: Need | None, now_ms: float) -> list[Effect]:
        """What a peer must bring of the newest horizon before this node can take it."""
        self._fetching.lacks(need)
        return self._horizons_due(now_ms)

    def staged(self, peer: bytes, need: Need | None, now_ms: float, *, useful: bool) -> list[Effect]:
        """What a peer brought is durable, or was of no use; what is needed now."""
        if not useful:
            self._fetching.useless(peer, now_ms)
        return self.lacks(need, now_ms)

    def _horizons_due(self, now_ms: float) -> list[Effect]:
        effects: list[Effect] = []
        if self.proposal is not None:
            asked = Propose(self.proposal.frontier, self.proposal.root)
            ready = [name for name, peer in self.peers.items() if peer.ready]
            effects += [Send(name, asked) for name in ready if self.proposal.due(name, now_ms)]
        asked_for = self._fetching.asked
        if asked_for in self.peers and self._fetching.is_late(self.peers[asked_for].patience_ms, now_ms):
            self._fetching.useless(asked_for, now_ms)
        want = self._fetching.choose([name for name, peer in self.peers.items() if peer.ready], now_ms)
        return [*effects, Send(self._fetching.asked, want)] if want is not None else effects

    def _of_horizons(
        self, name: bytes, message: Propose | Acknowledge | WantSnapshot | Snapshot, now_ms: float
    ) -> list[Effect]:
        match message:
            case Propose():
                owner = self._view.bounds.chain.owner_node if self._view.bounds else b""
                return [Proposed(name, message)] if name == owner else []
            case Acknowledge(root, signature, reason):
                if self.proposal is None or root != self.proposal.root or name not in self.proposal.missing:
                    return []
                if signature:
                    return [Acknowledged(name, signature)]
                self.proposal.reasons[name] = reason
                return []
            case WantSnapshot():
                return [ReadSnapshot(name, message)]
            case Snapshot():
                if self._fetching.answered(name, message, now_ms):
                    return [Stage(name, message)]
                return self._horizons_due(now_ms)

    def _ping(self, name: bytes, peer: Peer, message: Ping, now_ms: float) -> list[Effect]:
        if not message.reply:
            return [Send(name, Ping(message.nonce, reply=True))]
        if message.nonce == peer.ping_nonce:
            sample = now_ms - peer.ping_at_ms
            peer.rtt_ms = sample if peer.rtt_ms is None else 0.7 * peer.rtt_ms + 0.3 * sample
        return []

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _set_chain(self, chain: Sequence[RawEntry]) -> None:
        self._chain = list(chain)
        self._hashes = [entry_hash(data) for data, _ in chain]

    def behind(self, peer: bytes) -> int:
        """Records the peer holds and we lack, as far as it said."""
        heads = self.peers[peer].heads
        return sum(max(0, self._view.beyond(author, head.seq)) for author, head in heads.items())

    def ahead(self, peer: bytes) -> int:
        """Records we hold and the peer did not acknowledge."""
        theirs = self.peers[peer]
        others = {author: head for author, head in self._view.heads.items() if author[:NODE_ID_BYTES] != peer}
        return sum(max(0, head.seq - theirs.held(author)) for author, head in others.items())
