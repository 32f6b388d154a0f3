"""The backup's container: it opens with its secret alone, and whatever is altered, cut or exchanged is noticed."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError
from jarvis.identity import sealed
from jarvis.identity.keys import SigningKey, recovery_key, recovery_phrase
from jarvis.identity.sealed import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, Opener, Sealer

RECOVERY = recovery_key(recovery_phrase(bytes(range(16))))
ENTROPY = bytes(range(32))
PASSPHRASE = "correct horse battery"
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES


def seal(content: bytes, piece: int = 50_000, sealer: Sealer | None = None) -> bytes:
    sealer = sealer or sealed.sealed_to_recovery_key(RECOVERY.public, ENTROPY)
    pieces = [sealer.feed(content[at : at + piece]) for at in range(0, len(content), piece)]
    return b"".join([sealer.header, *pieces, sealer.finish()])


def unseal(data: bytes, piece: int = 50_000, opener: Opener | None = None) -> bytes:
    opener = opener or sealed.opened_with_recovery_key(data[:HEADER_BYTES], RECOVERY)
    pieces = [opener.feed(data[at : at + piece]) for at in range(HEADER_BYTES, len(data), piece)]
    return b"".join([*pieces, opener.finish()])


CONTENT = hashlib.shake_256(b"content").digest(2 * CHUNK_BYTES + 100)
FILE = seal(CONTENT)
SMALL = seal(b"a small backup")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 15, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 7]),
    st.integers(1_000, 3 * CHUNK_BYTES),
    st.integers(1_000, 3 * CHUNK_BYTES),
)
def test_what_was_sealed_is_opened_however_it_was_cut(size: int, fed: int, read: int) -> None:
    content = CONTENT[:size]
    data = seal(content, fed)
    assert data == seal(content), "the pieces do not show"
    chunks = -(-size // CHUNK_BYTES)
    assert len(data) == HEADER_BYTES + size + chunks * TAG_BYTES
    assert unseal(data, read) == content


def test_neither_side_holds_more_than_it_must() -> None:
    sealer = sealed.sealed_to_recovery_key(RECOVERY.public, ENTROPY)
    opener = sealed.opened_with_recovery_key(sealer.header, RECOVERY)
    held = 0
    for _ in range(50):
        held += len(opener.feed(sealer.feed(bytes(10_000))))
        assert len(sealer._waiting) <= CHUNK_BYTES and len(opener._waiting) <= SEALED_CHUNK
    assert held + len(opener.feed(sealer.finish())) + len(opener.finish()) == 500_000


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_altered_byte_is_noticed(at: int, flip: int) -> None:
    data = bytearray(FILE)
    data[at] ^= flip
    with pytest.raises(InvalidInput):
        unseal(bytes(data))


@pytest.mark.parametrize("at", range(len(SMALL)))
def test_each_byte_of_a_small_one_counts(at: int) -> None:
    for flip in (1, 0x80, 0xFF):
        data = bytearray(SMALL)
        data[at] ^= flip
        with pytest.raises(InvalidInput):
            unseal(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(FILE) - 1) | st.sampled_from([HEADER_BYTES + n * SEALED_CHUNK for n in range(3)]))
def test_a_file_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(InvalidBytes):
        unseal(FILE[:length])


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=100_000))
def test_bytes_that_follow_are_noticed(more: bytes) -> None:
    with pytest.raises(InvalidBytes):
        unseal(FILE + more)


def test_chunks_exchanged_repeated_or_left_out_are_noticed() -> None:
    head, one, two, rest = (
        FILE[:HEADER_BYTES],
        FILE[HEADER_BYTES : HEADER_BYTES + SEALED_CHUNK],
        FILE[HEADER_BYTES + SEALED_CHUNK : HEADER_BYTES + 2 * SEALED_CHUNK],
        FILE[HEADER_BYTES + 2 * SEALED_CHUNK :],
    )
    other = seal(CONTENT, sealer=sealed.sealed_to_recovery_key(RECOVERY.public, b"e" * 32))
    for pieces in ((two, one, rest), (one, one, rest), (two, rest), (one, rest), (one, two), (rest,), ()):
        with pytest.raises(InvalidBytes):
            unseal(b"".join([head, *pieces]))
    with pytest.raises(InvalidInput):
        unseal(other[:HEADER_BYTES] + FILE[HEADER_BYTES:])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", FILE[:15], FILE[:HEADER_BYTES]]))
def test_any_bytes_are_refused_in_a_sentence(data: bytes, start: bytes) -> None:
    with pytest.raises(JarvisError):
        unseal(start + data)


def test_a_passphrase_opens_what_it_sealed_and_no_other_does() -> None:
    data = seal(b"words", sealer=sealed.sealed_with_passphrase(PASSPHRASE, ENTROPY))
    header = data[:HEADER_BYTES]
    assert sealed.how_to_open(header) == sealed.PASSPHRASE
    assert unseal(data, opener=sealed.opened_with_passphrase(header, PASSPHRASE)) == b"words"
    with pytest.raises(InvalidInput, match="passphrase is not"):
        sealed.opened_with_passphrase(header, PASSPHRASE + "!")
    with pytest.raises(InvalidInput, match="with a passphrase"):
        sealed.opened_with_recovery_key(header, RECOVERY)


def test_a_passphrase_is_what_one_reads_not_how_a_keyboard_spells_it() -> None:
    header = sealed.sealed_with_passphrase("na\u00efve caf\u00e9", ENTROPY).header
    sealed.opened_with_passphrase(header, "nai\u0308ve cafe\u0301")


@pytest.mark.parametrize("passphrase", ["", "7 chars", "x" * 1_025])
def test_a_passphrase_nobody_should_use_is_refused(passphrase: str) -> None:
    with pytest.raises(InvalidInput, match="8 to 1024"):
        sealed.sealed_with_passphrase(passphrase, ENTROPY)


def test_only_the_homes_recovery_key_opens_what_was_sealed_to_it() -> None:
    header = SMALL[:HEADER_BYTES]
    assert sealed.how_to_open(header) == sealed.RECOVERY_KEY
    with pytest.raises(InvalidInput, match="recovery phrase is not"):
        sealed.opened_with_recovery_key(header, SigningKey(b"k" * 32))
    with pytest.raises(InvalidInput, match="recovery key"):
        sealed.opened_with_passphrase(header, PASSPHRASE)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_both_forms_of_the_recovery_key_are_one_key(seed: bytes) -> None:
    private = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
    assert private.public_key().public_bytes_raw() == sealed._x25519_public(SigningKey(seed).public)


def test_points_that_are_nobodys_key_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be sealed"):
        sealed.sealed_to_recovery_key((1).to_bytes(32, "little"), ENTROPY)
    data = SMALL[:16] + bytes(32) + SMALL[48:]
    with pytest.raises(InvalidBytes, match="damaged"):
        sealed.opened_with_recovery_key(data[:HEADER_BYTES], RECOVERY)


def test_other_files_and_newer_ones_are_told_apart() -> None:
    with pytest.raises(InvalidBytes, match="not a backup"):
        sealed.how_to_open(b"SQLite format 3\x00" + bytes(60))
    with pytest.raises(InvalidBytes, match="cut short"):
        sealed.how_to_open(SMALL[:20])
    with pytest.raises(InvalidBytes, match="newer"):
        sealed.how_to_open(SMALL[:14] + b"\x02" + SMALL[15:])


def test_nothing_is_not_sealed() -> None:
    with pytest.raises(InvalidInput):
        sealed.sealed_to_recovery_key(RECOVERY.public, ENTROPY).finish()
