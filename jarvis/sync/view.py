"""What this node holds and who its peers are: what all parts of the protocol look at. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.replica.bounds import Bounds
from jarvis.store.protocol import Head
from jarvis.sync.peer import Peer


@dataclass(slots=True)
class View:
    node_id: bytes
    heads: dict[bytes, Head]
    """Of each author what is durable here."""
    bounds: Bounds | None
    peers: dict[bytes, Peer] = field(default_factory=dict)

    def is_mine(self, author: bytes) -> bool:
        return author[:NODE_ID_BYTES] == self.node_id

    def seq(self, author: bytes) -> int:
        head = self.heads.get(author)
        return head.seq if head else 0

    def counts(self, author: bytes, seq: int) -> bool:
        return self.bounds is None or self.bounds.counts(author, seq)

    def settled(self, author: bytes) -> int:
        """The last record at or below the horizon."""
        return self.bounds.settled(author) if self.bounds else 0

    def beyond(self, author: bytes, seq: int) -> int:
        """How many records that count lie between what we hold and `seq`. Below a horizon there are none to ask for:
        what was there is brought whole."""
        mine = self.seq(author)
        if seq <= mine or mine < self.settled(author):  # the first is by far the most frequent
            return 0
        last = self.bounds.last(author) if self.bounds else None
        return max(0, (seq if last is None else min(seq, last)) - mine)

    def lower(self, lowered: Mapping[bytes, Head]) -> None:
        """Less of these authors counts than before."""
        for author, head in lowered.items():
            if head.seq:
                self.heads[author] = head
            else:
                self.heads.pop(author, None)
