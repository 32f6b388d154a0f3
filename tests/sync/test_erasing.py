"""What was deleted, between nodes: who missed both the words and their deletion, and peers that leave payloads out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jarvis.core.ids import from_text
from jarvis.crdt.registry import CONFIG, SESSIONS
from jarvis.replica import answers, replica
from jarvis.store.protocol import ERASED
from jarvis.testing.home import SimHome, SimNode

SESSION = "session/aaaaaaaaaaaaaaaa"
ID = from_text(SESSION.removeprefix("session/"))
BETWEEN = 1_200
"""Records of the same author between the words and their deletion: more than one may ask for, or let wait."""


def erased(node: SimNode) -> int:
    records = node.store.view(lambda tx: list(tx.records_in_order(0)))
    assert not any(b"the key" in (one.payload or b"") for one in records)
    return sum(one.status == ERASED for one in records)


def say_and_delete(node: SimNode) -> None:
    for _ in range(3):
        node.write(SESSION, lambda state: [state.add_turn({"text": "where the key lies"})])
    for number in range(BETWEEN):
        node.write(CONFIG, lambda state, number=number: [state.put("k", number)])  # type: ignore[misc]
    node.write(SESSIONS, lambda state: [state.delete(ID)])


def test_who_missed_both_is_told_of_the_deletion_first() -> None:
    home = SimHome(3, seed=1)
    say_and_delete(home.nodes[0])
    home.connect(0, 1)
    home.settle(nodes=(0, 1))
    home.connect(1, 2)
    home.settle(nodes=(0, 1, 2))
    assert [erased(node) for node in home.nodes] == [3, 3, 3]
    assert len({node.digest() for node in home.nodes}) == 1
    assert not any(node.refused for node in home.nodes)
    # Each that heard of it before it could apply it made it once more, and no more than that.
    assert sum(len(authors) for authors in (home.nodes[0].frontier(),)) <= 3


def test_without_that_they_would_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "proofs", lambda *_: [])
    monkeypatch.setattr(replica, "proofs", lambda *_: [])
    home = SimHome(2, seed=1)
    say_and_delete(home.nodes[0])
    home.connect(0, 1)
    with pytest.raises(AssertionError, match="did not settle"):
        home.settle()


def test_a_peer_that_leaves_payloads_out_delays_and_deletes_nothing() -> None:
    home = SimHome(3, seed=2)
    honest, liar, reader = home.nodes
    for number in range(20):
        honest.write(SESSION, lambda state, number=number: [state.add_turn({"text": f"turn {number}"})])  # type: ignore[misc]
    home.connect(0, 1)
    home.settle(nodes=(0, 1))
    whole = liar.records

    def without(author: bytes, first: int, through: int):  # type: ignore[no-untyped-def]
        return [replace(one, payload=None) for one in whole(author, first, through)]

    liar.records = without  # type: ignore[method-assign]
    home.connect(1, 2)
    for _ in range(8):
        home.tick(250)
        for a, b in [pair for pair, queue in home.links.items() if queue]:
            home.deliver(a, b)
    assert reader.frontier() == {}, "it waits for a deletion that nobody made"
    home.connect(0, 2)
    home.settle()
    assert len(reader.state(SESSION).turns) == 20 and not reader.state(SESSIONS).deleted
    assert len({node.digest() for node in home.nodes}) == 1


def test_a_removed_deleter_leaves_what_others_erased_deleted() -> None:
    """The removal cuts off the deletion; who had erased makes it again, and all come to agree."""
    home = SimHome(3, seed=3)
    owner, deleter, bystander = home.nodes
    home.connect_all()
    owner.write(SESSION, lambda state: [state.add_turn({"text": "where the key lies"})])
    home.settle()
    home.disconnect(0, 2)
    home.disconnect(1, 2)
    deleter.write(SESSIONS, lambda state: [state.delete(ID)])
    home.settle(nodes=(0, 1))
    assert erased(owner) == 1
    home.disconnect(0, 1)
    chain = owner.store.view(owner.replica.chain).remove(home.owner, deleter.node_id, {}, at_ms=0)
    owner.accept_chain(chain)
    assert ID in owner.state(SESSIONS).deleted, "in its own name"
    assert bystander.state(SESSION).turns
    home.connect(0, 2)
    home.settle(nodes=(0, 2))
    assert erased(bystander) == 1
    assert owner.digest() == bystander.digest()
