"""The peer protocol as people read it: one event a message, with authors shortened, ranges and sizes. It must never
show what records hold, what they are called or what an ephemeral message says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar

from jarvis.core.events import Event
from jarvis.core.ids import NODE_ID_BYTES, to_text
from jarvis.identity.record import SignedRecord
from jarvis.store.protocol import Head
from jarvis.sync.credit import Credit
from jarvis.sync.horizons import Acknowledge, Propose, Snapshot, WantSnapshot
from jarvis.sync.messages import (
    Ack,
    Answer,
    Branch,
    Digest,
    Ephemeral,
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

SENT, RECEIVED = "sent", "received"
SHORT_NODE, SHORT_INCARNATION = 6, 4
"""Characters of an author's two halves: enough to tell the authors of one home apart."""
MAX_SHOWN = 8
"""Authors named in one line; the others are counted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Traced(Event):
    """One message between this node and a peer."""

    name: ClassVar[str] = "sync.message"
    node_id: str
    """The peer's."""
    direction: str
    message: str
    size_bytes: int
    """Of the frame, before TLS."""
    detail: str


def traced(at_ms: float, peer: bytes, direction: str, message: Message, size_bytes: int) -> Traced:
    return Traced(
        at_ms=at_ms,
        node_id=to_text(peer),
        direction=direction,
        message=type(message).__name__.lower(),
        size_bytes=size_bytes,
        detail=describe(message),
    )


def describe(message: Message) -> str:
    """What matters of a message, in one line without payloads; "" for a kind that has nothing to tell."""
    match message:
        case Hello():
            return f"protocol {message.protocol}, {len(message.addresses)} addresses"
        case Membership():
            carried = f", entries {message.first}-{message.first + len(message.entries) - 1}" if message.entries else ""
            return f"chain of {message.length}, head {message.head.hex()[:8]}{carried}"
        case Heads():
            return _heads(message.heads) + (", last" if message.last else ", more to come")
        case Ack():
            return _heads(message.heads)
        case Want():
            return f"{short(message.author)} {message.first}-{message.through}"
        case Records():
            return _records(message.records)
        case Digest():
            return f"frontier {message.frontier.hex()[:8]}, digest {message.digest.hex()[:8]}" + ", asks" * message.ask
        case Ephemeral():
            return f"{len(message.body)} B"
        case Branch():
            return f"a branch that lost, entries {message.first}-{message.first + len(message.entries) - 1}"
        case Credit():
            return f"{message.count} records, {message.size_bytes} B in all"
        case Request():
            return f"{message.nonce}: {message.topic}"
        case Answer():
            return f"{message.nonce}: {'done' if message.done else 'not done'}"
        case Ping():
            return f"{'answer' if message.reply else 'question'} {message.nonce}"
        case Refuse():
            return message.reason
        case Propose():
            return f"{len(message.places)} authors, root {message.root.hex()[:8]}"
        case Acknowledge():
            return f"root {message.root.hex()[:8]}, {message.reason or 'signed'}"
        case WantSnapshot():
            return f"{message.entry.hex()[:8]}, {'document' if message.document else 'manifest'} from {message.offset}"
        case Snapshot():
            size_bytes = sum(len(one.data or b"") for one in message.parts)
            return f"{message.entry.hex()[:8]}, {len(message.parts)} parts, {size_bytes} B"
        case _:
            return ""


def short(author: bytes) -> str:
    """`node/incarnation`, both shortened."""
    node, incarnation = to_text(author[:NODE_ID_BYTES]), to_text(author[NODE_ID_BYTES:])
    return f"{node[:SHORT_NODE]}/{incarnation[:SHORT_INCARNATION]}"


def _heads(heads: Sequence[tuple[bytes, Head]]) -> str:
    return _list([f"{short(author)} 1-{head.seq}" for author, head in heads[:MAX_SHOWN]], len(heads)) or "none"


def _records(records: Sequence[SignedRecord]) -> str:
    """Runs of one author's consecutive records, and what they weigh."""
    runs: list[tuple[bytes, int, int]] = []
    for record in records:
        author, seq = record.header.author, record.header.seq
        if runs and runs[-1][0] == author and runs[-1][2] == seq - 1:
            runs[-1] = (author, runs[-1][1], seq)
        else:
            runs.append((author, seq, seq))
    shown = _list([f"{short(author)} {first}-{last}" for author, first, last in runs[:MAX_SHOWN]], len(runs))
    return f"{len(records)} records of {sum(record.size_bytes for record in records)} B: {shown}"


def _list(shown: Iterable[str], count: int) -> str:
    rest = f", and {count - MAX_SHOWN} more" if count > MAX_SHOWN else ""
    return ", ".join(shown) + rest
