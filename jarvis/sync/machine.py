"""The peer protocol of one node with all its peers, as a state machine without I/O: something happened in, a list of
effects out. It decides what to send to whom and whom to ask for what; the node carries the effects out. It reads no
clock (the time comes in) and never touches the store: it asks for records and is told what became durable.

    connected -> hello -> membership until both chains are equal -> heads -> want, records, ack while it lasts

Each record should reach each node about once: an author pushes its own new records to everyone, everything else is
asked for, from one peer an author at a time. Nothing is queued here: a peer that does not acknowledge gets no more
pushes, and asks when it is ready.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.entries import RawEntry, entry_hash
from jarvis.identity.fork import ForkProof
from jarvis.identity.record import SignedRecord
from jarvis.replica.bounds import Bounds
from jarvis.store.protocol import Head
from jarvis.sync.effects import Accept, AcceptFork, AcceptMembership, Deliver, Drop, Echoed, Effect, Fetch, Send
from jarvis.sync.messages import (
    MAX_FRAME_HEADS,
    MAX_RECORDS,
    PROTOCOL,
    Ack,
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
    Want,
)
from jarvis.sync.peer import MIN_REASK_MS, Asked, Peer

FETCH_BYTES = 192 * 1024
"""Of records in one frame, with room for what frames them under 256 KiB."""
WINDOW_BYTES = 1024 * 1024
WINDOW_RECORDS = 512
"""Pushed to a peer and not yet acknowledged as durable; beyond this it asks when it is ready."""
MAX_AUTHORS = 16_384
"""That one peer may name, about 4 MiB: a home of 50 nodes which each begin a new incarnation every week for six years.
Without it a peer could invent them without end."""
MAX_WANTS = 16
"""Asked of one peer and not answered: 3 MiB of answers, which it may hold ready for us without slowing down."""
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
    ) -> None:
        self.node_id = node_id
        self.addresses = tuple(addresses)
        self.peers: dict[bytes, Peer] = {}
        self._chain: list[RawEntry] = []
        self._hashes: list[bytes] = []
        self._set_chain(chain)
        self._heads = dict(heads)
        self._bounds = bounds
        self._asked: dict[bytes, Asked] = {}
        self._behind_since: dict[bytes, float] = {}

    # --- links come and go --------------------------------------------------------------------------------------

    def connected(self, peer: bytes, now_ms: float, wall_ms: int) -> list[Effect]:
        self.peers[peer] = Peer(since_ms=now_ms)
        return [Send(peer, Hello(PROTOCOL, self._hashes[0][:NODE_ID_BYTES], self.node_id, wall_ms, self.addresses))]

    def disconnected(self, peer: bytes, now_ms: float) -> list[Effect]:
        """Whatever it was asked for is asked of others."""
        self.peers.pop(peer, None)
        for author in [author for author, asked in self._asked.items() if asked.peer == peer]:
            del self._asked[author]
        return self._ask(now_ms)

    def tick(self, now_ms: float) -> list[Effect]:
        """Called a few times a second: moves slow wants, spreads news, measures round trips."""
        effects: list[Effect] = []
        for author, asked in list(self._asked.items()):
            holder = self.peers[asked.peer]
            if now_ms - asked.at_ms > holder.patience_ms:
                del self._asked[author]
                holder.brought_nothing(author, now_ms)
                self._behind_since[author] = asked.at_ms
        effects += self._ask(now_ms)
        for name, peer in list(self.peers.items()):
            if not peer.said_hello and now_ms - peer.since_ms > HELLO_WITHIN_MS:
                effects.append(Drop(name, "it never said hello"))
            if peer.unacked and now_ms - peer.progress_ms > peer.patience_ms:
                # A push that was lost on the way to its disk: it must hear that there is something to ask for.
                peer.progress_ms = now_ms
                peer.news |= {author for author, _, _ in peer.unacked}
            if peer.ready and peer.news:
                effects += self._tell(name, peer)
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
        moved = {author for author, head in heads.items() if head.seq > self._seq(author)}
        self._heads.update(heads)
        effects: list[Effect] = []
        if source in self.peers:
            effects += [Send(source, Ack(part)) for part in _parts(tuple(sorted(heads.items())))]
        for author in moved:
            self._behind_since.pop(author, None)
            for peer in self.peers.values():
                peer.rests.pop(author, None)
            asked = self._asked.get(author)
            # One frame answers a want; if it was cut short, the rest is asked for at once.
            if asked and (asked.peer == source or heads[author].seq >= asked.through):
                del self._asked[author]
        pushed = {record.header.author for record in own}
        for name, peer in self.peers.items():
            if peer.ready:
                effects += self._push(name, peer, own, now_ms)
                if name != source:
                    peer.news |= moved - pushed
        return effects + self._ask(now_ms)

    def fetched(self, peer: bytes, records: Sequence[SignedRecord]) -> list[Effect]:
        """The store's answer to a Fetch; empty when there is nothing (any more)."""
        return [Send(peer, Records(tuple(records)))] if records and peer in self.peers else []

    def membership_stands(self, name: bytes) -> list[Effect]:
        """Ours won over the chain that this peer offered: it alone hears of it, so that who repeats a vain offer costs
        nobody else anything."""
        peer = self.peers.get(name)
        if peer is None or not peer.said_hello:
            return []
        return [Send(name, self._membership_for(peer)), *self._heads_if_due(name, peer)]

    def membership_changed(self, chain: Sequence[RawEntry], now_ms: float) -> list[Effect]:
        """A new chain, offered by a peer or made here: everyone hears of it before anything else."""
        self._set_chain(chain)
        effects: list[Effect] = []
        for name, peer in self.peers.items():
            if peer.said_hello:
                effects.append(Send(name, self._membership_for(peer)))
                effects += self._heads_if_due(name, peer)
        return effects + self._ask(now_ms)

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
        self._bounds = bounds
        for author, head in lowered.items():
            if head.seq:
                self._heads[author] = head
            else:
                self._heads.pop(author, None)
            self._asked.pop(author, None)
            for peer in self.peers.values():
                peer.pushed[author] = head.seq
                peer.unacked = [one for one in peer.unacked if one[0] != author]
                if head.seq:
                    peer.news.add(author)
                else:
                    peer.news.discard(author)
        told = [Fork(proof) for proof in forks]
        greeted = [name for name, peer in self.peers.items() if peer.said_hello]
        return [Send(name, message) for name in greeted for message in told] + self._ask(now_ms)

    def suspected(self, name: bytes, author: bytes, seq: int) -> list[Effect]:
        """The peer must hold another record than we do under this number. Asking once for it and some before it gives
        the proof of where the two histories part, or of a later place; then their heads differ again."""
        peer = self.peers.get(name)
        if peer is None or (author, seq) in peer.suspected or not self._counts(author, seq):
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
            case Heads():
                return self._heads_from(name, peer, message, now_ms)
            case Ack():
                return self._acked(name, peer, message, now_ms)
            case Want():
                return [Fetch(name, message.author, message.first, message.through)]
            case Records():
                return [Accept(name, message.records)] if message.records else []
            case Fork():
                return [AcceptFork(name, message.proof)]
            case Digest() | Ephemeral():
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
        # This is the base of what we push: whatever the peer lacks below it, it will ask for.
        peer.pushed = {author: head.seq for author, head in self._heads.items()}
        parts = _parts(tuple(sorted(self._heads.items()))) or [()]
        forks = list(self._bounds.forks.values())[:MAX_FORKS_TOLD] if self._bounds else []
        told: list[Effect] = [Send(name, Fork(proof)) for proof in forks]
        return told + [Send(name, Heads(part, last=part is parts[-1])) for part in parts]

    def _heads_from(self, name: bytes, peer: Peer, message: Heads, now_ms: float) -> list[Effect]:
        effects = self._note(name, peer, message.heads)
        if message.last and not peer.heads_heard:
            peer.heads_heard = True
            peer.news |= {author for author, head in self._heads.items() if head.seq > peer.pushed.get(author, 0)}
        return effects + self._ask(now_ms)

    def _acked(self, name: bytes, peer: Peer, message: Ack, now_ms: float) -> list[Effect]:
        effects = self._note(name, peer, message.heads)
        unacked = [one for one in peer.unacked if one[1] > peer.held(one[0])]
        if len(unacked) < len(peer.unacked):
            peer.progress_ms = now_ms
        peer.unacked = unacked
        if peer.behind_push and not peer.unacked:
            peer.news |= {author for author in self._heads if self._is_mine(author)}
            effects += self._tell(name, peer)
        return effects + self._ask(now_ms)

    def _tell(self, name: bytes, peer: Peer) -> list[Effect]:
        """Our heads of the authors it should hear of; what it lacks it will ask for, and pushing goes on after them."""
        news = tuple((author, self._heads[author]) for author in sorted(peer.news))
        peer.news.clear()
        if any(self._is_mine(author) for author, _ in news):
            peer.behind_push = False
        peer.pushed.update({author: head.seq for author, head in news})
        return [Send(name, Heads(part)) for part in _parts(news)]

    def _note(self, name: bytes, peer: Peer, heads: Iterable[tuple[bytes, Head]]) -> list[Effect]:
        own = []
        effects: list[Effect] = []
        for author, head in heads:
            if author not in peer.heads and len(peer.heads) >= MAX_AUTHORS:
                return [Drop(name, "it names too many authors")]
            peer.heads[author] = head
            if self._is_mine(author):
                own.append((author, head))
            mine = self._heads.get(author)
            if mine is not None and mine.seq == head.seq and mine.hash != head.hash:
                effects += self.suspected(name, author, head.seq)
        return [*effects, Echoed(name, tuple(own))] if own else effects

    def _ping(self, name: bytes, peer: Peer, message: Ping, now_ms: float) -> list[Effect]:
        if not message.reply:
            return [Send(name, Ping(message.nonce, reply=True))]
        if message.nonce == peer.ping_nonce:
            sample = now_ms - peer.ping_at_ms
            peer.rtt_ms = sample if peer.rtt_ms is None else 0.7 * peer.rtt_ms + 0.3 * sample
        return []

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _push(self, name: bytes, peer: Peer, own: Sequence[SignedRecord], now_ms: float) -> list[Effect]:
        """Our own new records, while the peer keeps up and they continue what it was sent."""
        batch: list[SignedRecord] = []
        window = sum(size for _, _, size in peer.unacked)
        for record in own:
            author, seq = record.header.author, record.header.seq
            full = len(peer.unacked) >= WINDOW_RECORDS or window + record.size_bytes > WINDOW_BYTES
            if full or peer.behind_push or peer.pushed.get(author, 0) != seq - 1:
                peer.behind_push = True
                continue
            if not peer.unacked:
                peer.progress_ms = now_ms
            peer.pushed[author] = seq
            peer.unacked.append((author, seq, record.size_bytes))
            window += record.size_bytes
            batch.append(record)
        if peer.behind_push and not peer.unacked:
            peer.news |= {record.header.author for record in own}
        return [Send(name, Records(tuple(part))) for part in _frames(batch)]

    def _ask(self, now_ms: float) -> list[Effect]:
        """One want for every author of whom some peer holds more than we do and nobody was asked. While the author
        itself is here its own word counts first: what others have heard of is probably on its way to us too."""
        effects: list[Effect] = []
        behind: set[bytes] = set()
        wants = Counter(asked.peer for asked in self._asked.values())
        for name, peer in self.peers.items():
            free = MAX_WANTS - wants[name]
            for author, head in peer.heads.items() if peer.ready else ():
                if free <= 0:
                    break
                if author in self._asked or self._beyond(author, head.seq) <= 0 or peer.rests_from(author, now_ms):
                    continue
                present = author[:NODE_ID_BYTES] in self.peers and author[:NODE_ID_BYTES] != name
                if not present or now_ms - self._behind_since.setdefault(author, now_ms) >= MIN_REASK_MS:
                    behind.add(author)
                    free -= 1
        for author in sorted(behind):
            self._behind_since.pop(author, None)
            effects += self._ask_one(author, now_ms)
        return effects

    def _ask_one(self, author: bytes, now_ms: float) -> list[Effect]:
        """Ask the author itself if it is here, else whoever holds most."""
        mine = self._seq(author)
        holders = [
            (name == author[:NODE_ID_BYTES], peer.held(author), name)
            for name, peer in self.peers.items()
            if peer.ready and self._beyond(author, peer.held(author)) > 0 and not peer.rests_from(author, now_ms)
        ]
        if not holders:
            return []
        _, seq, name = max(holders)
        through = mine + min(self._beyond(author, seq), MAX_RECORDS)
        self._asked[author] = Asked(name, through, now_ms)
        return [Send(name, Want(author, mine + 1, through))]

    def _is_mine(self, author: bytes) -> bool:
        return author[:NODE_ID_BYTES] == self.node_id

    def _seq(self, author: bytes) -> int:
        head = self._heads.get(author)
        return head.seq if head else 0

    def _counts(self, author: bytes, seq: int) -> bool:
        return self._bounds is None or self._bounds.counts(author, seq)

    def _beyond(self, author: bytes, seq: int) -> int:
        """How many records that count lie between what we hold and `seq`."""
        last = self._bounds.last(author) if self._bounds else None
        return (seq if last is None else min(seq, last)) - self._seq(author)

    def _set_chain(self, chain: Sequence[RawEntry]) -> None:
        self._chain = list(chain)
        self._hashes = [entry_hash(data) for data, _ in chain]

    def behind(self, peer: bytes) -> int:
        """Records the peer holds and we lack, as far as it said."""
        heads = self.peers[peer].heads
        return sum(max(0, self._beyond(author, head.seq)) for author, head in heads.items())

    def ahead(self, peer: bytes) -> int:
        """Records we hold and the peer did not acknowledge."""
        theirs = self.peers[peer]
        others = {author: head for author, head in self._heads.items() if author[:NODE_ID_BYTES] != peer}
        return sum(max(0, head.seq - theirs.held(author)) for author, head in others.items())


def _parts(heads: tuple[tuple[bytes, Head], ...]) -> list[tuple[tuple[bytes, Head], ...]]:
    return [heads[at : at + MAX_FRAME_HEADS] for at in range(0, len(heads), MAX_FRAME_HEADS)]


def _frames(records: Sequence[SignedRecord]) -> list[list[SignedRecord]]:
    """Batches that fit a frame."""
    result: list[list[SignedRecord]] = []
    size_bytes = 0
    for record in records:
        if not result or len(result[-1]) >= MAX_RECORDS or size_bytes + record.size_bytes > FETCH_BYTES:
            result.append([])
            size_bytes = 0
        result[-1].append(record)
        size_bytes += record.size_bytes
    return result
