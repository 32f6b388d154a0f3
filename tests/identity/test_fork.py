"""Fork proofs: one fork, one proof; nobody can be accused of what it did not sign."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import InvalidBytes
from jarvis.identity.fork import fork_proof, read_proof
from jarvis.identity.keys import SigningKey
from jarvis.identity.record import write_record

KEY, OTHER = SigningKey(b"k" * 32), SigningKey(b"o" * 32)


def signed(seq: int = 3, nonce: bytes = b"n" * 16, key: SigningKey = KEY, author: bytes = b"") -> tuple[bytes, bytes]:
    record = write_record(
        key,
        home_id=b"h" * 16,
        document="config",
        author=author or KEY.node_id + b"i" * 16,
        seq=seq,
        prev=b"p" * 32,
        entry=b"e" * 16,
        hlc=9,
        kind=1,
        operations=[["put", "a", 1, []]],
        nonce=nonce,
    )
    return record.header_data, record.signature


def test_a_fork_has_one_proof_whoever_finds_it():
    one, other = signed(), signed(nonce=b"m" * 16)
    proof = fork_proof(one, other)
    assert proof == fork_proof(other, one) == read_proof(proof.to_bytes())
    assert proof.holds(KEY.public) and not proof.holds(OTHER.public)
    assert (proof.author[:16], proof.seq) == (KEY.node_id, 3)


def test_what_is_no_fork_proves_nothing():
    for other in (signed(), signed(seq=4), signed(nonce=b"m" * 16, author=KEY.node_id + b"j" * 16)):
        with pytest.raises(InvalidBytes):
            fork_proof(signed(), other)
    forged = fork_proof(signed(), signed(nonce=b"m" * 16, key=OTHER))
    assert not forged.holds(KEY.public)


@given(st.binary(max_size=600), st.integers(0, 10_000), st.integers(1, 255))
def test_bytes_that_are_no_proof_are_refused(noise, at, change):
    with pytest.raises(InvalidBytes):
        read_proof(noise)
    data = bytearray(fork_proof(signed(), signed(nonce=b"m" * 16)).to_bytes())
    data[at % len(data)] ^= change
    try:
        proof = read_proof(bytes(data))
    except InvalidBytes:
        return
    assert not proof.holds(KEY.public)
