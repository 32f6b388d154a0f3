"""What peers say about horizons: the owner's node proposes one and the others acknowledge it; who lacks what lies below
one is brought the documents. The messages' shapes, and the two sides' bookkeeping; what a horizon is decides
`jarvis.replica.horizon`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.identity.horizon import Frontier, read_frontier, write_frontier
from jarvis.identity.keys import SIGNATURE_BYTES
from jarvis.identity.record import HASH_BYTES, MAX_DOCUMENT_BYTES
from jarvis.replica.horizon import MAX_PARTS, Need
from jarvis.replica.manifest import MAX_BASE_BYTES
from jarvis.replica.staging import Part
from jarvis.sync.peer import MAX_REST_MS, MIN_REASK_MS

MAX_REASON_CHARS = 200
PROPOSE_EVERY_MS = 10_000
"""To a member that has not answered: its link may have begun anew."""
PROPOSE_AGAIN_MS = 30_000
"""To one that did not sign: it may have been behind, and looking again costs it a look at everything."""


@dataclass(frozen=True, slots=True)
class Propose:
    """The owner's node asks for a signature: do you hold this, and find this root?"""

    places: Frontier
    root: bytes


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The answer to a proposal of this root: a signature, or the reason why there is none."""

    root: bytes
    signature: bytes
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WantSnapshot:
    """Please send what lies below the horizon of this membership entry: its manifest (document ""), or documents in
    the order of their names, from this one and its `offset` on."""

    entry: bytes
    document: str
    offset: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """As much of it as a frame holds; no parts when the sender has not taken that horizon, or not that far."""

    entry: bytes
    parts: tuple[Part, ...]


def fields_of(message: Propose | Acknowledge | WantSnapshot | Snapshot) -> list[Value]:
    match message:
        case Propose():
            return [write_frontier(message.places), message.root]
        case Acknowledge():
            return [message.root, message.signature, message.reason]
        case WantSnapshot():
            return [message.entry, message.document, message.offset]
        case Snapshot():
            parts = [[one.document, one.offset, one.total, one.data] for one in message.parts]
            return [message.entry, parts]


def read(number: int, fields: list[Value]) -> Propose | Acknowledge | WantSnapshot | Snapshot:
    """Raises InvalidBytes."""
    match number, fields:
        case 12, [dict(frontier), bytes(root)] if len(root) == HASH_BYTES:
            return Propose(read_frontier(frontier), root)
        case 13, [bytes(root), bytes(signature), str(reason)] if len(root) == HASH_BYTES and len(signature) in (
            0,
            SIGNATURE_BYTES,
        ):
            return Acknowledge(root, signature, reason[:MAX_REASON_CHARS])
        case 14, [bytes(entry), str(document), offset] if (
            len(entry) == HASH_BYTES and len(document) <= MAX_DOCUMENT_BYTES and _is_int(offset)
        ):
            return WantSnapshot(entry, document, offset)
        case 15, [bytes(entry), list(parts)] if len(entry) == HASH_BYTES and len(parts) <= MAX_PARTS:
            return Snapshot(entry, tuple(_read_part(one) for one in parts))
    raise InvalidBytes(f"A frame of message {number} does not have its fields.")


def _read_part(value: Value) -> Part:
    match value:
        case [str(document), offset, total, data] if (
            len(document) <= MAX_DOCUMENT_BYTES
            and _is_int(offset)
            and _is_int(total)
            and (data is None or isinstance(data, bytes))
        ):
            return Part(document, offset, total, data)
    raise InvalidBytes("A part of a snapshot does not have its fields.")


def _is_int(value: Value) -> bool:
    return type(value) is int and 0 <= value <= MAX_BASE_BYTES


@dataclass
class Fetching:
    """Which peer is asked for what this node lacks of a horizon: one at a time, another when it is slow or brings
    nothing of use."""

    need: Need | None = None
    asked: bytes = b""
    """The peer; empty while nobody is."""
    _at_ms: float = 0.0
    _rests: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    """Peer -> how often it brought nothing, and until when it is not asked."""

    def lacks(self, need: Need | None) -> None:
        """What this node needs now; None: nothing."""
        if need is None or self.need is None or need.entry != self.need.entry:
            self._rests.clear()
        self.need = need
        self.asked = b""

    def choose(self, ready: Collection[bytes], now_ms: float) -> WantSnapshot | None:
        """What to ask now; `asked` says whom."""
        if self.need is None or self.asked:
            return None
        able = [peer for peer in ready if now_ms >= self._rests.get(peer, (0, 0.0))[1]]
        if not able:
            return None
        self.asked = min(able, key=lambda peer: (self._rests.get(peer, (0, 0.0))[0], peer))
        self._at_ms = now_ms
        return WantSnapshot(self.need.entry, self.need.document, self.need.offset)

    def answered(self, peer: bytes, snapshot: Snapshot, now_ms: float) -> bool:
        """Whether this is what was asked for, to be staged; until `lacks` is called again nobody else is asked."""
        if peer != self.asked or self.need is None or snapshot.entry != self.need.entry:
            return False
        if not snapshot.parts:
            self.useless(peer, now_ms)
            return False
        self._at_ms = float("inf")
        return True

    def useless(self, peer: bytes, now_ms: float) -> None:
        """It brought nothing: ask others first."""
        tries = self._rests.get(peer, (0, 0.0))[0]
        self._rests[peer] = (min(tries + 1, 8), now_ms + min(MIN_REASK_MS * 2**tries, MAX_REST_MS))
        if peer == self.asked:
            self.asked = b""

    def gone(self, peer: bytes) -> None:
        self._rests.pop(peer, None)
        if peer == self.asked:
            self.asked = b""

    def is_late(self, patience_ms: float, now_ms: float) -> bool:
        return bool(self.asked) and now_ms - self._at_ms > patience_ms


@dataclass
class Proposal:
    """What the owner's node has proposed, and who has not signed yet."""

    frontier: Frontier
    root: bytes
    missing: set[bytes]
    sent_ms: dict[bytes, float] = field(default_factory=dict)
    reasons: dict[bytes, str] = field(default_factory=dict)
    """Of members that answered and did not sign."""

    def due(self, peer: bytes, now_ms: float) -> bool:
        every_ms = PROPOSE_AGAIN_MS if peer in self.reasons else PROPOSE_EVERY_MS
        if peer not in self.missing or now_ms - self.sent_ms.get(peer, float("-inf")) < every_ms:
            return False
        self.sent_ms[peer] = now_ms
        return True
