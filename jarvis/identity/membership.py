"""Who belongs to the home: a linear, hash-chained list of entries signed by the owner key. Linear on purpose: access
lists that are themselves CRDTs diverge by the order of receipt. Names and rooms are not here but in `config`.

    entry = msgpack array: version, action, term, index, prev, at_ms, fields
    found {owner, recovery, nonce}     the first entry; home_id is the start of its hash
    admit {certificate}                a node, by the certificate that carries its key

Removal, horizon and hand-over are further actions of the same list. An action this program does not know makes
the chain unusable here, said by name: guessing who is a member would be worse than stopping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from jarvis.core.codec import Limits, Value, pack, unpack_canonical
from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed
from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.certificate import MAX_CERTIFICATE_BYTES, public_key_of
from jarvis.identity.keys import PUBLIC_KEY_BYTES, SigningKey, node_id_of, verify
from jarvis.identity.record import ENTRY_ID_BYTES

VERSION = 1
TAG = b"jarvis membership v1\x00"
FOUND, ADMIT = "found", "admit"
ENTRY_LIMITS = Limits(size_bytes=2_048, depth=3, items=32)
MAX_ENTRIES = 1_024
"""A home of 50 nodes that admits and replaces one a week needs this many in twenty years."""

RawEntry = tuple[bytes, bytes]
"""An entry's bytes and its signature."""


@dataclass(frozen=True, slots=True)
class Member:
    node_id: bytes
    public_key: bytes
    certificate: bytes
    """DER."""
    admitted_at: int
    """Index of the entry that admitted it."""


@dataclass(frozen=True)
class Chain:
    """A verified membership chain; immutable, and every change gives a new one."""

    entries: tuple[RawEntry, ...]
    owner: bytes
    """Public key that signs entries."""
    recovery: bytes
    members: Mapping[bytes, Member]
    hashes: tuple[bytes, ...]

    @staticmethod
    def found(owner: SigningKey, recovery_public: bytes, certificate: bytes, *, nonce: bytes, at_ms: int) -> Chain:
        """A new home with one node, the one with `certificate`. `nonce` is 16 random bytes."""
        fields = {"owner": owner.public, "recovery": recovery_public, "nonce": nonce}
        first = pack([VERSION, FOUND, 0, 0, b"", at_ms, fields])
        return Chain.verify([(first, owner.sign(TAG + first))]).admit(owner, certificate, at_ms=at_ms)

    def admit(self, owner: SigningKey, certificate: bytes, *, at_ms: int) -> Chain:
        """This chain and one more member. A node that is one already changes nothing."""
        if owner.public != self.owner:
            raise NotAllowed("Only the home's owner can admit a node.")
        try:
            node_id = node_id_of(public_key_of(certificate))
        except InvalidBytes as error:
            raise InvalidInput(str(error)) from None
        if node_id in self.members:
            return self
        data = pack([VERSION, ADMIT, 0, len(self.entries), self.head, at_ms, {"certificate": certificate}])
        return Chain.verify([*self.entries, (data, owner.sign(TAG + data))])

    @staticmethod
    def verify(entries: Iterable[RawEntry]) -> Chain:
        """The chain in these entries. Raises InvalidBytes at the first that does not follow from those before it."""
        entries = tuple(entries)
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise InvalidBytes(f"A membership chain has 1 to {MAX_ENTRIES} entries.")
        owner, recovery = b"", b""
        hashes: list[bytes] = []
        members: dict[bytes, Member] = {}
        for index, (data, signature) in enumerate(entries):
            action, fields = _decode(data, index, hashes[-1] if hashes else b"")
            if index == 0:
                owner, recovery = fields["owner"], fields["recovery"]
            else:
                public_key = public_key_of(fields["certificate"])
                member = Member(node_id_of(public_key), public_key, fields["certificate"], index)
                members.setdefault(member.node_id, member)
            if not verify(owner, TAG + data, signature):
                raise InvalidBytes(f"Membership entry {index} ({action}) is not signed by the home's owner.")
            hashes.append(entry_hash(data))
        return Chain(entries, owner, recovery, MappingProxyType(members), tuple(hashes))

    @property
    def head(self) -> bytes:
        return self.hashes[-1]

    @property
    def head_id(self) -> bytes:
        """What records name: the first 16 bytes of the head's hash."""
        return self.head[:ENTRY_ID_BYTES]

    @property
    def home_id(self) -> bytes:
        return self.hashes[0][:NODE_ID_BYTES]

    @cached_property
    def _index_of(self) -> dict[bytes, int]:
        return {one[:ENTRY_ID_BYTES]: index for index, one in enumerate(self.hashes)}

    def knows(self, entry_id: bytes) -> bool:
        return entry_id in self._index_of

    def member_at(self, node_id: bytes, entry_id: bytes) -> Member | None:
        """The member `node_id` was when `entry_id` was the head; None when it was none, or the entry is unknown."""
        member, index = self.members.get(node_id), self._index_of.get(entry_id)
        return member if member and index is not None and member.admitted_at <= index else None

    def supersedes(self, other: Chain) -> bool:
        """Whether a node that holds `other` must take this one: the same home, and longer, or, where the two part,
        the lower hash. A total order, so every node settles on the same chain."""
        if self.home_id != other.home_id or self.hashes == other.hashes:
            return False
        for mine, theirs in zip(self.hashes, other.hashes, strict=False):
            if mine != theirs:
                return mine < theirs
        return len(self.hashes) > len(other.hashes)


def entry_hash(data: bytes) -> bytes:
    return hashlib.sha256(TAG + data).digest()


def _decode(data: bytes, index: int, prev: bytes) -> tuple[str, dict[str, Value]]:
    value = unpack_canonical(data, ENTRY_LIMITS)
    if not isinstance(value, list) or len(value) != 7:
        raise InvalidBytes(f"Membership entry {index} does not have its fields.")
    version, action, term, at_index, at_prev, at_ms, fields = value
    if version != VERSION or action not in (FOUND, ADMIT) or term != 0:
        raise InvalidBytes(f"Membership entry {index} is of a kind that only a newer Jarvis knows.")
    lengths = {"owner": 32, "recovery": PUBLIC_KEY_BYTES, "nonce": 16} if action == FOUND else {"certificate": 0}
    if (
        (at_index, at_prev) != (index, prev)
        or (action == FOUND) != (index == 0)
        or not isinstance(at_ms, int)
        or not isinstance(fields, dict)
        or fields.keys() != lengths.keys()
        or not all(isinstance(one, bytes) and len(one) <= MAX_CERTIFICATE_BYTES for one in fields.values())
        or not all(length in (0, len(fields[name])) for name, length in lengths.items())
    ):
        raise InvalidBytes(f"Membership entry {index} does not follow from those before it.")
    return action, fields
