"""Whom to ask for what: one want an author at a time, so that each record reaches each node about once. A want that
brings nothing moves to another peer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.store.protocol import Head
from jarvis.sync.effects import Effect, Send
from jarvis.sync.messages import MAX_RECORDS, Want
from jarvis.sync.peer import MIN_REASK_MS, Asked, Peer
from jarvis.sync.view import View

MAX_WANTS = 16
"""Asked of one peer and not answered: 3 MiB of answers, which it may hold ready for us without slowing down."""


class Asking:
    def __init__(self, view: View) -> None:
        self._view = view
        self._asked: dict[bytes, Asked] = {}
        self._behind_since: dict[bytes, float] = {}
        self.paused = False
        """Nothing more can be taken in here, so nobody is asked for it."""

    def forget_peer(self, name: bytes) -> None:
        """Whatever it was asked for is asked of others."""
        for author in [author for author, asked in self._asked.items() if asked.peer == name]:
            del self._asked[author]

    def forget_authors(self, authors: Iterable[bytes]) -> None:
        for author in authors:
            self._asked.pop(author, None)

    def move_slow(self, now_ms: float) -> None:
        """Wants that were not answered in time are free for other peers."""
        for author, asked in list(self._asked.items()):
            holder = self._view.peers[asked.peer]
            if now_ms - asked.at_ms > holder.patience_ms:
                del self._asked[author]
                holder.brought_nothing(author, now_ms)
                self._behind_since[author] = asked.at_ms

    def moved(self, heads: Mapping[bytes, Head], moved: Iterable[bytes], source: bytes | None) -> None:
        """These authors' records came from `source` and are durable."""
        for author in moved:
            self._behind_since.pop(author, None)
            for peer in self._view.peers.values():
                peer.rests.pop(author, None)
            asked = self._asked.get(author)
            # One frame answers a want; if it was cut short, the rest is asked for at once.
            if asked and (asked.peer == source or heads[author].seq >= asked.through):
                del self._asked[author]

    def ask(self, now_ms: float) -> list[Effect]:
        """One want for every author of whom some peer holds more than we do and nobody was asked. While the author
        itself is here its own word counts first: what others have heard of is probably on its way to us too."""
        if self.paused:
            return []
        behind: set[bytes] = set()
        wants = Counter(asked.peer for asked in self._asked.values())
        for name, peer in self._view.peers.items():
            free = MAX_WANTS - wants[name]
            if peer.ready and free > 0:
                behind.update(nsmallest(free, self._lacking(name, peer, now_ms), key=self._rank))
        effects: list[Effect] = []
        for author in sorted(behind, key=self._rank):
            self._behind_since.pop(author, None)
            effects += self._ask_one(author, now_ms)
        return effects

    def _lacking(self, name: bytes, peer: Peer, now_ms: float) -> Iterator[bytes]:
        """Authors of whom this peer holds more, and who may be asked for now."""
        held = self._view.heads
        for author, head in peer.heads.items():
            if author in held and head.seq <= held[author].seq:
                continue  # by far the most frequent, and all authors are looked at with every message
            if author in self._asked or self._view.beyond(author, head.seq) <= 0 or peer.rests_from(author, now_ms):
                continue
            present = author[:NODE_ID_BYTES] in self._view.peers and author[:NODE_ID_BYTES] != name
            if not present or now_ms - self._behind_since.setdefault(author, now_ms) >= MIN_REASK_MS:
                yield author

    def _rank(self, author: bytes) -> tuple[bool, int, bytes]:
        """Lower is asked for first. Who comes home wants what was said today, not years of somebody's past: so whoever
        is here now goes first, and of these the one of whom least is missing."""
        most = max((peer.held(author) for peer in self._view.peers.values() if peer.ready), default=0)
        return author[:NODE_ID_BYTES] not in self._view.peers, self._view.beyond(author, most), author

    def _ask_one(self, author: bytes, now_ms: float) -> list[Effect]:
        """Ask the author itself if it is here, else whoever holds most."""
        mine = self._view.seq(author)
        holders = [
            (name == author[:NODE_ID_BYTES], peer.held(author), name)
            for name, peer in self._view.peers.items()
            if peer.ready and self._view.beyond(author, peer.held(author)) > 0 and not peer.rests_from(author, now_ms)
        ]
        if not holders:
            return []
        _, seq, name = max(holders)
        through = mine + min(self._view.beyond(author, seq), MAX_RECORDS)
        self._asked[author] = Asked(name, through, now_ms)
        return [Send(name, Want(author, mine + 1, through))]
