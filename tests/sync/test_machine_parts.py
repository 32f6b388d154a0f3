"""The protocol machine alone, one happening at a time: what it is told goes in, the list of effects is looked at."""

from __future__ import annotations

import dataclasses

import pytest

from jarvis.replica.bounds import Bounds
from jarvis.replica.horizon import Need
from jarvis.store.protocol import Head
from jarvis.sync import machine
from jarvis.sync.effects import (
    Accept,
    Acknowledged,
    Deliver,
    Drop,
    Effect,
    Proposed,
    ReadSnapshot,
    Send,
    Stage,
    needs_the_store,
)
from jarvis.sync.horizons import PROPOSE_EVERY_MS, Acknowledge, Part, Proposal, Propose, Snapshot, WantSnapshot
from jarvis.sync.machine import HELLO_WITHIN_MS, PING_EVERY_MS, Sync
from jarvis.sync.messages import (
    PROTOCOL,
    Answer,
    Digest,
    Ephemeral,
    Heads,
    Hello,
    Membership,
    Ping,
    Refuse,
    Request,
    Want,
)
from tests.replica.support import CHAIN, GROWN, KEYS, NOW

ME, PEER, THIRD = (key.node_id for key in KEYS[:3])
AUTHOR = THIRD + b"a" * 16
HELLO = Hello(PROTOCOL, CHAIN.home_id, PEER, NOW)
ENTRY, ROOT = b"E" * 32, b"R" * 32
PATIENCE_MS = 2_000.0


def greeted(sync: Sync, peer: bytes, now_ms: float = 0.0) -> None:
    """Up to the exchange of frontiers."""
    sync.connected(peer, now_ms, NOW)
    for message in (
        dataclasses.replace(HELLO, node_id=peer),
        Membership(len(CHAIN.entries), CHAIN.head, len(CHAIN.entries)),
        Heads(()),
    ):
        sync.received(peer, message, now_ms, NOW)
    assert sync.peers[peer].ready


def made(*peers: bytes, node: bytes = ME) -> Sync:
    sync = Sync(node, CHAIN.entries, {}, bounds=Bounds(CHAIN))
    for peer in peers:
        greeted(sync, peer)
    return sync


def sent(effects: list[Effect], kind: type) -> list[tuple[bytes, object]]:
    return [(one.peer, one.message) for one in effects if isinstance(one, Send) and isinstance(one.message, kind)]


def dropped(effects: list[Effect]) -> list[str]:
    return [one.reason for one in effects if isinstance(one, Drop)]


# --- links and greetings ------------------------------------------------------------------------------------------


def test_who_never_says_hello_is_dropped_in_time():
    sync = made()
    sync.connected(PEER, 0.0, NOW)
    assert not dropped(sync.tick(HELLO_WITHIN_MS))
    assert dropped(sync.tick(HELLO_WITHIN_MS + 1.0)) == ["it never said hello"]
    assert not sync.broadcast("say", b"hi"), "who has not said hello hears nothing"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Ping(1), "it did not say hello first"),
        (Refuse("go away"), "it refused: go away"),
        (dataclasses.replace(HELLO, protocol=PROTOCOL + 1), "needs an upgrade"),
        (dataclasses.replace(HELLO, home_id=b"x" * 16), "another home"),
        (dataclasses.replace(HELLO, node_id=THIRD), "not its certificate's"),
    ],
)
def test_a_link_that_begins_wrong_ends(message, reason):
    sync = made()
    sync.connected(PEER, 0.0, NOW)
    assert reason in dropped(sync.received(PEER, message, 0.0, NOW))[0]


@pytest.mark.parametrize(("message", "reason"), [(HELLO, "hello twice"), (Refuse("enough"), "it refused: enough")])
def test_a_link_ends_later_too(message, reason):
    assert reason in dropped(made(PEER).received(PEER, message, 0.0, NOW))[0]


def test_what_is_about_a_peer_that_left_is_nothing():
    sync = made()
    assert sync.received(PEER, Ping(1), 0.0, NOW) == []
    assert sync.membership_stands(PEER) == []
    assert sync.suspected(PEER, AUTHOR, 3) == []
    assert sync.fetched(PEER, []) == []


def test_messages_for_the_node_are_handed_on():
    sync = made(PEER)
    for message in (
        Ephemeral("say", b"x"),
        Digest(False, bytes(32), bytes(32)),
        Request(1, "x", b""),
        Answer(1, True, b""),
    ):
        assert sync.received(PEER, message, 0.0, NOW) == [Deliver(PEER, message)]
    assert sent(sync.broadcast("say", b"x"), Ephemeral) == [(PEER, Ephemeral("say", b"x"))]


def test_a_round_trip_is_measured_by_the_ping_that_was_sent():
    sync = made(PEER)
    assert sync.received(PEER, Ping(77), 0.0, NOW) == [Send(PEER, Ping(77, reply=True))]
    ((_, ping),) = sent(sync.tick(PING_EVERY_MS), Ping)
    assert isinstance(ping, Ping)
    sync.received(PEER, Ping(ping.nonce + 5, reply=True), PING_EVERY_MS + 9.0, NOW)
    assert sync.peers[PEER].rtt_ms is None, "of another time"
    sync.received(PEER, Ping(ping.nonce, reply=True), PING_EVERY_MS + 10.0, NOW)
    assert sync.peers[PEER].rtt_ms == 10.0
    sync.received(PEER, Ping(ping.nonce, reply=True), PING_EVERY_MS + 20.0, NOW)
    assert sync.peers[PEER].rtt_ms == pytest.approx(13.0)


def test_only_what_takes_the_store_waits_its_turn():
    assert needs_the_store(Accept(PEER, ()))
    assert needs_the_store(Deliver(PEER, Digest(True, b"", b""))) and not needs_the_store(
        Deliver(PEER, Digest(False, b"", b""))
    )
    assert needs_the_store(Deliver(PEER, Request(1, "x", b""))) and not needs_the_store(
        Deliver(PEER, Answer(1, True, b""))
    )
    assert not needs_the_store(Drop(PEER, "")) and not needs_the_store(Send(PEER, Ping(1)))


# --- membership -----------------------------------------------------------------------------------------------------


def test_entries_beyond_a_gap_end_the_link():
    offer = Membership(9, b"h" * 32, len(CHAIN.entries) + 1, GROWN.entries[-1:])
    assert dropped(made(PEER).received(PEER, offer, 0.0, NOW)) == ["its membership entries leave a gap"]


def test_a_chain_is_sent_as_far_as_a_frame_goes(monkeypatch):
    sync = made(PEER)
    monkeypatch.setattr(machine, "MAX_MEMBERSHIP_BYTES", len(b"".join(CHAIN.entries[0])) + 1)
    lost = Membership(1, b"h" * 32, 1)
    ((_, answer),) = sent(sync.received(PEER, lost, 0.0, NOW), Membership)
    assert isinstance(answer, Membership) and len(answer.entries) == 1 and answer.length == len(CHAIN.entries)


def test_a_new_chain_is_told_to_those_who_said_hello():
    sync = made(PEER)
    sync.connected(THIRD, 0.0, NOW)
    told = sent(sync.membership_changed(GROWN.entries, 0.0), Membership)
    assert [peer for peer, _ in told] == [PEER]


# --- who holds what ---------------------------------------------------------------------------------------------------


def test_behind_and_ahead_are_counted_in_records():
    sync = made(PEER)
    assert (sync.behind(PEER), sync.ahead(PEER)) == (0, 0)
    sync.committed({AUTHOR: Head(3, b"h" * 32), PEER + b"p" * 16: Head(2, b"p" * 32)}, [], 0.0)
    assert sync.ahead(PEER) == 3, "its own records it holds"
    sync.received(PEER, Heads(((AUTHOR, Head(9, b"i" * 32)),)), 0.0, NOW)
    assert (sync.behind(PEER), sync.ahead(PEER)) == (6, 0)


def test_a_node_that_can_take_nothing_in_asks_for_nothing():
    sync = made(PEER)
    sync.pause(True)
    assert not sent(sync.received(PEER, Heads(((AUTHOR, Head(9, b"i" * 32)),)), 0.0, NOW), Want)
    sync.pause(False)
    assert sent(sync.tick(0.0), Want) == [(PEER, Want(AUTHOR, 1, 9))]


def test_a_want_moves_when_its_peer_is_slow_and_rests():
    sync = made(PEER)
    sync.received(PEER, Heads(((AUTHOR, Head(9, b"i" * 32)),)), 0.0, NOW)
    assert not sent(sync.tick(PATIENCE_MS), Want)
    assert not sent(sync.tick(PATIENCE_MS + 1.0), Want), "it brought nothing and rests"
    assert sent(sync.tick(2 * PATIENCE_MS + 2.0), Want)


def test_who_rests_is_asked_at_once_when_records_can_be_taken_in_again():
    sync = made(PEER)
    sync.received(PEER, Heads(((AUTHOR, Head(9, b"i" * 32)),)), 0.0, NOW)
    assert not sent(sync.tick(PATIENCE_MS + 1.0), Want)
    sync.ask_again()
    assert sent(sync.tick(PATIENCE_MS + 2.0), Want) == [(PEER, Want(AUTHOR, 1, 9))]


def test_suspicion_of_one_peer_has_a_bound(monkeypatch):
    monkeypatch.setattr(machine, "MAX_SUSPECTED", 2)
    sync = made(PEER)
    for seq in (70, 80):
        assert sent(sync.suspected(PEER, AUTHOR, seq), Want) == [(PEER, Want(AUTHOR, seq - 63, seq))]
    assert sync.suspected(PEER, AUTHOR, 80) == [], "once is enough"
    assert "again and again" in dropped(sync.suspected(PEER, AUTHOR, 90))[0]


def test_authors_of_one_peer_have_a_bound(monkeypatch):
    monkeypatch.setattr(machine, "MAX_AUTHORS", 1)
    heads = Heads(tuple((bytes([n]) * 32, Head(1, b"h" * 32)) for n in range(2)))
    assert dropped(made(PEER).received(PEER, heads, 0.0, NOW)) == ["it names too many authors"]


# --- horizons ---------------------------------------------------------------------------------------------------------


def test_a_proposal_is_repeated_until_it_is_signed_or_taken_back():
    sync = made(PEER)
    proposal = Proposal({AUTHOR: (3, b"h" * 32)}, ROOT, {PEER, THIRD})
    asked = (PEER, Propose(proposal.frontier, ROOT))
    assert sent(sync.propose(proposal, 0.0), Propose) == [asked]
    assert not sent(sync.tick(PROPOSE_EVERY_MS - 1.0), Propose)
    assert sent(sync.tick(PROPOSE_EVERY_MS), Propose) == [asked]
    assert sync.received(PEER, Acknowledge(b"x" * 32, b"s" * 64), 0.0, NOW) == [], "of another proposal"
    assert sync.received(PEER, Acknowledge(ROOT, b"", "I hold what I cannot read"), 0.0, NOW) == []
    assert proposal.reasons == {PEER: "I hold what I cannot read"}
    assert sync.received(PEER, Acknowledge(ROOT, b"s" * 64), 0.0, NOW) == [Acknowledged(PEER, b"s" * 64)]
    proposal.missing.discard(PEER)
    assert sync.received(PEER, Acknowledge(ROOT, b"s" * 64), 0.0, NOW) == [], "once is enough"
    assert not sent(sync.propose(None, 10 * PROPOSE_EVERY_MS), Propose)
    assert sync.received(PEER, Acknowledge(ROOT, b"s" * 64), 0.0, NOW) == []


def test_only_the_owners_node_may_propose():
    owner, other = KEYS[0].node_id, KEYS[1].node_id
    sync = made(owner, other, node=THIRD)
    proposed = Propose({AUTHOR: (3, b"h" * 32)}, ROOT)
    assert sync.received(owner, proposed, 0.0, NOW) == [Proposed(owner, proposed)]
    assert sync.received(other, proposed, 0.0, NOW) == []
    unbounded = Sync(THIRD, CHAIN.entries, {})
    greeted(unbounded, owner)
    assert unbounded.received(owner, proposed, 0.0, NOW) == []


def test_a_snapshot_is_fetched_from_one_peer_at_a_time():
    sync = made(PEER, THIRD)
    need = Need(ENTRY, "", 0)
    ((first, want),) = sent(sync.lacks(need, 0.0), WantSnapshot)
    assert want == WantSnapshot(ENTRY, "", 0) and not sent(sync.tick(1.0), WantSnapshot)
    second = THIRD if first == PEER else PEER
    parts = (Part("", 0, 3, b"abc"),)
    assert sync.received(second, Snapshot(ENTRY, parts), 1.0, NOW) == [], "nobody asked it"
    assert sync.received(first, Snapshot(b"x" * 32, parts), 1.0, NOW) == [], "of another horizon"
    answer = Snapshot(ENTRY, parts)
    assert sync.received(first, answer, 1.0, NOW) == [Stage(first, answer)]
    assert not sent(sync.tick(10 * PATIENCE_MS), WantSnapshot), "it is being staged"
    onward = sync.staged(first, Need(ENTRY, "config", 0), 2.0, useful=True)
    assert sent(onward, WantSnapshot) == [(first, WantSnapshot(ENTRY, "config", 0))]
    assert sent(sync.staged(first, Need(ENTRY, "config", 0), 3.0, useful=False), WantSnapshot)[0][0] == second
    assert not sent(sync.lacks(None, 4.0), WantSnapshot)


def test_who_is_slow_holds_nothing_or_leaves_is_passed_over():
    sync = made(PEER, THIRD)
    ((first, _),) = sent(sync.lacks(Need(ENTRY, "", 0), 0.0), WantSnapshot)
    second = THIRD if first == PEER else PEER
    assert sent(sync.tick(PATIENCE_MS + 1.0), WantSnapshot)[0][0] == second, "slow"
    empty = sync.received(second, Snapshot(ENTRY, ()), PATIENCE_MS + 2.0, NOW)
    assert not empty, "both rest"
    assert sent(sync.tick(3 * PATIENCE_MS), WantSnapshot), "and are asked again"
    sync.disconnected(first, 3 * PATIENCE_MS)
    sync.disconnected(second, 3 * PATIENCE_MS)
    assert not sent(sync.tick(100 * PATIENCE_MS), WantSnapshot)


def test_a_snapshot_that_is_asked_of_us_is_read():
    want = WantSnapshot(ENTRY, "", 0)
    assert made(PEER).received(PEER, want, 0.0, NOW) == [ReadSnapshot(PEER, want)]


def test_what_peers_are_known_to_hold():
    sync = made(PEER, THIRD)
    sync.committed({AUTHOR: Head(3, b"h" * 32)}, [], 0.0)
    sync.received(PEER, Heads(((AUTHOR, Head(2, b"g" * 32)),)), 0.0, NOW)
    assert sync.told(()) == [{AUTHOR: 2}, {AUTHOR: 3}], "what it wrote itself it held before anybody else"
    assert sync.told((PEER,)) == [{AUTHOR: 3}]
