"""What is known of one connected peer, and how long to be patient with it. Bookkeeping only: the machine decides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jarvis.store.protocol import Head
from jarvis.sync.credit import Incoming, Outgoing

if TYPE_CHECKING:  # messages knows those of horizons, which know peers
    from jarvis.sync.messages import Want

MIN_REASK_MS = 2_000
REASK_ROUND_TRIPS = 4
"""A want unanswered for max(2 s, 4 round trips) moves to another peer."""
MAX_REST_MS = 16_000
"""A peer whose answers do not bring an author forward is asked for it again after 2, 4, 8, 16 s: what it holds may be
a fork or wait for something, and asking faster would only repeat the same records."""


@dataclass(slots=True)
class Asked:
    """A want under way."""

    peer: bytes
    through: int
    at_ms: float


@dataclass(slots=True)
class Peer:
    """What is known of one connected peer."""

    since_ms: float
    said_hello: bool = False
    chain_length: int = 0
    chain_head: bytes = b""
    heads_sent: bool = False
    heads_heard: bool = False
    heads: dict[bytes, Head] = field(default_factory=dict)
    """What it durably holds, as far as it said."""
    pushed: dict[bytes, int] = field(default_factory=dict)
    unacked: list[tuple[bytes, int, int]] = field(default_factory=list)
    """(author, seq, bytes) pushed and not acknowledged."""
    progress_ms: float = 0.0
    """When it last acknowledged a push, or was sent the first of those that are not acknowledged."""
    rests: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    """Author -> how many wants brought nothing, and until when it is not asked again."""
    behind_push: bool = False
    """A push was left out; it must hear of our head when it has caught up."""
    clock_offset_ms: int = 0
    rtt_ms: float | None = None
    ping_nonce: int = 0
    ping_at_ms: float = 0.0
    suspected: set[tuple[bytes, int]] = field(default_factory=set)
    """(author, seq) that it was asked for because it must hold another record there than we do."""
    news: set[bytes] = field(default_factory=set)
    """Authors whose new head it should hear of with the next tick."""
    outgoing: Outgoing = field(default_factory=Outgoing)
    incoming: Incoming = field(default_factory=Incoming)
    wants: deque[Want] = field(default_factory=deque)
    """What it asked for and was not answered yet."""
    is_fetching: bool = False
    """The store looks for one of its wants."""

    @property
    def ready(self) -> bool:
        """Both frontiers were exchanged."""
        return self.heads_sent and self.heads_heard

    @property
    def patience_ms(self) -> float:
        """How long an answer may take."""
        return max(MIN_REASK_MS, REASK_ROUND_TRIPS * (self.rtt_ms or 0.0))

    def brought_nothing(self, author: bytes, now_ms: float) -> None:
        """A want brought nothing: do not ask here for this author for a while, longer each time."""
        tries = self.rests.get(author, (0, 0.0))[0]
        self.rests[author] = (min(tries + 1, 8), now_ms + min(MIN_REASK_MS * 2**tries, MAX_REST_MS))

    def rests_from(self, author: bytes, now_ms: float) -> bool:
        return author in self.rests and now_ms < self.rests[author][1]

    def held(self, author: bytes) -> int:
        """Up to where it said to hold this author; 0 when it named none."""
        head = self.heads.get(author)
        return head.seq if head else 0
