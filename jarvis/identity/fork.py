"""Proof that an author signed two histories: two headers of the same number with different hashes, both signed by its
key. Whoever holds it needs to trust nobody; it is permanent."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.core.codec import Limits, Value, pack, unpack_canonical
from jarvis.core.errors import InvalidBytes
from jarvis.identity.keys import SIGNATURE_BYTES, verify
from jarvis.identity.record import TAG, decode_header, record_hash

PROOF_LIMITS = Limits(size_bytes=2_048, depth=3, items=16)


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Made by `fork_proof` or `read_proof`: the header with the lower hash first, so that one fork has one proof."""

    author: bytes
    seq: int
    first: tuple[bytes, bytes]
    """(header, signature)."""
    second: tuple[bytes, bytes]

    def to_bytes(self) -> bytes:
        return pack([list(self.first), list(self.second)])

    def holds(self, public_key: bytes) -> bool:
        """Whether both are the author's own signatures."""
        return all(verify(public_key, TAG + header, signature) for header, signature in (self.first, self.second))


def fork_proof(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> ForkProof:
    """The proof in two (header, signature). Raises InvalidBytes unless they are different records of one number."""
    first, second = sorted((one, other), key=lambda signed: record_hash(signed[0]))
    a, b = decode_header(first[0]), decode_header(second[0])
    if (a.author, a.seq, a.home_id) != (b.author, b.seq, b.home_id) or first[0] == second[0]:
        raise InvalidBytes("Two headers that prove no fork.")
    return ForkProof(a.author, a.seq, first, second)


def read_proof(data: bytes) -> ForkProof:
    """Raises InvalidBytes; the signatures are checked by `holds`."""
    value = unpack_canonical(data, PROOF_LIMITS)
    if not isinstance(value, list) or len(value) != 2 or not all(_is_signed(one) for one in value):
        raise InvalidBytes("Not a fork proof.")
    proof = fork_proof((value[0][0], value[0][1]), (value[1][0], value[1][1]))
    if proof.to_bytes() != data:
        raise InvalidBytes("A fork proof with its headers in the wrong order.")
    return proof


def _is_signed(value: Value) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, bytes) for one in value)
        and len(value[1]) == SIGNATURE_BYTES
    )
