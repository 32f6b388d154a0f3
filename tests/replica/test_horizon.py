"""Horizons on a few replicas: taken by who holds what they cover, right after every step."""

from __future__ import annotations

import contextlib

import pytest

from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import from_text
from jarvis.crdt.text import SharedText
from jarvis.identity.entries import Cutoff
from jarvis.identity.fork import fork_proof
from jarvis.replica.manifest import Impossible, Manifest, read_manifest, root_of
from tests.replica.horizon_home import (
    NOTE,
    agree,
    count,
    declare,
    fill,
    floor,
    hear,
    home,
    manifest_of,
    manifest_or_reason,
    records_of,
    reply,
    sorted_dots,
    spread,
    take,
    write,
)
from tests.replica.support import CHAIN, KEYS, NOW, OWNER, Author, Node, make_chain


def test_what_everybody_holds_is_deleted_and_means_the_same():
    nodes = home()
    fill(nodes)
    told = nodes[0].state("config").keys()
    chain = declare(nodes)
    for node in nodes:
        hear(node, chain)
        assert take(node) == 0
        assert count(node) == 0
        assert node.state("config").keys() == told
    assert agree(*nodes, *(node.restart() for node in nodes))
    fill(nodes, 5)
    assert agree(*nodes)
    assert all(count(node) == 5 for node in nodes)
    again = declare(nodes)
    for node in nodes:
        hear(node, again)
        take(node)
    assert agree(*nodes) and all(count(node) == 0 for node in nodes)


def test_a_crash_between_two_steps_leaves_what_is_right():
    nodes = home(2, make_chain(0, 1))
    for number in range(30):
        fill(nodes, 2, f"own/or_map/plugin/d{number}")
    before = nodes[0].digest()
    chain = declare(nodes)
    hear(nodes[1], chain)
    hear(nodes[0], chain)
    take(nodes[0])
    steps = 0
    node, following = nodes[1], None
    while following is None or following.more:
        following, _ = node.store.transact(node.replica.take_horizon)
        node = node.restart()
        assert node.store.view(node.replica.digests) == nodes[0].store.view(nodes[0].replica.digests)
        steps += 1
    assert steps > 4 and count(node) == 0
    assert before != nodes[0].digest(), "the chain is another, the documents are the same"


def test_records_from_below_are_duplicates_and_prove_nothing():
    nodes = home(2)
    author = Author(2)
    first = spread(author.put("a", 1), nodes)
    twin = author.fork()
    spread(author.put("a", 2), nodes)
    chain = declare(nodes, 2)
    hear(nodes[0], chain)
    take(nodes[0])
    before = nodes[0].digest()
    accepted = nodes[0].accept(first, twin.put("a", 3))
    assert (accepted.duplicates, accepted.refused, accepted.forks) == (2, [], [])
    assert nodes[0].digest() == before
    spread(author.put("a", 4), nodes)
    assert nodes[0].seq(author.name) == 3


def test_a_fork_heard_of_later_changes_nothing_below():
    """Whoever heard of it first takes back what it set aside."""
    nodes = home(2)
    author = Author(2)
    spread(author.put("a", 1), nodes)
    twin = author.fork()
    mine, other = author.put("a", 2), twin.put("a", 3)
    spread(mine, nodes)
    spread(author.put("b", 2), nodes)
    chain = declare(nodes, 2)
    proof = fork_proof((mine.header_data, mine.signature), (other.header_data, other.signature))
    nodes[1].store.transact(lambda tx: nodes[1].replica.accept_fork(tx, proof))
    assert nodes[1].seq(author.name) == 1
    for node in nodes:
        hear(node, chain)
        take(node)
        assert node.seq(author.name) == 3
        node.store.transact(lambda tx, node=node: node.replica.accept_fork(tx, proof))
        assert node.seq(author.name) == 3
        assert node.accept(author.fork().put("c", 1)).refused, "but nothing beyond"
    assert agree(*nodes)


def test_a_removal_heard_of_later_changes_nothing_below():
    nodes = home(2)
    author = Author(2)
    for number in range(4):
        spread(author.put(f"{number}", number), nodes)
    chain = declare(nodes, 2)
    cut = chain.remove(OWNER, KEYS[2].node_id, {author.name: Cutoff(1, b"h" * 32)}, at_ms=NOW)
    for node in nodes:
        hear(node, cut)
        take(node)
        assert node.seq(author.name) == 4
    assert agree(*nodes)


def test_who_holds_less_or_something_else_does_not_acknowledge():
    nodes = home()
    fill(nodes)
    nodes[0].append("config", ["put", "more", 1, []])
    manifest = manifest_of(nodes[0])
    assert reply(nodes[1], manifest).reason == "it does not hold all of that"
    other = Manifest(manifest.frontier, manifest.stamps, {}, {})
    assert reply(nodes[0], other).reason == "it finds other documents there"


def test_a_frontier_is_what_all_hold_and_names_nothing_beyond():
    nodes = home(2)
    first = write(nodes[0], nodes, "config", ["put", "a", 1, []])
    author = nodes[0].store.view(nodes[0].replica.author)
    lonely = nodes[1].append("memory", ["put", "x", 1, []])
    nodes[0].accept(lonely)
    second = nodes[0].append("memory", ["put", "x", 2, [[lonely.header.author, 1, 0]]])
    told = [{author: 2, lonely.header.author: 0}]
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, told))
    assert frontier == {author: (1, first.hash)}, "the second names what the other may lack"
    told = [{author: 1, lonely.header.author: 1}]
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, told))
    assert frontier == {author: (1, first.hash), lonely.header.author: (1, lonely.hash)}
    assert second.header.seq == 2


def test_a_deletion_beyond_the_frontier_makes_it_impossible():
    nodes = home(2)
    session = "session/" + "a" * 16
    write(nodes[0], nodes, session, ["turn", None, {"text": "words"}])
    manifest = manifest_of(nodes[0])
    write(nodes[1], nodes, "sessions", ["delete", from_text("a" * 16)])
    assert "deleted after" in reply(nodes[1], manifest).reason
    chain = declare(nodes, 2)
    for node in nodes:
        hear(node, chain)
        take(node)
        assert session not in node.store.view(lambda tx: tx.documents())
    assert agree(*nodes)


def test_authors_that_nobody_writes_under_are_closed():
    nodes = home(2)
    fill(nodes, 6)
    old = nodes[1].store.view(nodes[1].replica.author)
    first = declare(nodes, 2)
    for node in nodes:
        hear(node, first)
        take(node)
    nodes[1] = nodes[1].restart()  # nobody has echoed its head: another incarnation
    write(nodes[1], nodes, "config", ["put", "0", "again", sorted_dots(nodes[1], "0")])
    second = declare(nodes, 2)
    assert old in second.collapsed
    for node in nodes:
        hear(node, second)
        take(node)
        assert node.seq(old) == 0
    assert agree(*nodes)
    # What lies below can be named, also where its author is closed.
    write(nodes[0], nodes, "config", ["put", "1", "again", sorted_dots(nodes[0], "1")])
    assert agree(*nodes)
    late = Node(second, number=2)
    take(late, nodes[0])
    late.accept(*records_of(nodes[0]))
    assert agree(late, *nodes)


def test_who_writes_on_under_a_name_does_not_let_it_be_closed():
    nodes = home(2)
    fill(nodes, 6)
    first = declare(nodes, 2)
    for node in nodes:
        hear(node, first)
        take(node)
    mine = nodes[1].store.view(nodes[1].replica.author)
    manifest = manifest_of(nodes[0])
    left = Manifest(
        {one: place for one, place in manifest.frontier.items() if one != mine},
        manifest.stamps,
        manifest.documents,
        manifest.aside,
    )
    assert "left out" in reply(nodes[1], left).reason


def test_a_horizon_in_a_branch_that_lost_still_holds():
    """A recovery by who had not heard of it: its entry has lost, and what was deleted is gone all the same."""
    nodes = home()
    fill(nodes)
    author = nodes[2].store.view(nodes[2].replica.author)
    fill(nodes[:2], 4)
    lost = declare(nodes[:2], 2)
    for node in nodes[:2]:
        hear(node, lost)
        take(node)
    winning = CHAIN.recover(KEYS[3], OWNER.public, KEYS[3].public, KEYS[2].node_id, at_ms=NOW)
    for node in nodes:
        hear(node, winning)
        hear(node, lost)
    take(nodes[2], nodes[0])
    assert agree(*nodes)
    fill(nodes, 6)
    assert agree(*nodes)
    again = declare([nodes[2], nodes[0], nodes[1]], chain=winning)
    for node in nodes:
        hear(node, again)
        take(node)
        assert count(node) == 0 and floor(node) == again.head
    assert agree(*nodes, *(node.restart() for node in nodes))
    assert nodes[0].seq(author) > 0


@pytest.mark.parametrize(
    "bent",
    [lambda d: d[:-1], lambda d: d + b"\x00", lambda d: b"\x91" + d[1:], lambda d: d.replace(b"config", b"confih")],
)
def test_a_damaged_manifest_is_refused_or_another(bent):
    nodes = home(2)
    fill(nodes, 4)
    data = manifest_of(nodes[0]).encode()
    assert read_manifest(data).encode() == data
    with contextlib.suppress(InvalidBytes):
        assert root_of(read_manifest(bent(data)).encode()) != root_of(data)


def test_a_node_that_has_not_taken_the_last_one_proposes_none():
    nodes = home(2)
    fill(nodes, 4)
    chain = declare(nodes, 2)
    hear(nodes[0], chain)
    with pytest.raises(Impossible, match="has not taken"):
        nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, []))


def test_a_fork_heard_of_between_two_steps_leaves_notes_as_they_are():
    """Edits go on from what is not deleted yet, too."""
    nodes = home(2)
    author, forker = Author(1), Author(2)
    text = SharedText(author.name, NOTE)
    spread(author.write(NOTE, text.insert(0, "milk").operation), nodes)
    spread(forker.put("a", 1), nodes)
    twin = forker.fork()
    chain = declare(nodes, 2)
    spread(author.write(NOTE, text.insert(4, " and eggs").operation), nodes)
    mine, other = forker.put("a", 2), twin.put("a", 3)
    spread(mine, nodes)
    for node in nodes:
        hear(node, chain)
    nodes[0].store.transact(nodes[0].replica.take_horizon)
    assert floor(nodes[0]) == chain.head and count(nodes[0]) > 3, "taken, and nothing deleted"
    proof = fork_proof((mine.header_data, mine.signature), (other.header_data, other.signature))
    for node in nodes:
        node.store.transact(lambda tx, node=node: node.replica.accept_fork(tx, proof))
        assert node.state(NOTE).text == "milk and eggs"
        take(node)
        assert node.state(NOTE).text == "milk and eggs"
    assert agree(*nodes, *(node.restart() for node in nodes))


def test_what_only_a_newer_program_understands_cannot_be_signed():
    nodes = home(2)
    author = Author(2)
    spread(author.write("newer/thing", ["?"]), nodes)
    manifest = manifest_or_reason(nodes[0])
    assert manifest == "it holds records that only a newer Jarvis understands"


def test_what_counts_must_not_change_while_it_is_added_up():
    nodes = home(2)
    author = Author(2)
    spread(author.put("a", 1), nodes)
    twin = author.fork()
    mine, other = author.put("a", 2), twin.put("a", 3)
    frontier = nodes[0].store.view(lambda tx: nodes[0].replica.proposing.frontier(tx, []))
    assert nodes[0].store.transact(lambda tx: nodes[0].replica.horizons.make(tx, frontier)) is None
    nodes[0].accept(mine, other)
    with pytest.raises(Impossible, match="changed meanwhile"):
        nodes[0].store.transact(lambda tx: nodes[0].replica.horizons.make(tx, frontier))
    assert isinstance(manifest_or_reason(nodes[0]), Manifest)


def test_too_many_authors_are_said_so(monkeypatch):
    nodes = home(2)
    monkeypatch.setattr("jarvis.replica.proposing.MAX_AUTHORS", 2)
    for incarnation in range(3):
        spread(Author(2, incarnation).put("a", 1), nodes)
    assert manifest_or_reason(nodes[0]) == "its records have 3 authors, and a horizon holds 2"


def test_the_home_can_tell_that_a_base_is_sound():
    nodes = home(2)
    fill(nodes, 4)
    chain = declare(nodes, 2)
    node = nodes[0]
    assert node.store.view(node.replica.horizons.below) == [] and node.store.view(node.replica.horizons.is_taken)
    hear(node, chain)
    assert not node.store.view(node.replica.horizons.is_taken)
    take(node)
    assert node.store.view(node.replica.horizons.is_taken)
    assert node.store.view(node.replica.horizons.below) == ["config"]
    assert node.store.view(lambda tx: node.replica.horizons.is_sound(tx, "config"))
    node.store.transact(lambda tx: tx.put_base("config", b"something else"))
    assert not node.store.view(lambda tx: node.replica.horizons.is_sound(tx, "config"))
