"""Notes as records: nodes that get them in any order hold the same words, and a forger's are rejected by all alike."""

from __future__ import annotations

import itertools
import random

import pytest

from jarvis.crdt.text import SharedText, client_id
from jarvis.identity.entries import Cutoff
from jarvis.store.protocol import APPLIED, ASIDE, REJECTED
from tests.replica.support import GROWN, KEYS, NOW, OWNER, Author, Node

NOTE = "notes/shopping"
HOME = b"\x01\x04text"


class Writer:
    """A member with a copy of the note."""

    def __init__(self, number: int) -> None:
        self.author = Author(number)
        self.copy = SharedText(self.author.name, NOTE)

    def write(self, position: int, text: str, delete: int = 0):
        return self.author.write(NOTE, self.copy.replace(position, delete, text).operation)

    def read(self, node: Node) -> None:
        """Go on from what a node holds."""
        self.copy = SharedText(self.author.name, NOTE, node.state(NOTE))


def number(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def forged(writer: int, clock: int) -> list[object]:
    return ["edit", b"\x01\x01" + number(writer) + number(clock) + b"\x04" + HOME + b"\x03bad\0", []]


def statuses(node: Node, records) -> dict[tuple[bytes, int], int]:
    found = {}
    for record in records:
        for one in node.accept(record).records:
            found[one.author, one.seq] = one.status
    return found


@pytest.mark.parametrize("seed", range(20))
def test_any_order_gives_the_same_words(seed):
    rng, first = random.Random(seed), Node()
    ann, bob, records = Writer(1), Writer(2), []
    for _ in range(20):
        who = rng.choice((ann, bob))
        if rng.random() < 0.5:
            who.read(first)
        size = len(who.copy.text)
        at = rng.randint(0, size)
        records.append(
            who.write(at, rng.choice(["a", "\U0001f389", "e\u0301 "]), min(rng.choice((0, 0, 2)), size - at))
        )
        assert statuses(first, records[-1:]) != {}
    other = Node()
    assert set(statuses(other, rng.sample(records, len(records))).values()) == {APPLIED}
    assert other.replica.waiting() == 0
    for node in (other, other.restart(), first.restart()):
        assert node.state(NOTE).text == first.state(NOTE).text
        assert node.digest() == first.digest()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_forger_is_rejected_alike_everywhere(order):
    """A gap, the victim's own name, and the victim's future; the forger's honest words before and after remain."""
    victim, liar = Writer(1), Author(2)
    words = victim.write(0, "milk")
    gapped = liar.write(NOTE, forged(client_id(liar.name, NOTE), 3))
    foreign = liar.write(NOTE, forged(client_id(victim.author.name, NOTE), 4))
    honest = liar.write(NOTE, forged(client_id(liar.name, NOTE), 0))
    records = [words, gapped, foreign, honest]
    node = Node()
    found = statuses(node, [records[number] for number in order])
    assert [found[liar.name, seq] for seq in (1, 2, 3)] == [REJECTED, REJECTED, APPLIED]
    later = victim.write(4, ", eggs")
    assert statuses(node, [later]) == {(victim.author.name, 2): APPLIED}
    assert sorted(node.state(NOTE).text.replace("milk, eggs", "|")) == sorted("|bad")
    assert node.restart().digest() == node.digest()


def test_an_edit_waits_for_what_it_stands_on():
    ann, bob, node, other = Writer(1), Writer(2), Node(), Node()
    first = ann.write(0, "milk")
    node.accept(first)
    bob.read(node)
    second = bob.write(4, "!")
    assert other.accept(second).records == []
    assert [one.status for one in other.accept(first).records] == [APPLIED, APPLIED]
    assert other.state(NOTE).text == "milk!"


def test_an_edit_that_goes_on_from_one_set_aside_does_not_count_whatever_came_first():
    """Bob's second edit stands on his first, which stands on what a removed node wrote."""
    ann, bob = Writer(1), Writer(3)
    bob.author = Author(3, chain=GROWN)
    bob.copy = SharedText(bob.author.name, NOTE)
    ann.author = Author(1, chain=GROWN)
    ann.copy = SharedText(ann.author.name, NOTE)
    removed = GROWN.remove(OWNER, KEYS[3].node_id, {}, at_ms=NOW)
    reader, late = Node(GROWN), Node(GROWN, number=2)
    gone = bob.write(0, "eggs")
    reader.accept(gone)
    ann.read(reader)
    records = [ann.write(4, " and milk"), ann.write(13, "!")]
    assert [one.status for one in reader.accept(*records).records] == [APPLIED, APPLIED]
    assert reader.state(NOTE).text == "eggs and milk!"
    for node in (reader, late):
        node.store.transact(lambda tx, node=node: node.replica.accept_membership(tx, removed.entries))
    late.accept(*records)
    assert late.digest() == reader.digest() == reader.restart().digest()
    assert reader.state(NOTE).text == ""
    ann.read(reader)  # she goes on from what counts
    fresh = ann.write(0, "bread")
    for node in (reader, late):
        node.accept(fresh)
        assert node.state(NOTE).text == "bread"


def test_what_was_rejected_for_what_did_not_count_counts_with_it():
    """A fork sets aside what Ann's edits stand on; the removal of its author's node says that it counts after all. What
    was never valid stays rejected."""
    ann, bob = Writer(1), Writer(3)
    for writer, number in ((ann, 1), (bob, 3)):
        writer.author = Author(number, chain=GROWN)
        writer.copy = SharedText(writer.author.name, NOTE)
    reader, node = Node(GROWN), Node(GROWN, number=2)
    twin = bob.author.fork()
    begun, other = bob.write(0, "eggs"), twin.put("k", 1)
    reader.accept(begun)
    ann.read(reader)
    records = [ann.write(4, " and milk"), ann.write(13, "!")]
    nonsense = ann.author.write(NOTE, ["edit"])
    forgery = ann.author.write(NOTE, forged(7, 0))
    node.accept(begun, other, *records, nonsense, forgery)

    def found() -> list[int]:
        held = node.store.view(lambda tx: [tx.record(ann.author.name, seq) for seq in range(1, 5)])
        return [one.status for one in held]

    assert found() == [ASIDE, REJECTED, REJECTED, REJECTED]
    removed = GROWN.remove(OWNER, KEYS[3].node_id, {bob.author.name: Cutoff(1, begun.hash)}, at_ms=NOW)
    node.store.transact(lambda tx: node.replica.accept_membership(tx, removed.entries))
    assert found() == [APPLIED, APPLIED, REJECTED, REJECTED]
    assert node.state(NOTE).text == "eggs and milk!" == node.restart().state(NOTE).text
    # What was accepted again stands behind what stands on it; the next restatement must not mind.
    other = Author(2, chain=GROWN)
    another = other.fork()
    node.accept(other.put("a", 1), another.put("a", 2))
    assert found() == [APPLIED, APPLIED, REJECTED, REJECTED]
    assert node.state(NOTE).text == "eggs and milk!" == node.restart().state(NOTE).text
