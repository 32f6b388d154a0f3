"""Who is asked for what lies below a horizon, and who is asked to sign one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jarvis.core.errors import InvalidBytes
from jarvis.replica.bounds import Bounds
from jarvis.replica.horizon import Need
from jarvis.replica.staging import Part
from jarvis.sync.effects import Acknowledged, Effect, Proposed, ReadSnapshot, Send, Stage
from jarvis.sync.horizons import (
    PROPOSE_AGAIN_MS,
    PROPOSE_EVERY_MS,
    Acknowledge,
    Fetching,
    Proposal,
    Propose,
    Snapshot,
    WantSnapshot,
    read,
)
from jarvis.sync.machine import Sync
from jarvis.sync.messages import PROTOCOL, Heads, Hello, Membership
from jarvis.sync.peer import MAX_REST_MS, MIN_REASK_MS
from tests.replica.support import CHAIN, KEYS, NOW

ENTRY, ROOT = b"E" * 32, b"R" * 32
ME, OWNER_NODE, OTHER = KEYS[1].node_id, KEYS[0].node_id, KEYS[2].node_id
NEED = Need(ENTRY, "config", 7)
PART = Part("config", 7, 9, b"xy")


def linked(me: bytes = ME, *peers: bytes) -> Sync:
    sync = Sync(me, CHAIN.entries, {}, bounds=Bounds(CHAIN))
    for peer in peers or (OWNER_NODE, OTHER):
        sync.connected(peer, 0, NOW)
        for said in (
            Hello(PROTOCOL, CHAIN.home_id, peer, NOW),
            Membership(len(CHAIN.entries), CHAIN.head, len(CHAIN.entries)),
            Heads(()),
        ):
            sync.received(peer, said, 0, NOW)
    return sync


def of_horizons(effects: list[Effect]) -> list[Effect]:
    kinds = (WantSnapshot, Snapshot, Propose, Acknowledge)
    return [one for one in effects if not isinstance(one, Send) or isinstance(one.message, kinds)]


def test_one_peer_is_asked_and_another_when_it_is_slow():
    sync = linked()
    (asked,) = of_horizons(sync.lacks(NEED, 0))
    assert asked.message == WantSnapshot(ENTRY, "config", 7)
    assert of_horizons(sync.tick(MIN_REASK_MS - 1)) == []
    (again,) = of_horizons(sync.tick(MIN_REASK_MS + 1))
    assert again.message == asked.message and again.peer != asked.peer
    assert of_horizons(sync.received(asked.peer, Snapshot(ENTRY, (PART,)), MIN_REASK_MS + 2, NOW)) == [], "too late"
    (staged,) = of_horizons(sync.received(again.peer, Snapshot(ENTRY, (PART,)), MIN_REASK_MS + 3, NOW))
    assert staged == Stage(again.peer, Snapshot(ENTRY, (PART,)))
    assert of_horizons(sync.tick(60_000)) == [], "the disk may take its time"
    (more,) = of_horizons(sync.staged(again.peer, replace(NEED, offset=9), 60_001, useful=True))
    assert more.message == WantSnapshot(ENTRY, "config", 9)
    assert of_horizons(sync.staged(more.peer, None, 60_002, useful=True)) == []


def test_who_brings_nothing_rests_ever_longer():
    sync = linked(ME, OTHER)
    sync.lacks(NEED, 0)
    now, rests = 0.0, []
    for _ in range(6):
        assert of_horizons(sync.received(OTHER, Snapshot(ENTRY, ()), now, NOW)) == []
        began = now
        while not of_horizons(sync.tick(now)):
            now += 500
        rests.append(now - began)
    assert rests == [2_000, 4_000, 8_000, 16_000, MAX_REST_MS, MAX_REST_MS]
    assert of_horizons(sync.staged(OTHER, NEED, now, useful=False)) == []
    # Another horizon is another matter.
    assert of_horizons(sync.lacks(replace(NEED, entry=b"F" * 32), now))


def test_a_link_that_ends_frees_what_was_asked_there():
    sync = linked()
    (asked,) = of_horizons(sync.lacks(NEED, 0))
    sync.disconnected(asked.peer, 1)
    (again,) = of_horizons(sync.tick(2))
    assert again.peer != asked.peer


def test_only_the_owners_node_proposes():
    sync = linked()
    proposal = Propose({}, ROOT)
    assert of_horizons(sync.received(OWNER_NODE, proposal, 1, NOW)) == [Proposed(OWNER_NODE, proposal)]
    assert of_horizons(sync.received(OTHER, proposal, 1, NOW)) == []
    want = WantSnapshot(ENTRY, "", 0)
    assert of_horizons(sync.received(OTHER, want, 1, NOW)) == [ReadSnapshot(OTHER, want)]


def test_a_proposal_is_repeated_until_it_is_signed():
    sync = linked(OWNER_NODE, ME, OTHER)
    proposal = Proposal({}, ROOT, {ME, OTHER})
    assert {one.peer for one in of_horizons(sync.propose(proposal, 0))} == {ME, OTHER}
    assert of_horizons(sync.tick(PROPOSE_EVERY_MS - 1)) == []
    assert of_horizons(sync.received(ME, Acknowledge(ROOT, b"", "not yet"), 1, NOW)) == []
    assert proposal.reasons == {ME: "not yet"}
    proposal.sent_ms[OTHER] = 9 * PROPOSE_EVERY_MS
    assert of_horizons(sync.tick(PROPOSE_EVERY_MS + 1)) == [], "it has just looked at everything"
    assert [one.peer for one in of_horizons(sync.tick(PROPOSE_AGAIN_MS + 1))] == [ME]
    proposal.sent_ms.clear()
    proposal.sent_ms[OTHER] = 0
    assert of_horizons(sync.received(ME, Acknowledge(b"S" * 32, bytes(64)), 1, NOW)) == [], "of another"
    assert of_horizons(sync.received(ME, Acknowledge(ROOT, bytes(64)), 1, NOW)) == [Acknowledged(ME, bytes(64))]
    proposal.missing.discard(ME)
    assert of_horizons(sync.received(ME, Acknowledge(ROOT, bytes(64)), 2, NOW)) == []
    assert [one.peer for one in of_horizons(sync.tick(PROPOSE_EVERY_MS + 1))] == [OTHER]
    sync.propose(None, PROPOSE_EVERY_MS + 2)
    assert of_horizons(sync.tick(9 * PROPOSE_EVERY_MS)) == []


def test_what_a_peer_wrote_itself_it_holds():
    sync = linked(OWNER_NODE, ME, OTHER)
    assert sync.told([OTHER]) == [{}] and len(sync.told([])) == 2


def test_nobody_is_asked_while_nobody_is_there():
    fetching = Fetching()
    assert fetching.choose([ME], 0) is None, "nothing is needed"
    fetching.lacks(NEED)
    assert fetching.choose([], 0) is None
    assert not fetching.answered(ME, Snapshot(ENTRY, (PART,)), 0), "it was not asked"
    assert fetching.choose([ME], 0) is not None and fetching.choose([OTHER], 0) is None


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (12, [{}, b"short"]),
        (12, [{b"x": [1, ROOT]}, ROOT]),
        (13, [ROOT, b"short", ""]),
        (13, [ROOT, bytes(64)]),
        (14, [ENTRY, "x" * 65, 0]),
        (14, [ENTRY, "x", True]),
        (14, [b"short", "x", 0]),
        (15, [ENTRY, [["x", 0, 9]]]),
        (15, [ENTRY, [["x", 0, 9, "text"]]]),
        (15, [ENTRY, [["x", -1, 9, b""]]]),
        (15, [ENTRY, [["x", 0, 9, b""]] * 1_025]),
        (15, [b"short", []]),
    ],
)
def test_other_shapes_are_refused(number, fields):
    with pytest.raises(InvalidBytes):
        read(number, fields)
