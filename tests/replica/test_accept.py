"""The one path a record takes, for every way it can arrive."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.errors import BadConfiguration, InvalidBytes, InvalidInput
from jarvis.core.hlc import MAX_STAMP, ms_of, stamp
from jarvis.identity.branches import Branches
from jarvis.identity.keys import SigningKey
from jarvis.identity.record import SignedRecord
from jarvis.replica import acceptance
from jarvis.replica.documents import CHECKPOINT_EVERY
from jarvis.replica.replica import Replica
from jarvis.store.protocol import APPLIED, REJECTED, UNKNOWN, Head
from tests.replica.support import CHAIN, GROWN, KEYS, NOW, OTHER_HOME, SESSION, Author, Node, make_chain


def refusal(accepted) -> tuple[str, str]:
    (one,) = accepted.refused
    return one.blame, one.reason


def test_a_record_is_applied_once():
    node, author = Node(), Author(1)
    record = author.put("a", 1)
    first, again = node.accept(record), node.accept(record, record)
    assert (len(first.records), first.duplicates, first.documents) == (1, 0, {"config"})
    assert first.heads[author.name].hash == record.hash
    assert (len(again.records), again.duplicates, again.heads) == (0, 2, {})
    assert node.state("config").get("a").value == 1


def test_a_gap_waits_and_then_drains():
    node, author = Node(), Author(1)
    records = [author.put("a", n) for n in range(5)]
    for late in reversed(records[1:]):
        accepted = node.accept(late)
        assert (accepted.records, accepted.refused, accepted.heads) == ([], [], {})
    assert node.replica.waiting() == 4
    accepted = node.accept(records[0])
    assert [one.seq for one in accepted.records] == [1, 2, 3, 4, 5]
    assert accepted.heads[author.name].seq == 5
    assert node.replica.waiting() == 0


def test_what_waits_is_kept_once():
    node, author = Node(), Author(1)
    first, second = author.put("a", 1), author.put("a", 2)
    node.accept(second, second)
    node.accept(second)
    assert node.replica.waiting() == 1
    node.accept(first, second)
    assert (node.replica.waiting(), node.seq(author.name)) == (0, 2)


def test_strangers_and_other_homes_are_refused():
    node = Node()
    assert refusal(node.accept(Author(3).put("a", 1))) == ("sender", "its author is no member of this home")
    assert refusal(node.accept(Author(1, chain=OTHER_HOME).put("a", 1))) == ("sender", "it belongs to another home")
    assert node.store.view(lambda tx: tx.record_count()) == 0


def test_a_member_cannot_write_as_another():
    node, author = Node(), Author(1)
    author.name = KEYS[2].node_id + bytes(16)
    assert refusal(node.accept(author.put("a", 1)))[0] == "sender"


def test_altered_bytes_blame_the_sender_and_leave_the_author_free():
    node, author = Node(), Author(1)
    record = author.put("a", 1)
    payload = record.payload[:-2] + bytes([record.payload[-2] ^ 1]) + record.payload[-1:]
    for altered in (
        replace(record, payload=payload),
        replace(record, signature=bytes(64)),
        replace(record, signature=KEYS[2].sign(record.header_data)),
    ):
        assert refusal(node.accept(altered)) == ("sender", "its signature or payload hash does not hold")
    assert len(node.accept(record).records) == 1


def test_a_fork_is_proven_and_blames_its_author():
    node, author = Node(), Author(1)
    first = author.put("a", 1)
    node.accept(first)
    twin = author.fork()
    node.accept(author.put("a", 2))
    accepted = node.accept(twin.put("a", "other"))
    assert refusal(accepted) == ("author", "its author signed two histories (a fork)")
    assert [(proof.author, proof.seq) for proof in accepted.forks] == [(author.name, 2)]
    assert accepted.lowered == {author.name: Head(1, first.hash)}
    assert accepted.documents == {"config"}
    for record in (twin.put("a", "more"), author.put("a", 3)):
        assert refusal(node.accept(record)) == ("author", "its author signed two histories (a fork)")
        assert not node.accept(record).records, "neither history goes on"


def test_a_wrong_predecessor_is_a_fork_too():
    node, author = Node(), Author(1)
    node.accept(author.put("a", 1))
    assert refusal(node.accept(author.write("config", ["del", "a", []], prev=b"x" * 32)))[0] == "author"


REJECTED_RECORDS = {
    "a wrong kind": lambda author: author.write("config", ["put", "a", 1, []], kind=2),
    "a stamp that stands": lambda author: author.write("config", ["put", "a", 1, []], hlc=author.hlc),
    "a stamp that falls": lambda author: author.write("config", ["put", "a", 1, []], hlc=0),
    "its own dot": lambda author: author.write("config", ["put", "a", 1, [[author.name, author.seq + 1, 0]]]),
    "its own future": lambda author: author.write("config", ["put", "a", 1, [[author.name, author.seq + 9, 0]]]),
    "a later operation of its own": lambda author: author.write(
        "config", ["put", "a", 1, [[author.name, author.seq + 1, 1]]], ["put", "b", 1, []]
    ),
    "an unknown operation": lambda author: author.write("config", ["increment", "a", 1, []]),
    "another kind's operation": lambda author: author.write("config", ["turn", None, {"text": "x"}]),
    "no operations": lambda author: author.write("config", body=b"\x90"),
    "nothing": lambda author: author.write("config", body=b""),
    "noise": lambda author: author.write("config", body=b"\xc1" * 30),
    "odd spelling": lambda author: author.write("config", body=b"\xdc\x00\x01\x01"),
    "dots out of order": lambda author: author.write(
        "config", ["put", "a", 1, [[author.name, 1, 1], [author.name, 1, 0]]]
    ),
}


@pytest.mark.parametrize("name", REJECTED_RECORDS)
def test_an_invalid_record_is_kept_as_rejected_and_the_chain_goes_on(name):
    node, author = Node(), Author(1)
    node.accept(author.put("a", "good"))
    digest = node.digest()
    bad = REJECTED_RECORDS[name](author)
    accepted = node.accept(bad)
    assert [one.status for one in accepted.records] == [REJECTED]
    assert (accepted.refused, accepted.documents, accepted.heads[author.name].seq) == ([], set(), 2)
    assert node.digest() == digest
    assert node.accept(bad).duplicates == 1, "held, so it is never asked for again"
    author.hlc = stamp(NOW + 1_000)
    assert node.accept(author.put("a", "later")).records[0].status == APPLIED
    assert node.restart().digest() == node.digest()


def test_part_of_an_invalid_record_is_not_applied():
    node, author = Node(), Author(1)
    node.accept(author.write("config", ["put", "a", 1, []], ["put", "", 1, []]))
    assert node.state("config").keys() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda author: author.write("gallery/2031", ["paint", 1]),
        lambda author: author.write("config", ["put", "a", 1, []], version=2),
        lambda author: author.write("session/", ["turn", None, {}]),
        lambda author: author.write("config", body=b"\xc1", version=200, kind=99, hlc=0),
    ],
)
def test_what_a_newer_jarvis_wrote_is_kept_and_forwarded(make):
    node, author = Node(), Author(1)
    record = make(author)
    accepted = node.accept(record)
    assert [one.status for one in accepted.records] == [UNKNOWN]
    (held,) = node.store.view(lambda tx: tx.records(author.name, 1, 9, 10**6))
    assert (held.header, held.signature, held.payload) == (record.header_data, record.signature, record.payload)
    author.hlc = stamp(NOW + 1_000)
    assert node.accept(author.put("a", 1)).records[0].status == APPLIED


def test_a_record_waits_for_the_records_it_names():
    node, one, two = Node(), Author(1), Author(2)
    first = one.put("a", 1)
    second = one.put("a", 2, (one.name, 1, 0))
    answer = two.put("a", 3, (one.name, 2, 0))
    assert node.accept(answer).records == []
    assert node.accept(first).heads.keys() == {one.name}
    assert node.replica.waiting() == 1
    accepted = node.accept(second)
    assert accepted.heads.keys() == {one.name, two.name}
    assert [write.value for write in node.state("config").writes("a")] == [3]


def test_waiting_crosses_authors_and_gaps():
    """A chain of causes that arrives in exactly the wrong order."""
    authors = [Author(1, n) for n in range(20)]
    records = [authors[0].put("k", 0)]
    for before, author in itertools.pairwise(authors):
        records.append(author.put("k", 1, (before.name, 1, 0)))
    node = Node()
    for record in reversed(records):
        node.accept(record)
    assert node.replica.waiting() == 0
    assert len(node.state("config").writes("k")) == 1


def test_a_record_that_names_a_newer_membership_waits_for_it():
    node, known, newcomer = Node(), Author(1, chain=GROWN), Author(3, chain=GROWN)
    record = known.put("a", 1)
    assert node.accept(record).refused == []
    assert node.replica.waiting() == 1
    assert refusal(node.accept(newcomer.put("b", 1)))[1] == "its author is no member of this home"
    taken, accepted = node.store.transact(lambda tx: node.replica.accept_membership(tx, GROWN.entries))
    assert taken
    assert accepted.heads[known.name].seq == 1
    newcomer.seq, newcomer.prev = 0, b""
    assert len(node.accept(newcomer.put("b", 1)).records) == 1


def test_a_member_cannot_write_before_its_admission():
    node, author = Node(), Author(2)
    record = author.write("config", ["put", "a", 1, []], entry=CHAIN.hashes[1][:16])
    assert refusal(node.accept(record))[1] == "its author is no member of this home"


def test_another_chain_is_taken_only_when_it_supersedes():
    node = Node()
    offer = lambda chain: node.store.transact(lambda tx: node.replica.accept_membership(tx, chain.entries))  # noqa: E731
    assert offer(CHAIN)[0] is False
    assert offer(make_chain(0, 1))[0] is False
    assert offer(GROWN)[0] is True
    assert offer(CHAIN)[0] is False
    with pytest.raises(InvalidBytes, match="another home"):
        offer(OTHER_HOME)
    assert node.restart().store.view(lambda tx: len(tx.membership())) == len(GROWN.entries)


# --- restart, undo, clock ---------------------------------------------------------------------------------------------


def filled(node: Node) -> tuple[Author, Author]:
    one, two = Author(1), Author(2)
    turn = one.write(SESSION, ["turn", None, {"text": "hello"}])
    node.accept(
        one.put("a", 1),
        turn,
        two.put("a", 2),
        two.write(SESSION, ["turn", [one.name, 2, 0], {"text": "again"}]),
        two.write("audit/2026-11", ["add", {"action": "config.set"}]),
        one.write("sessions", ["add", b"a" * 10], ["delete", b"b" * 10]),
    )
    return one, two


def test_a_restart_finds_the_same_digest():
    node = Node()
    filled(node)
    assert node.restart().everything() == node.everything()


@pytest.mark.parametrize(
    "number", [1, CHECKPOINT_EVERY - 1, CHECKPOINT_EVERY, CHECKPOINT_EVERY + 1, 2 * CHECKPOINT_EVERY]
)
def test_a_checkpoint_and_its_tail_add_up(number):
    node, one, two = Node(), Author(1), Author(2)
    node.accept(*[author.put(f"k{n % 7}", n) for n in range(number) for author in ((one, two)[n % 2],)])
    checkpoint = node.store.view(lambda tx: tx.checkpoint("config"))
    assert (checkpoint is not None) == (number >= CHECKPOINT_EVERY)
    again = node.restart()
    assert again.digest() == node.digest()
    # and a node that never wrote a checkpoint agrees
    fresh, one, two = Node(), Author(1), Author(2)
    for n in range(number):
        fresh.accept((one, two)[n % 2].put(f"k{n % 7}", n))
    assert fresh.digest() == node.digest()


def test_many_documents_are_not_all_kept_in_memory(monkeypatch):
    monkeypatch.setattr("jarvis.replica.documents.MAX_LOADED", 4)
    node, author = Node(), Author(1)
    for number in range(12):
        node.accept(author.write(f"session/{number % 6}", ["turn", None, {"text": str(number)}]))
    assert len(node.replica._documents._loaded) == 4
    assert node.restart().digest() == node.digest()


def test_a_failed_commit_leaves_everything_as_it_was():
    node = Node()
    one, _ = filled(node)
    mine = node.append("config", ["put", "mine", 1, []])
    before = node.everything()
    record = one.put("a", 9)
    node.broken = True
    with pytest.raises(OSError, match="full"):
        node.accept(record)
    with pytest.raises(OSError, match="full"):
        node.append("config", ["put", "mine", 2, []])
    node.broken = False
    assert node.everything() == before
    after = node.append("config", ["put", "mine", 3, []])
    assert (after.header.author, after.header.seq, after.header.prev) == (mine.header.author, 2, mine.hash)
    assert after.header.hlc > mine.header.hlc
    assert len(node.accept(record).records) == 1


def test_a_first_write_that_fails_leaves_no_author_behind():
    node = Node()
    node.broken = True
    with pytest.raises(OSError, match="full"):
        node.append("config", ["put", "a", 1, []])
    node.broken = False
    record = node.append("config", ["put", "a", 1, []])
    assert record.header.seq == 1
    assert node.restart().store.view(lambda tx: len(tx.heads())) == 1


def test_a_failed_membership_change_is_taken_back():
    node = Node()
    node.broken = True
    with pytest.raises(OSError, match="full"):
        node.store.transact(lambda tx: node.replica.accept_membership(tx, GROWN.entries))
    node.broken = False
    assert refusal(node.accept(Author(3, chain=GROWN).put("a", 1)))[1] == "its author is no member of this home"


def test_the_clock_survives_a_restart_in_1970():
    node = Node()
    before = node.append("config", ["put", "a", 1, []]).header.hlc
    again = node.restart()
    again.wall_ms = 0
    assert again.append("config", ["put", "a", 2, []]).header.hlc > before


def test_what_was_heard_counts_after_a_restart_too():
    node, author = Node(), Author(1, hlc=stamp(NOW + 30_000))
    node.accept(author.put("a", 1))
    assert node.restart().append("config", ["put", "a", 2, []]).header.hlc > author.hlc


def test_a_stamp_from_the_far_future_is_applied_but_not_believed():
    node, author = Node(), Author(1)
    record = author.write("config", ["put", "a", 1, []], hlc=MAX_STAMP)
    assert node.accept(record).records[0].status == APPLIED
    assert ms_of(node.append("config", ["put", "b", 1, []]).header.hlc) == NOW


def test_an_empty_or_foreign_store_is_said():
    node = Node()
    other = Replica(SigningKey(b"x" * 32), entropy=node.rng.randbytes, wall_ms=lambda: NOW)
    with pytest.raises(BadConfiguration, match="no member"):
        node.store.transact(other.open)
    with pytest.raises(BadConfiguration, match="belongs to a home"):
        node.store.transact(lambda tx: node.replica.found(tx, CHAIN))


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "operations"),
    [
        ("gallery", [["put", "a", 1, []]]),
        ("config", []),
        ("config", [["put", "", 1, []]]),
        ("config", [["put", "\ud800", 1, []]]),
        ("config", [["put", "a", "\ud800", []]]),
        ("config", [["put", "a", -0.0, []]]),
        ("config", [["put", "a", float("nan"), []]]),
        ("config", [["put", "a", 2**64, []]]),
        ("config", [["put", "a", object(), []]]),
        ("config", [["put", "a", [[[[[[[[1]]]]]]]], []]]),
        ("config", [["put", "a", list(range(9_000)), []]]),
        ("config", [["put", "a", "x" * 70_000, []]]),
        ("config", [["put", "a", 1, [[b"?" * 32, 1, 0]]]]),
        (SESSION, [["turn", [b"?" * 32, 1, 0], {"text": "x"}]]),
        (SESSION, [["turn", None, {"text": "\ud800"}]]),
        (SESSION, [["turn", None, {"\ud800": "x"}]]),
        ("session/" + "x" * 64, [["turn", None, {}]]),
        ("session/\n", [["turn", None, {}]]),
    ],
    ids=range(18),
)
def test_what_cannot_be_written_is_refused_and_costs_no_number(document, operations):
    node = Node()
    first = node.append("config", ["put", "a", 1, []])
    before = node.everything()
    with pytest.raises(InvalidInput):
        node.append(document, *operations)
    assert node.everything() == before
    assert node.append("config", ["put", "a", 2, []]).header.prev == first.hash


def test_success_is_reported_only_for_our_own_record():
    """Somebody may name our next record before we write it. That theirs then fits says nothing of ours."""
    node, other = Node(), Author(1)
    mine = node.append("config", ["put", "a", 1, []])
    node.accept(other.put("a", 2, (mine.header.author, 2, 0)))
    assert node.replica.waiting() == 1
    with pytest.raises(InvalidInput):
        node.append("config", ["put", "a", [[[[[[[[1]]]]]]]], []])


# --- any order, any repetition ----------------------------------------------------------------------------------------


def history() -> list[SignedRecord]:
    one, two, three = Author(1), Author(2), Author(2, 1)
    return [
        one.put("a", 1),
        two.put("a", 2),
        one.put("a", 3, (one.name, 1, 0), (two.name, 1, 0)),
        two.write(SESSION, ["turn", None, {"text": "x"}], ["turn", [two.name, 2, 0], {"text": "y"}]),
        three.write(SESSION, ["turn", [two.name, 2, 1], {"text": "z"}]),
        three.write("config", ["put", "a", 1, []], kind=9),
        one.write("gallery", [1]),
        one.write(SESSION, ["put", b"k", 1, []]),
        three.write("sessions", ["add", b"s"], ["delete", b"s"]),
        one.put("a", 4, (two.name, 1, 0)),
        three.put("a", 5, (one.name, 5, 0)),
        two.put("b", 6, (three.name, 4, 0)),
    ]


HISTORY = history()
WHOLE = Node()
WHOLE.accept(*HISTORY)


@settings(max_examples=150, deadline=None)
@given(
    st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY), max_size=8), st.lists(st.integers(1, 5), min_size=1)
)
def test_any_order_any_batches_any_repetition_same_bytes(order, repeated, sizes):
    node = Node()
    arriving = [*repeated, *order]
    at = 0
    while arriving:
        batch, arriving = arriving[: sizes[at % len(sizes)]], arriving[sizes[at % len(sizes)] :]
        assert node.accept(*batch).refused == []
        at += 1
    assert node.replica.waiting() == 0
    assert node.digest() == WHOLE.digest()
    assert node.restart().digest() == WHOLE.digest()
    statuses = {(one.author, one.seq): one.status for chain in node.store._tables.chains.values() for one in chain}
    assert statuses == {
        (one.author, one.seq): one.status for chain in WHOLE.store._tables.chains.values() for one in chain
    }


def test_broken_membership_is_noticed(monkeypatch):
    """The refusals above come from the checks, not from luck."""
    monkeypatch.setattr(acceptance, "is_authentic", lambda record, key: True)
    record = Author(1).put("a", 1)
    assert Node().accept(replace(record, signature=bytes(64))).refused == []
    monkeypatch.setattr(Branches, "member_at", lambda self, node, entry: self.chain.members[KEYS[0].node_id])
    assert Node().accept(Author(3).put("a", 1)).refused == []
