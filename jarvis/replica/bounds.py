"""How far each author counts: for ever, up to the cut-off of a removal, or up to the record before its earliest fork.
A removal speaks the last word: no fork changes what lies at or below its cut-off, nor does anything beyond it count.
And nothing, a removal neither, changes what lies at or below a horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.fork import ForkProof
from jarvis.identity.membership import Chain

REMOVED = "its node was removed, and this lies beyond the cut-off"
FORKED = "its author signed two histories (a fork)"
STRANGER = "only a branch of the membership chain that lost has admitted its node"
CLOSED = "a horizon has closed its author, under whose name nobody writes any more"


@dataclass(frozen=True)
class Bounds:
    chain: Chain
    forks: Mapping[bytes, ForkProof] = field(default_factory=dict)
    """Of each author that forked, the proof with the lowest number."""
    strangers: frozenset[bytes] = frozenset()
    """Nodes of whom nothing counts, since only losing branches of the chain know them."""
    ground: Chain | None = None
    """The branch with the horizon that stands, when that is not the chain's."""

    def last(self, author: bytes) -> int | None:
        """The last of an author's records that counts; None when all do."""
        ground = self.ground or self.chain
        if author in ground.collapsed:
            return ground.collapsed[author][0]
        if self.strangers and author[:NODE_ID_BYTES] in self.strangers:
            return self.settled(author)
        cutoff = self.chain.cutoff(author)
        if cutoff is not None:
            return max(cutoff.seq, self.settled(author))
        fork = self.forks.get(author)
        return None if fork is None else max(fork.seq - 1, self.settled(author))

    def settled(self, author: bytes) -> int:
        """The last of an author's records at or below the horizon, which everybody has; 0 when none is."""
        ground = self.ground or self.chain
        if author in ground.collapsed:
            return ground.collapsed[author][0]
        return ground.horizon.seq(author) if ground.horizon else 0

    def counts(self, author: bytes, seq: int) -> bool:
        last = self.last(author)
        return last is None or seq <= last

    def reason(self, author: bytes) -> str:
        """Why an author is bounded, in a few words."""
        if author in (self.ground or self.chain).collapsed:
            return CLOSED
        if author[:NODE_ID_BYTES] in self.strangers:
            return STRANGER
        return FORKED if self.chain.cutoff(author) is None else REMOVED

    @property
    def any(self) -> bool:
        closed = (self.ground or self.chain).collapsed
        return bool(self.forks or self.chain.removed or closed or self.strangers)
