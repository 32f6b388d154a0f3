"""What accepting a batch did: the whole story, for the protocol, the node and its log."""

from __future__ import annotations

from dataclasses import dataclass, field

from jarvis.identity.branches import Branches
from jarvis.identity.fork import ForkProof
from jarvis.identity.record import SignedRecord
from jarvis.replica.bounds import Bounds
from jarvis.store.protocol import APPLIED, Head, StoredRecord

NOTHING = Head(0, b"")
"""The frontier of an author of whom nothing is held."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not kept, or is kept and not valid. `blame` says whom the reason speaks against."""

    author: bytes
    seq: int
    reason: str
    blame: str
    """`sender` when the bytes are not the author's, `author` when they are."""


@dataclass(slots=True)
class Accepted:
    """What a batch did."""

    heads: dict[bytes, Head] = field(default_factory=dict)
    """Authors whose frontier moved, with where it is now."""
    records: list[StoredRecord] = field(default_factory=list)
    """New records in the order of their positions, rejected and unknown ones too."""
    refused: list[Refusal] = field(default_factory=list)
    """Not kept."""
    invalid: list[Refusal] = field(default_factory=list)
    """Kept as rejected, so that their authors' chains go on."""
    lowered: dict[bytes, Head] = field(default_factory=dict)
    """Authors of whom less counts than before, with where their frontier is now; NOTHING when none does."""
    forks: list[ForkProof] = field(default_factory=list)
    """New proofs."""
    bounds: Bounds | None = None
    """How far each author counts now, when that has changed."""
    branches: Branches | None = None
    """The membership and its losing branches, when one of them is new."""
    suspects: list[tuple[bytes, int]] = field(default_factory=list)
    """(author, seq) of which the sender must hold another record than we do: asking for it gives a proof."""
    restated: set[str] = field(default_factory=set)
    """Documents that changed because records were set aside, taken back or erased."""
    own: list[SignedRecord] = field(default_factory=list)
    """Written here in the course of it: deletions again, of what was erased and would not be deleted any more."""
    duplicates: int = 0

    @property
    def documents(self) -> set[str]:
        """Those that changed."""
        return self.restated | {record.document for record in self.records if record.status == APPLIED}
