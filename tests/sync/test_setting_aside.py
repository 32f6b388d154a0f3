"""Removals and forks: what no longer counts is set aside everywhere, with whatever leaned on it, in whichever order
the news arrives; the rest of the home goes on and agrees."""

from __future__ import annotations

import itertools

import pytest

from jarvis.core.errors import InvalidBytes
from jarvis.crdt.registry import CONFIG
from jarvis.identity.entries import Cutoff
from jarvis.identity.fork import fork_proof
from jarvis.identity.record import SignedRecord
from jarvis.store.protocol import ASIDE, Head
from jarvis.sync.messages import Fork
from jarvis.testing.home import START_MS, SimHome, SimNode

SESSION = "session/aaaaaaaaaaaaaaaa"


def put(node: SimNode, key: str, value: int) -> SignedRecord:
    return node.write(CONFIG, lambda state: [state.put(key, value)])


def value(node: SimNode, key: str) -> object:
    write = node.state(CONFIG).get(key)
    return write.value if write else None


def author_of(node: SimNode) -> bytes:
    return node.store.view(node.replica.author)


def agree(home: SimHome) -> bool:
    return len({node.digest() for node in home.nodes}) == 1


def aside(node: SimNode) -> set[tuple[bytes, int]]:
    return node.store.view(lambda tx: {(one.author, one.seq) for one in tx.records_in_order(0) if one.status == ASIDE})


def fork_of(home: SimHome, number: int, left: int, right: int) -> bytes:
    """Node `number` shows `left` one history and `right` another; the forked author."""
    forker = home.nodes[number]
    home.connect_all()
    put(forker, "base", 1)
    home.settle()
    for a, b in list(home.links):
        home.disconnect(a, b)
    twin, author = forker.store.copy(), author_of(forker)
    for store, peer, number_said in ((forker.store, left, 10), (twin, right, 20)):
        forker.store = store
        forker.start()
        forker.open()
        forker.replica._authorship._confirmed = author  # a program that lies, or a restore that nobody noticed
        put(forker, "x", number_said)
        put(forker, "y", number_said)
        home.connect(number, peer)
        home.settle_pair(number, peer)
        home.disconnect(number, peer)
    return author


@pytest.mark.parametrize("first", [0, 2])
def test_a_fork_is_proven_and_set_aside_by_all(first):
    home = SimHome(3, 21)
    author = fork_of(home, 1, 0, 2)
    assert (value(home.nodes[0], "x"), value(home.nodes[2], "x")) == (10, 20)
    leaning = home.nodes[first].write(CONFIG, lambda state: [state.put("x", 99)])  # replaces a forked write
    put(home.nodes[first], "z", 1)
    home.connect_all()
    home.settle()
    for node in home.nodes:
        assert node.frontier()[author] == 1, "all that stands before the fork counts"
        assert node.store.view(node.replica.bounds).forks[author].seq == 2
        assert value(node, "x") is None and value(node, "y") is None
        assert (leaning.header.author, leaning.header.seq) in aside(node), "what named it goes with it"
        assert value(node, "z") == 1, "its author's next record counts"
    assert agree(home)


def test_equal_lengths_with_unequal_hashes_are_noticed():
    home = SimHome(3, 22)
    author = fork_of(home, 1, 0, 2)
    home.connect(0, 2)
    for _ in range(8):
        for pair in ((0, 2), (2, 0)):
            while home.links[pair]:
                home.deliver(*pair)
        home.tick(250)
    for number in (0, 2):
        assert author in home.nodes[number].store.view(home.nodes[number].replica.bounds).forks


def test_the_forked_node_goes_on_under_a_new_name():
    home = SimHome(3, 23)
    author = fork_of(home, 1, 0, 2)
    home.connect_all()
    home.settle()
    put(home.nodes[1], "again", 5)
    home.settle()
    assert author_of(home.nodes[1]) != author
    assert [value(node, "again") for node in home.nodes] == [5, 5, 5]
    assert agree(home)


def test_a_proof_survives_a_restart_and_is_told_first_to_whoever_comes():
    home = SimHome(4, 24)
    author = fork_of(home, 1, 0, 2)
    home.connect(0, 2)
    home.settle_pair(0, 2)
    home.restart(0)
    home.connect(0, 3)
    home.settle_pair(0, 3)
    assert author in home.nodes[3].store.view(home.nodes[3].replica.bounds).forks
    assert home.nodes[3].frontier().get(author) == 1


def test_nobody_is_accused_without_proof():
    home = SimHome(3, 25)
    home.connect_all()
    record = put(home.nodes[1], "a", 1)
    home.settle()
    mine, other = put(home.nodes[0], "b", 2), put(home.nodes[0], "b", 3)
    home.settle()
    with pytest.raises(InvalidBytes):
        fork_proof((mine.header_data, mine.signature), (other.header_data, other.signature))
    forged = fork_proof((record.header_data, record.signature), (forge(record), bytes(64)))
    home.nodes[2].post(home.nodes[0].node_id, Fork(forged))
    home.deliver(2, 0)
    assert "A fork proof that does not hold." in home.nodes[0].refused
    assert value(home.nodes[0], "a") == 1


def forge(record: SignedRecord) -> bytes:
    from dataclasses import replace

    return replace(record.header, hlc=record.header.hlc + 1).encode()


# --- removal --------------------------------------------------------------------------------------------------------


def remove(home: SimHome, number: int, cutoffs: dict[bytes, Cutoff], at: int = 0) -> None:
    """The owner's node removes another."""
    node = home.nodes[at]
    chain = node.store.view(node.replica.chain)
    changed = chain.remove(home.owner, home.nodes[number].node_id, cutoffs, at_ms=START_MS)
    node.accept_chain(changed)


def head_of(node: SimNode, author: bytes) -> Cutoff:
    head = node.store.view(lambda tx: node.replica.head(tx, author))
    return Cutoff(head.seq, head.hash)


def test_beyond_the_cut_off_nothing_counts_anywhere():
    home = SimHome(4, 31)
    home.connect_all()
    gone = home.nodes[3]
    put(gone, "kept", 1)
    home.settle()
    cutoff = {author_of(gone): head_of(home.nodes[0], author_of(gone))}
    late = put(gone, "late", 1)
    home.settle()
    leaning = home.nodes[1].write(CONFIG, lambda state: [state.put("late", 2)])
    home.settle()
    remove(home, 3, cutoff)
    home.settle(nodes=[0, 1, 2])
    for node in home.nodes[:3]:
        assert value(node, "kept") == 1 and value(node, "late") is None
        assert {(late.header.author, 2), (leaning.header.author, leaning.header.seq)} <= aside(node)
        assert gone.node_id not in node.store.view(node.replica.chain).members
    assert len({node.digest() for node in home.nodes[:3]}) == 1


def test_an_author_that_is_not_listed_counts_for_nothing():
    home = SimHome(3, 32)
    home.connect_all()
    put(home.nodes[2], "a", 1)
    home.settle()
    remove(home, 2, {})
    home.settle(nodes=[0, 1])
    assert [value(node, "a") for node in home.nodes[:2]] == [None, None]
    assert author_of(home.nodes[2]) not in home.nodes[1].frontier()


@pytest.mark.parametrize("news_first", [True, False])
def test_late_records_are_refused_also_from_a_third_node(news_first):
    """Node 1 hears late records of the removed node before it hears of the removal; node 2 only ever afterwards."""
    home = SimHome(4, 33)
    home.connect_all()
    gone = home.nodes[3]
    put(gone, "kept", 1)
    home.settle()
    cutoff = {author_of(gone): head_of(home.nodes[0], author_of(gone))}
    for a, b in list(home.links):
        home.disconnect(a, b)
    put(gone, "late", 1)
    home.connect(1, 3)
    home.settle_pair(1, 3)
    home.disconnect(1, 3)
    put(home.nodes[1], "late", 7)
    remove(home, 3, cutoff)
    home.connect(*((0, 2) if news_first else (1, 2)))
    home.settle_pair(*((0, 2) if news_first else (1, 2)))
    for a, b in itertools.combinations(range(3), 2):
        home.connect(a, b)
    home.settle(nodes=[0, 1, 2])
    for node in home.nodes[:3]:
        assert value(node, "kept") == 1 and value(node, "late") is None
        assert node.frontier()[author_of(gone)] == 1
    assert len({node.digest() for node in home.nodes[:3]}) == 1


def test_a_removed_node_may_say_what_it_likes():
    home = SimHome(3, 34)
    home.connect_all()
    put(home.nodes[2], "a", 1)
    home.settle()
    home.disconnect(2, 0)
    home.disconnect(2, 1)
    remove(home, 2, {author_of(home.nodes[2]): head_of(home.nodes[0], author_of(home.nodes[2]))})
    home.settle(nodes=[0, 1])
    record = put(home.nodes[2], "b", 1)  # it has not heard
    home.nodes[1].accept([record], source=home.nodes[0].node_id)
    assert home.nodes[1].refused[-1].startswith("its node was removed") or "no member" in home.nodes[1].refused[-1]
    assert value(home.nodes[1], "b") is None


def test_the_bounds_are_forgotten_with_undone_work():
    home = SimHome(2, 35)
    home.connect_all()
    put(home.nodes[1], "a", 1)
    home.settle()
    node, author = home.nodes[0], author_of(home.nodes[1])

    def remove_and_fail(tx):
        chain = node.replica.chain(tx).remove(home.owner, home.nodes[1].node_id, {}, at_ms=START_MS)
        node.replica.accept_membership(tx, chain.entries)
        raise ValueError

    with pytest.raises(ValueError):
        node.store.transact(remove_and_fail)
    assert value(node, "a") == 1
    assert node.frontier()[author] == 1
    assert node.store.view(lambda tx: node.replica.head(tx, author)) != Head(0, b"")
