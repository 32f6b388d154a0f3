"""Entries that an owner may sign by hand and that no chain takes: of nodes that are not there, or no more."""

from __future__ import annotations

import pytest

from jarvis.core.codec import HELLO_LIMITS, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import TAG
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain

NOW = 1_800_000_000_000
OWNER, OTHER, RECOVERY = (SigningKey(letter * 32) for letter in (b"o", b"p", b"r"))
KEYS = [SigningKey(bytes([n + 1]) * 32) for n in range(3)]
CERTIFICATES = [make_certificate(key) for key in KEYS]


def founded(*members: int) -> Chain:
    chain = Chain.found(OWNER, RECOVERY.public, CERTIFICATES[0], nonce=b"n" * 16, at_ms=NOW)
    for number in members:
        chain = chain.admit(OWNER, CERTIFICATES[number], at_ms=NOW)
    return chain


def grafted(chain: Chain, other: Chain) -> Chain:
    """The chain with the last entry of another one, numbered and signed as if it belonged there."""
    fields = unpack(other.entries[-1][0], HELLO_LIMITS)
    fields[3], fields[4] = len(chain.entries), chain.head
    data = pack(fields)
    return Chain.verify([*chain.entries, (data, OWNER.sign(TAG + data))])


def test_a_graft_that_is_right_is_taken():
    assert grafted(founded(1), founded(2)).members.keys() == {key.node_id for key in KEYS}


def test_who_was_removed_is_never_admitted_again():
    chain = founded(1).remove(OWNER, KEYS[1].node_id, {}, at_ms=NOW)
    with pytest.raises(InvalidBytes, match="admits a node that was removed"):
        grafted(chain, founded(1))


def test_neither_a_stranger_nor_the_owners_node_is_removed():
    with pytest.raises(InvalidBytes, match="cannot be removed"):
        grafted(founded(1), founded(2).remove(OWNER, KEYS[2].node_id, {}, at_ms=NOW))
    moved = founded(1).hand_over(OWNER, OWNER.public, KEYS[1].node_id, at_ms=NOW)
    with pytest.raises(InvalidBytes, match="cannot be removed"):
        grafted(moved, founded(1).remove(OWNER, KEYS[1].node_id, {}, at_ms=NOW))


def test_a_stranger_never_becomes_the_owner():
    with pytest.raises(InvalidBytes, match="makes a stranger the owner"):
        grafted(founded(1), founded(2).hand_over(OWNER, OTHER.public, KEYS[2].node_id, at_ms=NOW))
