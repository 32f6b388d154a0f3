"""The entries of a membership chain: what each action says, and its bytes.

    entry    = msgpack array: version, action, term, index, prev, at_ms, fields
    found    {owner, recovery, nonce}        the first entry; home_id is the start of its hash
    admit    {certificate}                   a node, by the certificate that carries its key
    remove   {node, cutoffs}                 a node for good; of each of its authors the last record that counts
    handover {owner, node}                   a new owner key, kept by that node; private keys never move
    recover  {owner, recovery, node}         new keys, signed by the recovery key: the one way to a higher term
    horizon  {frontier, root, acks, stale}   up to where records may be deleted (`horizon`)

An action that this program does not know makes the chain unusable
here, said by name: guessing who is a member would be worse than stopping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jarvis.core.codec import Limits, Value, pack, unpack_canonical
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity import horizon
from jarvis.identity.certificate import MAX_CERTIFICATE_BYTES
from jarvis.identity.keys import PUBLIC_KEY_BYTES, SigningKey
from jarvis.identity.record import AUTHOR_BYTES, HASH_BYTES, MAX_SEQ

VERSION = 1
TAG = b"jarvis membership v1\x00"
FOUND, ADMIT, REMOVE, HANDOVER, RECOVER = "found", "admit", "remove", "handover", "recover"
HORIZON = horizon.HORIZON
MAX_CUTOFFS = 256
"""Authors of one removed node: a new incarnation every week for five years."""
ENTRY_LIMITS = Limits(size_bytes=32 * 1024, depth=5, items=2_048)
MAX_TERM = 2**16
NONCE_BYTES = 16

RawEntry = tuple[bytes, bytes]
"""An entry's bytes and its signature."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The last record of an author that counts; seq 0: none does."""

    seq: int
    hash: bytes


NOTHING_COUNTS = Cutoff(0, b"")


@dataclass(frozen=True, slots=True)
class Entry:
    action: str
    term: int
    at_ms: int
    fields: Mapping[str, Value]


def write_entry(
    key: SigningKey, action: str, *, term: int, index: int, prev: bytes, at_ms: int, fields: dict[str, Value]
) -> RawEntry:
    data = pack([VERSION, action, term, index, prev, at_ms, fields])
    return data, key.sign(TAG + data)


def entry_hash(data: bytes) -> bytes:
    return hashlib.sha256(TAG + data).digest()


def read_entry(data: bytes, index: int, prev: bytes) -> Entry:
    """The entry that stands at `index` after `prev`. Raises InvalidBytes; the signature is the chain's affair."""
    value = unpack_canonical(data, ENTRY_LIMITS)
    if not isinstance(value, list) or len(value) != 7:
        raise InvalidBytes(f"Membership entry {index} does not have its fields.")
    version, action, term, at_index, at_prev, at_ms, fields = value
    shape = _SHAPES.get(action) if isinstance(action, str) else None
    if version != VERSION or isinstance(version, bool) or shape is None:
        raise InvalidBytes(f"Membership entry {index} is of a kind that only a newer Jarvis knows.")
    follows = (
        _is_int(at_index, 0, 2**32)
        and (at_index, at_prev) == (index, prev)
        and (action == FOUND) == (index == 0)
        and _is_int(term, 0, MAX_TERM)
        and _is_int(at_ms, 0, 2**48)
        and isinstance(fields, dict)
        and fields.keys() == shape.keys()
        and all(good(fields[name]) for name, good in shape.items())
    )
    if not follows:
        raise InvalidBytes(f"Membership entry {index} does not follow from those before it.")
    if action == REMOVE and any(author[:NODE_ID_BYTES] != fields["node"] for author in fields["cutoffs"]):
        raise InvalidBytes(f"Membership entry {index} cuts off another node than it removes.")
    return Entry(action, term, at_ms, MappingProxyType(fields))


def cutoffs_of(entry: Entry) -> dict[bytes, Cutoff]:
    return {author: Cutoff(seq, digest) for author, (seq, digest) in entry.fields["cutoffs"].items()}


def _is_int(value: Value, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _bytes(length: int) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, bytes) and len(value) == length


def _is_certificate(value: Value) -> bool:
    return isinstance(value, bytes) and 0 < len(value) <= MAX_CERTIFICATE_BYTES


def _are_cutoffs(value: Value) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_CUTOFFS
        and all(
            _bytes(AUTHOR_BYTES)(author)
            and isinstance(cutoff, list)
            and len(cutoff) == 2
            and _is_int(cutoff[0], 1, MAX_SEQ)
            and _bytes(HASH_BYTES)(cutoff[1])
            for author, cutoff in value.items()
        )
    )


_KEY, _NODE = _bytes(PUBLIC_KEY_BYTES), _bytes(NODE_ID_BYTES)
_SHAPES: dict[str, dict[str, Callable[[Value], bool]]] = {
    FOUND: {"owner": _KEY, "recovery": _KEY, "nonce": _bytes(NONCE_BYTES)},
    ADMIT: {"certificate": _is_certificate},
    REMOVE: {"node": _NODE, "cutoffs": _are_cutoffs},
    HANDOVER: {"owner": _KEY, "node": _NODE},
    RECOVER: {"owner": _KEY, "recovery": _KEY, "node": _NODE},
    HORIZON: horizon.SHAPE,
}
