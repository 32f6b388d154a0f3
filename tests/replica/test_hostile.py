"""What a member could do to the others by writing as itself: nothing that makes them crash, diverge, grow, loop, or
wait for each other."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.core.codec import pack
from jarvis.core.hlc import MAX_STAMP
from jarvis.crdt.registry import ALL_KINDS
from jarvis.identity import record as record_module
from jarvis.identity.record import MAX_SEQ, decode_record
from jarvis.replica import waiting
from jarvis.replica.replica import Head
from jarvis.store.protocol import APPLIED, REJECTED
from tests.replica.support import GROWN, KEYS, SESSION, Author, Node

ME = Author(1).name
FAR = (KEYS[2].node_id + bytes(16), 10**9, 0)
"""A dot that an honest member could write one day, and never will."""
DOCUMENTS = ["config", "memory", "sessions", SESSION, "audit/2026-11", "metrics", "own/up_counter/a/b", "notes/a"]


def status(node: Node, record) -> int:
    (one,) = node.accept(decode_record(record.header_data, record.signature, record.payload)).records
    return one.status


# --- crafted payloads -------------------------------------------------------------------------------------------------

weird = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: str(one) != "-0.0")
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.binary(max_size=40)
    | st.sampled_from(["put", "del", "turn", "add", "delete", "config", ME, ME[:16]])
    | st.sampled_from([[ME, 1, 0], [ME, 1, 2**48 - 1], [ME, 2**48, 0], [ME, 1], [ME, True, 0], [str(ME), 1, 0]]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab", max_size=2) | st.binary(max_size=2) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=8,
)
shaped = st.one_of(
    st.tuples(st.sampled_from(["put", b"put", "turn", "add", "count", "edit", ["put"]]), weird, weird, weird).map(list),
    st.tuples(st.sampled_from(["del", "turn", "add", "count", "edit", {"turn": 1}]), weird, weird).map(list),
    st.tuples(st.sampled_from(["add", "delete", "del"]), weird).map(list),
    weird,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(DOCUMENTS), st.lists(shaped, min_size=1, max_size=4), st.booleans())
def test_no_payload_breaks_the_accept_path(document, operations, again):
    """Whatever it holds, it is applied or rejected, alike here and after a restart, and the chain goes on."""
    node, author = Node(), Author(1)
    node.accept(author.put("before", 1))
    record = author.write(document, *operations)
    accepted = node.accept(record, *([record] if again else []))
    assert accepted.refused == []
    assert [one.status for one in accepted.records] in ([APPLIED], [REJECTED], [])
    if accepted.records:
        assert status(node, author.put("after", 1)) == APPLIED
    else:
        assert node.replica.waiting() == 1, "it names what nobody holds"
    assert node.restart().digest() == node.digest()
    for kind_state in (node.state(document),):
        for read in ("in_order", "entries", "living", "conflicts", "keys", "names"):
            getattr(kind_state, read, lambda: None)()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_break_the_accept_path(body):
    node, author = Node(), Author(1)
    assert status(node, author.write("config", body=body)) in (APPLIED, REJECTED)
    assert status(node, author.put("after", 1)) == APPLIED


EXTREMES = {
    "as deep as may be": lambda a: a.put("k", [[[[[[0]]]]]]),
    "deeper": lambda a: a.write("config", body=b"\x91" * 60_000 + b"\x01"),
    "as many values as may be": lambda a: a.put("k", [0] * 8_000),
    "more": lambda a: a.put("k", [0] * 60_000),
    "the largest numbers": lambda a: a.put("k", [2**64 - 1, -(2**63), 5e-324, 1.7976931348623157e308]),
    "1,600 dots": lambda a: a.write("config", ["put", "k", 1, [[ME, 1, n] for n in range(1_600)]]),
    "more dots than may be": lambda a: a.write("config", ["put", "k", 1, [[ME, 1, n] for n in range(2_100)]]),
    "a dot twice": lambda a: a.write("config", ["put", "k", 1, [[ME, 1, 0], [ME, 1, 0]]]),
    "a dot beyond 48 bits": lambda a: a.write("config", ["put", "k", 1, [[ME, 1, 2**48]]]),
    "a dot below one": lambda a: a.write("config", ["put", "k", 1, [[ME, 0, 0]]]),
    "true for one": lambda a: a.write("config", ["put", "k", 1, [[ME, True, 0]]]),
    "text for bytes": lambda a: a.write("config", ["put", "k", 1, [["a" * 32, 1, 0]]]),
    "a map for a list": lambda a: a.write("config", ["put", "k", 1, {1: 2}]),
    "2,000 operations": lambda a: a.write("config", *[["del", "k", []]] * 2_000),
    "following itself": lambda a: a.write(SESSION, ["turn", [ME, 2, 0], {"text": "x"}]),
    "following the next": lambda a: a.write(SESSION, ["turn", [ME, 2, 1], {"t": 1}], ["turn", [ME, 2, 0], {"t": 2}]),
    "an empty utterance": lambda a: a.write(SESSION, ["turn", None, {}]),
    "an utterance keyed by numbers": lambda a: a.write(SESSION, ["turn", None, {1: 2}]),
    "the reply of nothing": lambda a: a.write(SESSION, ["put", b"\xff" * 128, {"text": 1}, []]),
    "the largest stamp": lambda a: a.write("config", ["put", "k", 1, []], hlc=MAX_STAMP),
    "a key of bytes like text": lambda a: a.write("config", ["put", b"k", 1, []], ["put", "k", 2, []]),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_are_judged_alike_and_survive_a_checkpoint(name, monkeypatch):
    monkeypatch.setattr("jarvis.replica.documents.CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(record_module, "MAX_PAYLOAD_BYTES", record_module.MAX_PAYLOAD_BYTES)
    node, author = Node(), Author(1)
    node.accept(author.put("k", 0))
    record = EXTREMES[name](author)
    if len(record.payload) > record_module.MAX_PAYLOAD_BYTES:
        return  # refused with its frame: see the tests of records
    assert status(node, record) in (APPLIED, REJECTED)
    again = node.restart()
    assert again.digest() == node.digest()
    assert [write.value for write in again.state("config").writes("k")] == [
        write.value for write in node.state("config").writes("k")
    ]
    again.state(SESSION).in_order()
    assert again.append("config", ["put", "mine", 1, []])
    assert again.append(SESSION, again.state(SESSION).add_turn({"text": "honest"}))


def test_a_stamp_of_all_ones_ends_only_its_own_author():
    node, author = Node(), Author(1)
    assert status(node, author.write("config", ["put", "k", 1, []], hlc=MAX_STAMP)) == APPLIED
    author.hlc = MAX_STAMP - 1
    assert status(node, author.put("k", 2)) == REJECTED
    assert status(node, Author(1, 1).put("k", 3)) == APPLIED


def test_an_honest_write_settles_what_a_member_flooded():
    """A hundred concurrent writes of one key from a hundred incarnations: one honest write still replaces them all."""
    node = Node()
    node.accept(*[Author(1, n).put("assistant.name", n) for n in range(100)])
    node.append("config", node.state("config").put("assistant.name", "Jarvis"))
    assert [write.value for write in node.state("config").writes("assistant.name")] == ["Jarvis"]


def test_nobody_can_replace_what_was_not_written_yet_without_its_author():
    """Naming an honest member's next dot makes only the liar wait; the honest write stands."""
    node, liar = Node(), Author(1)
    mine = node.append("config", ["put", "a", 1, []]).header
    node.accept(liar.write("config", ["del", "b", [[mine.author, 3, 0]]]))
    node.append("config", ["put", "a", 2, []])
    assert node.replica.waiting() == 1
    node.append("config", ["put", "b", "honest", []])
    # Now the name is held, so the liar's deletion is a member's legitimate word. It is shown to have come from it.
    assert node.seq(liar.name) == 1
    assert node.append("config", ["put", "b", "again", []])
    assert node.state("config").get("b").value == "again"


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_two_who_name_each_other_wait_for_ever_and_block_nobody():
    node, one, two = Node(), Author(1), Author(2)
    node.accept(one.put("a", 1, (two.name, 1, 0)), two.put("a", 2, (one.name, 1, 0)))
    assert node.replica.waiting() == 2
    node.accept(one.put("a", 3))
    assert (node.seq(one.name), node.seq(two.name)) == (0, 0)
    assert node.append("config", ["put", "a", 4, []])
    assert status(node, Author(2, 1).put("a", 5)) == APPLIED


def test_the_waiting_room_is_bounded_by_author_node_and_all(monkeypatch):
    monkeypatch.setattr(waiting, "MAX_PER_AUTHOR", 10)
    node, author = Node(), Author(1)
    records = [author.put("a", n) for n in range(20)]
    node.accept(*records[1:])
    assert node.replica.waiting() == 10
    room = node.replica._acceptance.waiting
    assert room.dropped == 9
    node.accept(records[0])
    assert node.seq(author.name) == 11
    node.accept(*records[11:])
    assert (node.seq(author.name), len(room), room.size_bytes, room._by_need) == (20, 0, 0, {})

    monkeypatch.setattr(waiting, "MAX_NODE_BYTES", 20_000)
    monkeypatch.setattr(waiting, "MAX_BYTES", 30_000)
    node.accept(*[Author(1, n).put("a", "x" * 500, FAR) for n in range(1, 60)])
    assert room.size_bytes <= 20_000
    before = len(room)
    honest = Author(2)
    first, second = honest.put("b", 1), honest.put("b", 2)
    node.accept(second)
    assert len(room) == before + 1, "one member's incarnations leave room for another's"
    node.accept(first)
    assert node.seq(honest.name) == 2
    node.accept(*[Author(2, n).put("a", "x" * 500, FAR) for n in range(1, 60)])
    assert room.size_bytes <= 30_000


def test_what_waits_for_many_things_counts_what_remembering_costs():
    node = Node()
    dots = [(KEYS[2].node_id + n.to_bytes(16, "big"), 1, 0) for n in range(1_000)]
    node.accept(Author(1).put("a", 1, *dots))
    assert node.replica._acceptance.waiting.size_bytes >= 1_000 * waiting.NEED_BYTES


def test_a_full_waiting_room_does_not_slow_the_others(monkeypatch):
    """Each record in it is looked at again only when what it waits for has come."""
    node = Node()
    node.accept(*[Author(1, n).put("a", n, FAR) for n in range(3_000)])
    assert node.replica.waiting() == 3_000
    looked = []
    real = node.replica._acceptance._accept_one
    monkeypatch.setattr(
        node.replica._acceptance,
        "_accept_one",
        lambda tx, record, accepted: looked.append(1) or real(tx, record, accepted),
    )
    node.append("config", ["put", "mine", 1, []])
    node.accept(Author(2).put("b", 1))
    assert len(looked) == 2


def test_many_needs_are_met_without_judging_each_time(monkeypatch):
    """A record that names a thousand authors, which come one by one."""
    node, authors = Node(), [Author(1, n) for n in range(300)]
    records = [author.put("a", 1) for author in authors]
    late = Author(1, 10**6).put("a", 2, *[(author.name, 1, 0) for author in authors])
    judged = []
    real = record_module.operations_of
    monkeypatch.setattr("jarvis.replica.validity.operations_of", lambda payload: judged.append(1) or real(payload))
    node.accept(late)
    for record in records:
        node.accept(record)
    assert node.replica.waiting() == 0
    assert len(judged) == len(records) + 2


def test_a_fork_that_waits_is_forgotten_when_the_other_branch_is_accepted():
    node, author = Node(), Author(1)
    twin = author.fork()
    node.accept(twin.put("a", "waits", FAR))
    assert node.replica.waiting() == 1
    node.accept(author.put("a", "stands"))
    room = node.replica._acceptance.waiting
    assert (len(room), room.size_bytes, room._by_need) == (0, 0, {})


def test_what_waits_for_membership_and_a_gap_needs_both():
    node, author = Node(), Author(1, chain=GROWN)
    first, second = author.put("a", 1), author.put("a", 2)
    node.accept(second)
    node.accept(replace(first))
    assert (node.replica.waiting(), node.seq(author.name)) == (2, 0)
    _, accepted = node.store.transact(lambda tx: node.replica.accept_membership(tx, GROWN.entries))
    assert [one.seq for one in accepted.records] == [1, 2]
    assert node.replica.waiting() == 0


def test_an_invented_membership_entry_blocks_only_its_author():
    node, author = Node(), Author(1)
    node.accept(author.write("config", ["put", "a", 1, []], entry=b"?" * 16))
    node.accept(author.put("a", 2))
    assert node.seq(author.name) == 0
    assert status(node, Author(2).put("a", 1)) == APPLIED


def test_a_sequence_at_the_end_of_time_waits_and_harms_nothing():
    node, author = Node(), Author(1)
    author.seq, author.prev = MAX_SEQ - 1, b"p" * 32
    node.accept(author.put("a", 1))
    assert node.replica.waiting() == 1
    assert node.append("config", ["put", "a", 2, []])


def test_undoing_forgets_what_waits_and_it_can_come_again():
    node, author = Node(), Author(1)
    first, second = author.put("a", 1), author.put("a", 2)
    node.accept(second)
    node.broken = True
    with pytest.raises(OSError, match="full"):
        node.accept(first)
    node.broken = False
    assert (node.replica.waiting(), node.seq(author.name)) == (0, 0)
    node.accept(second)
    node.accept(first)
    assert node.seq(author.name) == 2


# --- our own author ---------------------------------------------------------------------------------------------------


def echo(node: Node, author: bytes, head: Head) -> None:
    node.store.transact(lambda tx: node.replica.echo(tx, {author: head}))


def head_of(record) -> Head:
    return Head(record.header.seq, record.hash)


def test_an_author_goes_on_when_its_own_head_is_echoed():
    node = Node()
    first = node.append("config", ["put", "a", 1, []])
    again = node.restart()
    echo(again, first.header.author, head_of(first))
    assert again.append("config", ["put", "a", 2, []]).header.prev == first.hash


@pytest.mark.parametrize("lie", [Head(1, b"?" * 32), Head(2, b"?" * 32), Head(MAX_SEQ, b"?" * 32)])
def test_an_echo_of_something_else_begins_a_new_incarnation(lie):
    node = Node()
    first = node.append("config", ["put", "a", 1, []])
    again = node.restart()
    echo(again, first.header.author, lie)
    second = again.append("config", ["put", "a", 2, []])
    assert second.header.author != first.header.author
    assert second.header.seq == 1
    # A lie told later changes nothing: what is written in this life goes on.
    echo(again, second.header.author, Head(MAX_SEQ, b"?" * 32))
    assert again.append("config", ["put", "a", 3, []]).header.author == second.header.author


def test_an_author_whom_somebody_knew_further_never_goes_on():
    """A restored disk. One member gives back a part of what was lost, and would echo it; another, away, has it all."""
    node = Node()
    records = [node.append("config", ["put", "a", n, []]) for n in range(3)]
    author = records[0].header.author
    restored = Node()
    restored.accept(records[0])
    restored.store.transact(lambda tx: tx.put("replica/author", author))
    restored = restored.restart()
    echo(restored, author, head_of(records[1]))  # the member holds two, we hold one
    restored.accept(records[1])
    echo(restored, author, head_of(records[1]))  # now both hold two
    again = restored.restart()
    echo(again, author, head_of(records[1]))
    assert again.append("config", ["put", "a", "new", []]).header.author != author, "that would have been a fork"


def test_our_own_late_stamps_never_stop_us():
    """The clock was an hour ahead when our last record was written, and the stored clock was lost."""
    node = Node()
    node.wall_ms += 3_600_000
    first = node.append("config", ["put", "a", 1, []])
    node.store.transact(lambda tx: tx.delete("replica/clock"))
    again = node.restart()
    echo(again, first.header.author, head_of(first))
    second = again.append("config", ["put", "a", 2, []])
    assert second.header.seq == 2
    assert second.header.hlc > first.header.hlc


def test_every_kind_was_attacked():
    assert len(DOCUMENTS) >= len({type(kind) for kind in ALL_KINDS})


def test_accepting_never_takes_longer_than_a_breath():
    """The largest records of the worst shapes, each well under a second on any machine."""
    node, author = Node(), Author(1)
    node.accept(author.put("k", 0))
    worst = [
        ["put", "k", {bytes([a, b]): 0 for a in range(40) for b in range(100)}, []],
        ["put", "k", [[]] * 8_000, []],
        ["put", "k", 1, [[ME, 1, n] for n in range(1_600)]],
    ]
    for operation in worst:
        record = author.write("config", operation)
        assert len(pack([operation])) < 64 * 1024
        start = time.process_time()
        assert status(node, record) == APPLIED
        assert time.process_time() - start < 1.0
