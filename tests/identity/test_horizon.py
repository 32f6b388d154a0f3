"""A horizon is what all members acknowledged, or it is nothing."""

from __future__ import annotations

import pytest

from jarvis.core.errors import InvalidBytes, NotAllowed
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import ENTRY_LIMITS, HORIZON, Cutoff, write_entry
from jarvis.identity.horizon import MAX_AUTHORS, Frontier, acknowledge, is_acknowledged, read_frontier
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.replica.bounds import CLOSED, Bounds

OWNER = SigningKey(b"o" * 32)
RECOVERY = SigningKey(b"r" * 32)
NODES = [SigningKey(bytes([n]) * 32) for n in range(4)]
CERTIFICATES = [make_certificate(node) for node in NODES]
NOW = 1_800_000_000_000
ROOT = b"R" * 32


def author(number: int, incarnation: int = 0) -> bytes:
    return NODES[number].node_id + bytes([incarnation]) * 16


def chain_of(*members: int) -> Chain:
    chain = Chain.found(OWNER, RECOVERY.public, CERTIFICATES[0], nonce=b"n" * 16, at_ms=NOW)
    for number in members:
        chain = chain.admit(OWNER, CERTIFICATES[number], at_ms=NOW)
    return chain


def acks(chain: Chain, frontier: Frontier, *numbers: int, root: bytes = ROOT) -> dict[bytes, bytes]:
    return {NODES[one].node_id: acknowledge(NODES[one], chain.home_id, frontier, root) for one in numbers}


def declare(chain: Chain, frontier: Frontier, *numbers: int, stale: tuple[int, ...] = ()) -> Chain:
    left = [NODES[one].node_id for one in stale]
    return chain.declare_horizon(OWNER, frontier, ROOT, acks(chain, frontier, *numbers), left, at_ms=NOW)


FIRST = {author(0): (5, b"a" * 32), author(1): (3, b"b" * 32), author(2): (9, b"c" * 32)}


def test_all_members_acknowledge_it_and_everybody_reads_it():
    chain = declare(chain_of(1, 2), FIRST, 1, 2)
    again = Chain.verify(chain.entries)
    assert again == chain
    assert again.horizon is not None
    assert (dict(again.horizon.frontier), again.horizon.root, again.horizon.entry) == (FIRST, ROOT, chain.head)
    assert again.supersedes(chain_of(1, 2))


def test_a_stale_member_is_not_waited_for():
    chain = declare(chain_of(1, 2), FIRST, 1, stale=(2,))
    assert chain.horizon is not None and chain.horizon.stale == (NODES[2].node_id,)


@pytest.mark.parametrize(
    ("acked", "stale"),
    [((1,), ()), ((), (1,)), ((1, 2, 3), ()), ((1, 2), (2,)), ((0, 1, 2), ()), ((1, 2), (0,)), ((1, 2), (3,))],
)
def test_who_must_acknowledge_is_exact(acked, stale):
    with pytest.raises(InvalidBytes, match="not every member"):
        declare(chain_of(1, 2), FIRST, *acked, stale=stale)


def test_acknowledgements_are_of_this_home_frontier_and_root():
    chain = chain_of(1)
    good = acks(chain, FIRST, 1)
    node = NODES[1].node_id
    other_home = Chain.found(OWNER, RECOVERY.public, CERTIFICATES[0], nonce=b"m" * 16, at_ms=NOW)
    for bad in (
        acks(chain, FIRST, 1, root=b"S" * 32)[node],
        acks(chain, {**FIRST, author(1): (4, b"b" * 32)}, 1)[node],
        acks(other_home, FIRST, 1)[node],
        acknowledge(NODES[2], chain.home_id, FIRST, ROOT),
        bytes(64),
    ):
        with pytest.raises(InvalidBytes, match="not its member's"):
            chain.declare_horizon(OWNER, FIRST, ROOT, {node: bad}, [], at_ms=NOW)
    assert is_acknowledged(NODES[1].public, good[node], chain.home_id, FIRST, ROOT)
    with pytest.raises(NotAllowed):
        chain.declare_horizon(NODES[1], FIRST, ROOT, good, [], at_ms=NOW)


def test_a_newer_one_covers_the_older():
    chain = declare(chain_of(1, 2), FIRST, 1, 2)
    further = {**FIRST, author(1): (4, b"d" * 32), author(1, 1): (1, b"e" * 32)}
    assert declare(chain, further, 1, 2).horizon is not None
    for back in ({**FIRST, author(1): (2, b"b" * 32)}, {**FIRST, author(1): (3, b"x" * 32)}):
        with pytest.raises(InvalidBytes, match="does not cover"):
            declare(chain, back, 1, 2)


def test_authors_that_it_leaves_out_are_closed_for_ever():
    chain = declare(chain_of(1, 2), FIRST, 1, 2)
    shorter = {one: place for one, place in FIRST.items() if one != author(2)}
    closed = declare(chain, shorter, 1, 2)
    assert dict(closed.collapsed) == {author(2): FIRST[author(2)]}
    assert closed.reach(shorter) == FIRST == chain.reach(shorter)
    bounds = Bounds(closed)
    assert (bounds.last(author(2)), bounds.settled(author(2)), bounds.any) == (9, 9, True)
    assert bounds.reason(author(2)) == CLOSED
    with pytest.raises(InvalidBytes, match="cannot be"):
        declare(closed, FIRST, 1, 2)


def test_neither_a_removal_nor_a_fork_reaches_below_it():
    chain = declare(chain_of(1, 2), FIRST, 1, 2)
    cut = chain.remove(OWNER, NODES[2].node_id, {author(2): Cutoff(4, b"x" * 32)}, at_ms=NOW)
    assert Bounds(cut).last(author(2)) == 9
    assert Bounds(cut).last(author(2, 7)) == 0
    assert Bounds(cut).last(author(1)) is None


def test_strangers_have_no_place_in_it():
    with pytest.raises(InvalidBytes, match="cannot be"):
        declare(chain_of(1), {author(3): (1, b"x" * 32)}, 1)


def test_the_largest_fits_an_entry():
    numbers = range(64)
    keys = [SigningKey(bytes([n, 7]) * 16) for n in numbers]
    chain = chain_of()
    for key in keys:
        chain = chain.admit(OWNER, make_certificate(key), at_ms=NOW)
    frontier = {
        keys[n % 64].node_id + n.to_bytes(16, "big"): (2**40 + n, bytes([n % 256]) * 32) for n in range(MAX_AUTHORS)
    }
    signed = {key.node_id: acknowledge(key, chain.home_id, frontier, ROOT) for key in keys}
    grown = chain.declare_horizon(OWNER, frontier, ROOT, signed, [], at_ms=NOW)
    assert len(grown.entries[-1][0]) <= ENTRY_LIMITS.size_bytes
    with pytest.raises(InvalidBytes):
        read_frontier({n.to_bytes(32, "big"): [1, b"h" * 32] for n in range(MAX_AUTHORS + 1)})


@pytest.mark.parametrize(
    "bent",
    [
        {"frontier": {b"short": [1, b"h" * 32]}},
        {"frontier": {bytes(32): [0, b"h" * 32]}},
        {"frontier": {bytes(32): [True, b"h" * 32]}},
        {"frontier": {bytes(32): [1]}},
        {"frontier": [1]},
        {"root": b"R"},
        {"acks": {bytes(16): bytes(63)}},
        {"acks": []},
        {"stale": [bytes(16), bytes(16)]},
        {"stale": [b"x"]},
        {"stale": {}},
        {"more": 1},
    ],
)
def test_shapes_are_checked(bent):
    chain = chain_of(1)
    fields = {"frontier": {}, "root": ROOT, "acks": acks(chain, {}, 1), "stale": []} | bent
    entry = write_entry(OWNER, HORIZON, term=0, index=len(chain.entries), prev=chain.head, at_ms=NOW, fields=fields)
    with pytest.raises(InvalidBytes):
        Chain.verify([*chain.entries, entry])
