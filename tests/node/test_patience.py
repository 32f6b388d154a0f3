"""How long a peer is not listened to: nothing for an honest one, more and more for a liar, and forgotten in time."""

from __future__ import annotations

from jarvis.node.links.patience import (
    CHATTER_MS,
    FORGET_EVERY_MS,
    FREE_CHATTER,
    FREE_OFFENCES,
    MAX_PAUSE_MS,
    PAUSE_MS,
    Patience,
    units_of,
)
from jarvis.sync.messages import Ephemeral, Ping, Records, Want

PEER, OTHER = b"p" * 16, b"o" * 16


def test_what_is_free_costs_nothing_and_then_more_and_more_up_to_a_bound():
    patience = Patience()
    assert patience.lied(PEER, 0, 0.0) == 0.0
    assert patience.lied(PEER, FREE_OFFENCES, 0.0) == 0.0
    assert patience.lied(PEER, 1, 0.0) == PAUSE_MS
    assert patience.lied(PEER, 2, 0.0) == 3 * PAUSE_MS
    assert patience.lied(PEER, 10_000, 0.0) == MAX_PAUSE_MS
    assert patience.lied(OTHER, 1, 0.0) == 0.0


def test_lies_are_forgotten_one_by_one():
    patience = Patience()
    patience.lied(PEER, FREE_OFFENCES + 10, 0.0)
    assert patience.lied(PEER, 1, 5 * FORGET_EVERY_MS) == 6 * PAUSE_MS
    assert patience.lied(PEER, 1, 10**9) == 0.0


def test_chatter_is_counted_apart_from_lies():
    patience = Patience()
    assert patience.chatted(PEER, FREE_CHATTER, 0.0) == 0.0
    assert patience.chatted(PEER, 0, 0.0) == 0.0
    assert patience.chatted(PEER, 3, 0.0) == 3 * CHATTER_MS
    assert patience.lied(PEER, 1, 0.0) == 0.0
    assert patience.chatted(PEER, 1, 10 * CHATTER_MS) == 0.0


def test_a_peer_that_says_what_an_honest_one_says_is_never_held_back():
    """Ten minutes of pings and of news with every tick."""
    patience = Patience()
    for tick in range(2_400):
        assert not patience.chatted(PEER, 2 * units_of(Ping(1)), tick * 250.0)


def test_records_and_wants_are_no_chatter_when_they_come():
    assert units_of(Ephemeral("say", b"")) == 1
    assert units_of(Records(())) == units_of(Want(b"a" * 32, 1, 2)) == 0
