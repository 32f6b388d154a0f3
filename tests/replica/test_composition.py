"""Writes that share a record are what they would be alone: each sees those before it, has its own dot, keeps its call's
order, and counts exactly when it would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.errors import InvalidInput
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet
from jarvis.crdt.text import SharedText
from jarvis.identity.record import SignedRecord, operations_of
from jarvis.replica.composition import MAX_OPERATIONS, MAX_SHARED_BYTES, Place
from jarvis.store.protocol import APPLIED, ASIDE
from tests.replica.support import SESSION, Author, Node

AUDIT, COUNTER, NOTE = "audit/2026-01", "own/up_counter/kettle/boils", "notes/shopping"
Call = Sequence[tuple[str, Any]]


def write_to(document: str, number: int) -> tuple[str, Any]:
    """A write as the product makes them, `number` telling it apart."""
    key = f"k{number % 3}"
    makes = {
        "config": lambda state: [state.put(key, number)] if number % 5 else [state.delete(key)],
        AUDIT: lambda state: [GSet.add(number)],
        SESSION: lambda state: [state.add_turn({"text": str(number)})],
        COUNTER: lambda state: [["count", "boils", 1 + number]],
    }
    return document, makes[document]


def compose(node: Node, calls: Sequence[Call]) -> tuple[list[list[Place]], list[SignedRecord]]:
    def work(tx: Any) -> Any:
        composition = node.replica.compose(tx)
        places = []
        for call in calls:
            after, taken = 0, []
            for document, make in call:
                place = composition.add(document, make, after)
                assert place is not None and place.seq >= after
                after = place.seq
                taken.append(place)
            places.append(taken)
        records, _ = composition.finish()
        assert list(records) == sorted(records)
        return places, list(records.values())

    return node.store.transact(work)


def seen(node: Node) -> Any:
    """What people see, whatever the dots behind it."""
    config = node.state("config")
    return (
        sorted((str(key), str(write.value)) for key, write in config.items()),
        sorted(entry.value for entry in node.state(AUDIT).entries()),
        [turn.utterance["text"] for turn in node.state(SESSION).in_order()],
        node.state(COUNTER).value("boils"),
    )


DOCUMENTS = st.sampled_from(["config", AUDIT, SESSION, COUNTER])
CALLS = st.lists(st.lists(DOCUMENTS, min_size=1, max_size=3), min_size=1, max_size=12)


def numbered(calls: list[list[str]]) -> list[Call]:
    numbers = iter(range(1, 100))
    return [[write_to(document, next(numbers)) for document in call] for call in calls]


def held_of_another(author: Author) -> list[SignedRecord]:
    """What own writes may lean on: registers that they replace, a turn that they follow."""
    turn = author.write(SESSION, ["turn", None, {"text": "theirs"}])
    return [turn, *(author.put(f"k{number}", "theirs") for number in range(3))]


@given(CALLS, st.integers(0, 4), st.booleans())
def test_writes_that_share_records_come_to_what_they_would_alone(calls, held, forked):
    alone, together, author = Node(), Node(), Author(1)
    theirs = held_of_another(author)[:held]
    twin = author.fork()
    for node in (alone, together):
        node.accept(*theirs)
    for call in numbered(calls):
        for write in call:
            compose(alone, [[write]])
    places, records = compose(together, numbered(calls))
    taken = [place for call in places for place in call]
    assert len(set(taken)) == len(taken) == sum(len(call) for call in calls)
    assert sorted(taken) == [(one.header.seq, op) for one in records for op in range(len(operations_of(one.payload)))]
    if forked and held:  # then nothing of the other author counts, nor what leans on it
        twin.seq, twin.prev = 0, b""
        false = twin.put("k9", "a second history")
        for node in (alone, together):
            assert node.accept(false).forks
    assert seen(together) == seen(alone)
    reader = Node(number=2)
    reader.accept(*theirs, *records)
    if not forked or not held:
        assert reader.digest() == together.digest()
    assert together.restart().everything() == together.everything()


def test_a_hundred_entries_are_one_record_with_a_dot_each():
    node = Node()
    places, records = compose(node, [[write_to(AUDIT, number)] for number in range(100)])
    assert len(records) == 1 and [place for (place,) in places] == [(1, op) for op in range(100)]
    author = records[0].header.author
    assert [entry.at.dot for entry in node.state(AUDIT).entries()] == [Dot(author, 1, op) for op in range(100)]
    assert [entry.value for entry in node.state(AUDIT).entries()] == list(range(100))


def test_turns_and_their_audit_entries_share_two_records():
    places, records = compose(Node(), [[write_to(SESSION, n), write_to(AUDIT, n)] for n in range(50)])
    assert [record.header.document for record in records] == [SESSION, AUDIT]
    assert places[-1] == [(1, 49), (2, 49)]


def test_a_call_keeps_its_order_along_the_chain():
    places, records = compose(
        Node(), [[write_to(SESSION, 1), write_to(AUDIT, 1)], [write_to(AUDIT, 2), write_to(SESSION, 2)]]
    )
    assert places == [[(1, 0), (2, 0)], [(2, 1), (3, 0)]]
    assert [record.header.document for record in records] == [SESSION, AUDIT, SESSION]


def test_what_leans_on_something_shares_no_record_with_what_does_not():
    node, author = Node(), Author(1)
    node.accept(author.put("k1", "theirs"))
    _, records = compose(node, [[("config", lambda state, key=key: [state.put(key, 1)])] for key in ("k1", "k2", "k1")])
    assert [len(operations_of(record.payload)) for record in records] == [1, 1, 1]
    twin = author.fork()
    twin.seq, twin.prev = 0, b""
    node.accept(twin.put("k9", "a second history"))
    statuses = node.store.view(lambda tx: [one.status for one in tx.records(records[0].header.author, 1, 3, 2**20)])
    assert statuses == [ASIDE, APPLIED, ASIDE]


def test_a_record_is_bounded():
    count = MAX_OPERATIONS + 1
    _, records = compose(Node(), [[write_to(AUDIT, number)] for number in range(count)])
    assert [len(operations_of(record.payload)) for record in records] == [MAX_OPERATIONS, 1]
    _, records = compose(Node(), [[(AUDIT, lambda _: [GSet.add("x" * 1_000)])] for _ in range(100)])
    assert len(records) == 3 and max(len(record.payload) for record in records) <= MAX_SHARED_BYTES
    _, records = compose(Node(), [[(AUDIT, lambda _: [GSet.add("x" * 60_000)])] for _ in range(2)])
    assert len(records) == 2, "what is larger than that stands alone"


def test_a_failed_write_leaves_the_others_as_they_are():
    node = Node()

    def work(tx: Any) -> Any:
        composition = node.replica.compose(tx)
        composition.add(AUDIT, lambda _: [GSet.add(1)])
        before = composition.extent
        for document, operations in ((AUDIT, [["no such operation"]]), ("nothing", [1]), (AUDIT, [GSet.add("\ud800")])):
            with pytest.raises(InvalidInput):
                composition.add(document, lambda _, made=operations: made)
            assert composition.extent == before
        assert composition.add(AUDIT, lambda _: []) is None
        assert composition.add(AUDIT, lambda _: [GSet.add(2)]) == (1, 1)
        return composition.finish()

    records, accepted = node.store.transact(work)
    assert [one.hash for one in accepted.records] == [record.hash for record in records.values()]
    assert [entry.value for entry in node.state(AUDIT).entries()] == [1, 2]


def test_nothing_to_write_begins_no_incarnation():
    node = Node()
    before = node.everything()
    node.store.transact(lambda tx: node.replica.compose(tx).finish())
    assert node.everything() == before
    with pytest.raises(InvalidInput):
        node.append(AUDIT)


def test_text_is_never_shared_and_still_sees_what_was_written_before_it():
    node = Node()
    author = node.store.transact(node.replica.writing_author)

    def insert(text: str) -> Any:
        return lambda state: [SharedText(author, NOTE, state).replace(0, 0, text).operation]

    _, records = compose(node, [[(NOTE, insert("b"))], [write_to(AUDIT, 1)], [(NOTE, insert("a"))]])
    assert [record.header.document for record in records] == [NOTE, AUDIT, NOTE]
    assert node.state(NOTE).text == "ab"
