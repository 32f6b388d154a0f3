"""What goes to a peer without being asked for: our own new records while it keeps up, and news of heads."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.identity.record import SignedRecord
from jarvis.store.protocol import Head
from jarvis.sync.effects import Effect, Send
from jarvis.sync.messages import MAX_FRAME_HEADS, MAX_RECORDS, Heads, Records
from jarvis.sync.peer import Peer
from jarvis.sync.view import View

FETCH_BYTES = 192 * 1024
"""Of records in one frame, with room for what frames them under 256 KiB."""
WINDOW_BYTES = 1024 * 1024
WINDOW_RECORDS = 512
"""Pushed to a peer and not yet acknowledged as durable; beyond this it asks when it is ready."""


class Pushing:
    def __init__(self, view: View) -> None:
        self._view = view

    def push(self, name: bytes, peer: Peer, own: Sequence[SignedRecord], now_ms: float) -> list[Effect]:
        """Our own new records, while the peer keeps up and they continue what it was sent."""
        batch: list[SignedRecord] = []
        window = sum(size for _, _, size in peer.unacked)
        for record in own:
            author, seq = record.header.author, record.header.seq
            full = len(peer.unacked) >= WINDOW_RECORDS or window + record.size_bytes > WINDOW_BYTES
            if full or not peer.outgoing.is_left or peer.behind_push or peer.pushed.get(author, 0) != seq - 1:
                peer.behind_push = True
                continue
            if not peer.unacked:
                peer.progress_ms = now_ms
            peer.pushed[author] = seq
            peer.unacked.append((author, seq, record.size_bytes))
            peer.outgoing.sent(record)
            window += record.size_bytes
            batch.append(record)
        if peer.behind_push and not peer.unacked:
            peer.news |= {record.header.author for record in own}
        return [Send(name, Records(tuple(part))) for part in _frames(batch)]

    def acked(self, name: bytes, peer: Peer, now_ms: float) -> list[Effect]:
        """It says what it holds; pushing may go on."""
        unacked = [one for one in peer.unacked if one[1] > peer.held(one[0])]
        if len(unacked) < len(peer.unacked):
            peer.progress_ms = now_ms
        peer.unacked = unacked
        if peer.behind_push and not peer.unacked:
            peer.news |= {author for author in self._view.heads if self._view.is_mine(author)}
            return self.tell(name, peer)
        return []

    def due(self, name: bytes, peer: Peer, now_ms: float) -> list[Effect]:
        """News that is due, and a word about pushes that were lost on the way to its disk."""
        if peer.unacked and now_ms - peer.progress_ms > peer.patience_ms:
            peer.progress_ms = now_ms
            peer.news |= {author for author, _, _ in peer.unacked}
        return self.tell(name, peer) if peer.ready and peer.news else []

    def tell(self, name: bytes, peer: Peer) -> list[Effect]:
        """Our heads of the authors it should hear of; what it lacks it will ask for, and pushing goes on after them."""
        news = tuple((author, self._view.heads[author]) for author in sorted(peer.news))
        peer.news.clear()
        if any(self._view.is_mine(author) for author, _ in news):
            peer.behind_push = False
        peer.pushed.update({author: head.seq for author, head in news})
        return [Send(name, Heads(part)) for part in frontier_frames(news)]

    def begin(self, peer: Peer) -> None:
        """This is the base of what we push: whatever the peer lacks below it, it will ask for."""
        peer.pushed = {author: head.seq for author, head in self._view.heads.items()}

    def catch_up(self, peer: Peer) -> None:
        """It may be told of what came since then."""
        peer.news |= {author for author, head in self._view.heads.items() if head.seq > peer.pushed.get(author, 0)}

    def lowered(self, author: bytes, head: Head) -> None:
        """Less of this author counts than before; `head` is its last record that does."""
        for peer in self._view.peers.values():
            peer.pushed[author] = head.seq
            peer.unacked = [one for one in peer.unacked if one[0] != author]
            if head.seq:
                peer.news.add(author)
            else:
                peer.news.discard(author)


def frontier_frames(heads: tuple[tuple[bytes, Head], ...]) -> list[tuple[tuple[bytes, Head], ...]]:
    """A frontier in parts that fit a frame."""
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
