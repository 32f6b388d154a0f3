"""What the protocol machine wants done: the node carries these out. They only say; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof
from jarvis.identity.record import SignedRecord
from jarvis.store.protocol import Head
from jarvis.sync.horizons import Propose, Snapshot, WantSnapshot
from jarvis.sync.messages import Answer, Digest, Ephemeral, Hello, Message, Request


@dataclass(frozen=True, slots=True)
class Send:
    peer: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read these records from the store and call `fetched`."""

    peer: bytes
    author: bytes
    first: int
    through: int


@dataclass(frozen=True, slots=True)
class Accept:
    """Give these to the replica; call `committed` once what it accepted is durable."""

    peer: bytes
    records: tuple[SignedRecord, ...]


@dataclass(frozen=True, slots=True)
class AcceptMembership:
    """Offer this chain to the replica; call `membership_changed` with the chain that stands then."""

    peer: bytes
    entries: tuple[RawEntry, ...]


@dataclass(frozen=True, slots=True)
class AcceptFork:
    """Give this proof to the replica; call `restated` with what it changed."""

    peer: bytes
    proof: ForkProof


@dataclass(frozen=True, slots=True)
class Echoed:
    """A peer says what it durably holds of this node's own authors."""

    peer: bytes
    heads: tuple[tuple[bytes, Head], ...]


@dataclass(frozen=True, slots=True)
class Deliver:
    """An ephemeral message, a digest, a hello, a request or its answer for the node itself."""

    peer: bytes
    message: Ephemeral | Digest | Hello | Request | Answer


@dataclass(frozen=True, slots=True)
class Drop:
    """Close this link."""

    peer: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """The owner's node proposes a horizon: find the reply (`Replica.proposing`), and `Send` it."""

    peer: bytes
    proposal: Propose


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A member has signed what was proposed; once all have, the owner's node declares the horizon."""

    peer: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """Read this from the store (`Replica.horizons.answer`), and `Send` it."""

    peer: bytes
    want: WantSnapshot


@dataclass(frozen=True, slots=True)
class Stage:
    """Give this to the replica (`Replica.horizons.stage`), take a step, and call `staged`."""

    peer: bytes
    snapshot: Snapshot


OfHorizons = Proposed | Acknowledged | ReadSnapshot | Stage
OF_HORIZONS = (Proposed, Acknowledged, ReadSnapshot, Stage)
Effect = (
    Send
    | Fetch
    | Accept
    | AcceptMembership
    | AcceptFork
    | Echoed
    | Deliver
    | Drop
    | Proposed
    | Acknowledged
    | ReadSnapshot
    | Stage
)


def needs_the_store(effect: Effect) -> bool:
    """Whether carrying it out takes the store, and so its turn after what came before on that link."""
    if isinstance(effect, Deliver):
        asks_digest = isinstance(effect.message, Digest) and effect.message.ask
        return asks_digest or isinstance(effect.message, Request)
    return not isinstance(effect, (Send, Drop))
