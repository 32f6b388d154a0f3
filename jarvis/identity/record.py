"""A record: one signed, sequence-numbered, hash-chained entry by an author. Bytes are verified as received and
never re-encoded; this file knows their layout and nothing of what the payload means.

    header   = msgpack array, the first eleven fields the same in every version:
               version, home_id, document, author, seq, prev, entry, hlc, kind, payload_bytes, payload_hash
    hash     = SHA-256(TAG + header)          signature = Ed25519(TAG + header), no part of the hash
    payload  = 16 random bytes + msgpack(list of operations), bound by its hash, apart so that it can be erased
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from jarvis.core.codec import Limits, Value, pack, unpack, unpack_canonical
from jarvis.core.errors import InvalidBytes
from jarvis.core.hlc import MAX_STAMP
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.keys import SIGNATURE_BYTES, SigningKey, verify

VERSION = 1
TAG = b"jarvis record v1\x00"
HASH_BYTES = 32
AUTHOR_BYTES = 32
INCARNATION_BYTES = 16
ENTRY_ID_BYTES = 16
NONCE_BYTES = 16
MAX_DOCUMENT_BYTES = 64
MAX_SEQ = 2**48
MAX_PAYLOAD_BYTES = 63 * 1024
"""With header and signature a record stays under 64 KiB, so several fit into a 256 KiB frame."""

HEADER_LIMITS = Limits(size_bytes=512, depth=2, items=32)
PAYLOAD_LIMITS = Limits(size_bytes=MAX_PAYLOAD_BYTES, depth=8, items=8_192)


@dataclass(frozen=True, slots=True)
class Header:
    home_id: bytes
    document: str
    author: bytes
    """Node id and incarnation, 16 bytes each."""
    seq: int
    """From 1, without gaps."""
    prev: bytes
    """Hash of the author's record before this one; empty for seq 1."""
    entry: bytes
    """Id of the newest membership entry the author knew."""
    hlc: int
    kind: int
    payload_bytes: int
    payload_hash: bytes
    version: int = VERSION

    @property
    def node_id(self) -> bytes:
        return self.author[:NODE_ID_BYTES]

    def encode(self) -> bytes:
        return pack(
            [
                self.version,
                self.home_id,
                self.document,
                self.author,
                self.seq,
                self.prev,
                self.entry,
                self.hlc,
                self.kind,
                self.payload_bytes,
                self.payload_hash,
            ]
        )


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """What travels: three byte strings, and the header as decoded from the first."""

    header_data: bytes
    signature: bytes
    payload: bytes | None
    """None once erased."""
    header: Header
    hash: bytes = field(init=False, compare=False, repr=False)
    authentic_for: bytes = field(default=b"", init=False, compare=False, repr=False)
    """The public key for which `is_authentic` found it so: these bytes never change, so nobody need look again. A copy
    with other bytes knows nothing of it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", record_hash(self.header_data))

    @property
    def size_bytes(self) -> int:
        return len(self.header_data) + len(self.signature) + len(self.payload or b"")


def record_hash(header_data: bytes) -> bytes:
    return hashlib.sha256(TAG + header_data).digest()


def decode_header(data: bytes) -> Header:
    """The header in `data`. Raises InvalidBytes when it is too long, not canonical, or a field is out of range.

    A later version may append fields; the first eleven keep their meaning, so that it can be stored and forwarded.
    """
    fields = unpack_canonical(data, HEADER_LIMITS)
    if not isinstance(fields, list) or len(fields) < 11 or not _is_int(fields[0], 1, 255):
        raise InvalidBytes("A record's header does not have its fields.")
    version, home_id, document, author, seq, prev, entry, stamp, kind, payload_bytes, payload_hash = fields[:11]
    good = (
        (version != VERSION or len(fields) == 11)
        and _is_bytes(home_id, NODE_ID_BYTES)
        and _is_name(document)
        and _is_bytes(author, AUTHOR_BYTES)
        and _is_int(seq, 1, MAX_SEQ)
        and (prev == b"" if seq == 1 else _is_bytes(prev, HASH_BYTES))
        and _is_bytes(entry, ENTRY_ID_BYTES)
        and _is_int(stamp, 0, MAX_STAMP)
        and _is_int(kind, 0, 255)
        and _is_int(payload_bytes, NONCE_BYTES, MAX_PAYLOAD_BYTES)
        and _is_bytes(payload_hash, HASH_BYTES)
    )
    if not good:
        raise InvalidBytes("A field of a record's header is out of range.")
    return Header(
        home_id, document, author, seq, prev, entry, stamp, kind, payload_bytes, payload_hash, version=version
    )


def decode_record(header_data: Value, signature: Value, payload: Value) -> SignedRecord:
    """A record from the three values of a frame, the last None where it was erased. Checks shapes and limits, not the
    signature."""
    known = payload is None or isinstance(payload, bytes)
    if not (isinstance(header_data, bytes) and known and _is_bytes(signature, SIGNATURE_BYTES)):
        raise InvalidBytes("A record is not three byte strings.")
    header = decode_header(header_data)
    if payload is not None and len(payload) != header.payload_bytes:
        raise InvalidBytes("A record's payload does not have the length its header says.")
    return SignedRecord(header_data, signature, payload, header)


def is_authentic(record: SignedRecord, public_key: bytes) -> bool:
    """Whether signature and payload hash hold, the latter unless it was erased. If not, the sender altered it: the
    author is not to blame."""
    if record.authentic_for == public_key:
        return True
    if record.payload is not None and hashlib.sha256(record.payload).digest() != record.header.payload_hash:
        return False
    if not verify(public_key, TAG + record.header_data, record.signature):
        return False
    object.__setattr__(record, "authentic_for", public_key)
    return True


def write_record(
    key: SigningKey,
    *,
    home_id: bytes,
    document: str,
    author: bytes,
    seq: int,
    prev: bytes,
    entry: bytes,
    hlc: int,
    kind: int,
    operations: list[Value],
    nonce: bytes,
) -> SignedRecord:
    """Sign a new record. `nonce` is 16 random bytes: a short sentence must not be guessable from its hash.

    Raises InvalidBytes when the operations are too large for one record, or a field is out of range.
    """
    payload = nonce + pack(operations)
    if len(nonce) != NONCE_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise InvalidBytes(f"That is too much for one entry ({len(payload)} of {MAX_PAYLOAD_BYTES} bytes).")
    header = Header(
        home_id, document, author, seq, prev, entry, hlc, kind, len(payload), hashlib.sha256(payload).digest()
    )
    data = header.encode()
    # Read back as others will: a record that only its author can read would end its chain everywhere.
    record = SignedRecord(data, key.sign(TAG + data), payload, decode_header(data))
    object.__setattr__(record, "authentic_for", key.public)
    return record


def operations_of(payload: bytes) -> list[Value]:
    """The operations in a payload. Raises InvalidBytes unless they are one canonical, non-empty list."""
    operations = unpack(payload[NONCE_BYTES:], PAYLOAD_LIMITS)
    if not isinstance(operations, list) or not operations or pack(operations) != payload[NONCE_BYTES:]:
        raise InvalidBytes("A payload is not a canonical list of operations.")
    return operations


def _is_name(value: Value) -> bool:
    """Printable ASCII without spaces: names of documents stand in SQL ranges, logs and file names."""
    return isinstance(value, str) and 0 < len(value) <= MAX_DOCUMENT_BYTES and all("!" <= one <= "~" for one in value)


def _is_bytes(value: Value, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


def _is_int(value: Value, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
