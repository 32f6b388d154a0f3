"""What two peers say to each other: one frozen dataclass a message, and their bytes. A frame is a msgpack array whose
first value is the message's number; whatever does not fit its shape is InvalidBytes, and the link is at fault."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.core.codec import FRAME_LIMITS, HELLO_LIMITS, Value, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.entries import RawEntry
from jarvis.identity.fork import ForkProof, read_proof
from jarvis.identity.membership import MAX_ENTRIES
from jarvis.identity.record import AUTHOR_BYTES, HASH_BYTES, MAX_SEQ, SignedRecord, decode_record
from jarvis.store.protocol import Head
from jarvis.sync import horizons
from jarvis.sync.credit import Credit
from jarvis.sync.horizons import Acknowledge, Propose, Snapshot, WantSnapshot

PROTOCOL = 1
MAX_EPHEMERAL_BYTES = 16 * 1024
MAX_TOPIC_CHARS = 32
MAX_REQUEST_BYTES = 32 * 1024
"""Of a request's or an answer's body: the heads of 256 authors of one node are 20 KiB."""
MAX_FRAME_HEADS = 2_000
"""About 85 bytes each: a longer frontier is sent in several frames."""
MAX_RECORDS = 512
"""In a frame, and asked for at once."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First, both ways."""

    protocol: int
    home_id: bytes
    node_id: bytes
    wall_ms: int
    """The sender's clock, shown when it differs; it decides nothing."""
    addresses: tuple[str, ...] = ()
    """HOST:PORT where the sender can be dialled, as far as it knows."""


@dataclass(frozen=True, slots=True)
class Membership:
    """How long the sender's chain is and its head; entries from `first` on when the receiver lacks them."""

    length: int
    head: bytes
    first: int = 0
    entries: tuple[RawEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Heads:
    """What the sender durably holds: all of it at the start of a link (`last` closes the series), news later."""

    heads: tuple[tuple[bytes, Head], ...]
    last: bool = True


@dataclass(frozen=True, slots=True)
class Want:
    """Please send this author's records `first` to `through`; at most MAX_RECORDS."""

    author: bytes
    first: int
    through: int


@dataclass(frozen=True, slots=True)
class Records:
    records: tuple[SignedRecord, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """The receiver of records holds them durably up to here."""

    heads: tuple[tuple[bytes, Head], ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """A comparison: equal frontiers with unequal digests are disagreement. `ask` wants the same in return."""

    ask: bool
    frontier: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """Presence, claims, partial results: never logged, and losing one harms nothing."""

    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    nonce: int
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """The last message before a link is closed on purpose."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fork:
    """A proof that an author signed two histories; told as soon as it is known, and first on every new link."""

    proof: ForkProof


@dataclass(frozen=True, slots=True)
class Request:
    """Asks the peer to do something for the home that only it can do, such as signing; it answers with this nonce."""

    nonce: int
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to; when it was not `done`, the body says why not."""

    nonce: int
    done: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of the membership chain that lost: the entries that follow the first `first` of the sender's own chain,
    whose last has the hash `prev`."""

    first: int
    prev: bytes
    entries: tuple[RawEntry, ...]


Message = (
    Hello
    | Membership
    | Heads
    | Want
    | Records
    | Credit
    | Ack
    | Digest
    | Ephemeral
    | Ping
    | Refuse
    | Fork
    | Propose
    | Acknowledge
    | WantSnapshot
    | Snapshot
    | Request
    | Answer
    | Branch
)
_NUMBERS: dict[type[Message], int] = {
    Hello: 1,
    Membership: 2,
    Heads: 3,
    Want: 4,
    Records: 5,
    Ack: 6,
    Digest: 7,
    Ephemeral: 8,
    Ping: 9,
    Refuse: 10,
    Fork: 11,
    Propose: 12,
    Acknowledge: 13,
    WantSnapshot: 14,
    Snapshot: 15,
    Request: 16,
    Answer: 17,
    Credit: 18,
    Branch: 19,
}


def encode(message: Message) -> bytes:
    return pack([_NUMBERS[type(message)], *_fields(message)])


def _fields(message: Message) -> list[Value]:
    match message:
        case Hello():
            return [
                message.protocol,
                message.home_id,
                message.node_id,
                message.wall_ms,
                list(message.addresses),
            ]
        case Membership():
            return [message.length, message.head, message.first, [list(entry) for entry in message.entries]]
        case Heads():
            return [_write_heads(message.heads), message.last]
        case Want():
            return [message.author, message.first, message.through]
        case Records():
            return [[[one.header_data, one.signature, one.payload] for one in message.records]]
        case Ack():
            return [_write_heads(message.heads)]
        case Digest():
            return [message.ask, message.frontier, message.digest]
        case Ephemeral():
            return [message.topic, message.body]
        case Ping():
            return [message.nonce, message.reply]
        case Refuse():
            return [message.reason]
        case Fork():
            return [message.proof.to_bytes()]
        case Propose() | Acknowledge() | WantSnapshot() | Snapshot():
            return horizons.fields_of(message)
        case Branch():
            return [message.first, message.prev, [list(entry) for entry in message.entries]]
        case Request():
            return [message.nonce, message.topic, message.body]
        case Credit():
            return [message.count, message.size_bytes]
        case Answer():
            return [message.nonce, message.done, message.body]


def decode(frame: bytes, *, first: bool = False) -> Message:
    """The message in a frame. `first`: from a peer that has not said hello, so held to the smaller limits."""
    value = unpack(frame, HELLO_LIMITS if first else FRAME_LIMITS)
    if not isinstance(value, list) or not value or type(value[0]) is not int:
        raise InvalidBytes("A frame is not a numbered array.")
    number, fields = value[0], value[1:]
    try:
        return _read(number, fields)
    except (ValueError, TypeError, IndexError):
        raise InvalidBytes(f"A frame of message {number} does not have its fields.") from None


def _read(number: int, fields: list[Value]) -> Message:
    match number, fields:
        case 1, [int(protocol), bytes(home_id), bytes(node_id), int(wall_ms), list(addresses)]:
            _require_ints(protocol, wall_ms)
            _require(len(home_id) == len(node_id) == NODE_ID_BYTES and len(addresses) <= 16)
            _require(all(isinstance(one, str) and len(one) <= 128 for one in addresses))
            return Hello(protocol, home_id, node_id, wall_ms, tuple(addresses))
        case 2, [int(length), bytes(head), int(start), list(entries)]:
            _require_ints(length, start)
            _require(0 < length <= MAX_ENTRIES and len(head) == HASH_BYTES and 0 <= start <= length)
            return Membership(length, head, start, _read_entries(entries))
        case 3, [dict(heads), bool(last)]:
            return Heads(_read_heads(heads), last)
        case 4, [bytes(author), int(start), int(through)]:
            _require_ints(start, through)
            _require(len(author) == AUTHOR_BYTES and 1 <= start <= through <= MAX_SEQ)
            _require(through - start < MAX_RECORDS)
            return Want(author, start, through)
        case 5, [list(records)]:
            _require(len(records) <= MAX_RECORDS)
            return Records(tuple(decode_record(header, signature, payload) for header, signature, payload in records))
        case 6, [dict(heads)]:
            return Ack(_read_heads(heads))
        case 7, [bool(ask), bytes(frontier), bytes(digest)]:
            _require(len(frontier) == len(digest) == HASH_BYTES)
            return Digest(ask, frontier, digest)
        case 8, [str(topic), bytes(body)]:
            _require(len(topic) <= MAX_TOPIC_CHARS and len(body) <= MAX_EPHEMERAL_BYTES)
            return Ephemeral(topic, body)
        case 9, [int(nonce), bool(reply)]:
            _require_ints(nonce)
            return Ping(nonce, reply)
        case 10, [str(reason)]:
            return Refuse(reason[:200])
        case 11, [bytes(proof)]:
            return Fork(read_proof(proof))
        case 12 | 13 | 14 | 15, _:
            return horizons.read(number, fields)
        case 19, [int(start), bytes(prev), list(entries)]:
            _require_ints(start)
            _require(0 < start < MAX_ENTRIES and len(prev) == HASH_BYTES and 0 < len(entries) < MAX_ENTRIES)
            return Branch(start, prev, _read_entries(entries))
        case 16, [int(nonce), str(topic), bytes(body)]:
            _require_ints(nonce)
            _require(len(topic) <= MAX_TOPIC_CHARS and len(body) <= MAX_REQUEST_BYTES)
            return Request(nonce, topic, body)
        case 17, [int(nonce), bool(done), bytes(body)]:
            _require_ints(nonce)
            _require(len(body) <= MAX_REQUEST_BYTES)
            return Answer(nonce, done, body)
        case 18, [int(count), int(size_bytes)]:
            _require_ints(count, size_bytes)
            _require(count >= 0 and size_bytes >= 0)
            return Credit(count, size_bytes)
    raise InvalidBytes(f"A frame of message {number} is unknown or does not have its fields.")


def _require(condition: bool) -> None:
    if not condition:
        raise InvalidBytes("A field of a frame is out of range.")


def _require_ints(*values: int) -> None:
    """True is an int to Python, and another value on the wire."""
    _require(not any(isinstance(value, bool) for value in values))


def _read_entries(value: list[Value]) -> tuple[RawEntry, ...]:
    entries = []
    for entry in value:
        _require(isinstance(entry, list))
        data, signature = entry
        _require(isinstance(data, bytes) and isinstance(signature, bytes))
        entries.append((data, signature))
    return tuple(entries)


def _write_heads(heads: tuple[tuple[bytes, Head], ...]) -> Value:
    return {author: [head.seq, head.hash] for author, head in heads}


def _read_heads(value: dict[Value, Value]) -> tuple[tuple[bytes, Head], ...]:
    result = []
    for author, (seq, digest) in value.items():
        _require(isinstance(author, bytes) and len(author) == AUTHOR_BYTES)
        _require_ints(seq)
        _require(isinstance(seq, int) and 1 <= seq <= MAX_SEQ and isinstance(digest, bytes))
        _require(len(digest) == HASH_BYTES)
        result.append((author, Head(seq, digest)))
    return tuple(result)
