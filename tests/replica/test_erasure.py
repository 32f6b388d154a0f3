"""What was deleted is erased, in whatever order things come: records keep their place, words do not."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations

import pytest

from jarvis.core.errors import NotFound
from jarvis.core.ids import from_text, to_text
from jarvis.crdt import registry
from jarvis.crdt.registry import AUDIT_PREFIX, AUDITS, SESSIONS
from jarvis.identity.entries import Cutoff
from jarvis.identity.record import SignedRecord, decode_record
from jarvis.replica.validity import Verdict, judge
from jarvis.replica.waiting import DELETED
from jarvis.store.protocol import APPLIED, ERASED, StoredRecord
from tests.replica.support import GROWN, KEYS, NOW, OWNER, SESSION, Author, Node

ID = from_text(SESSION.removeprefix("session/"))
WORDS = "where the key lies"


def turn(author: Author, follows=None, **bent) -> SignedRecord:
    return author.write(SESSION, ["turn", follows, {"text": WORDS}], **bent)


def delete(author: Author, *ids: bytes) -> SignedRecord:
    return author.write(SESSIONS, *(["delete", one] for one in ids or (ID,)))


def stripped(record: SignedRecord) -> SignedRecord:
    return replace(record, payload=None)


def kept(node: Node, record: SignedRecord) -> StoredRecord | None:
    return node.store.view(lambda tx: tx.record(record.header.author, record.header.seq))


def is_erased(node: Node, record: SignedRecord) -> bool:
    held = kept(node, record)
    return held is not None and (held.payload, held.status, held.hash) == (None, ERASED, record.hash)


def holds_words(node: Node) -> bool:
    return any(
        WORDS.encode() in (one.payload or b"") for one in node.store.view(lambda tx: list(tx.records_in_order(0)))
    )


def answered(
    node: Node, author: bytes, first: int = 1, through: int = 512, max_bytes: int = 2**18
) -> list[SignedRecord]:
    found = node.store.view(lambda tx: node.replica.records(tx, author, first, through, max_bytes))
    return [decode_record(one.header, one.signature, one.payload) for one in found]


# --- whatever the order ------------------------------------------------------------------------------------------


def test_any_order_of_turns_and_deletion_comes_to_the_same():
    speaker, deleter, config = Author(1), Author(2), Author(2, 1)
    first = turn(speaker)
    records = [first, turn(speaker, [speaker.name, 1, 0]), delete(deleter), config.put("k", 1)]
    digests = set()
    for order in permutations(records):
        node = Node()
        for record in order:
            node.accept(record)
        assert node.replica.waiting() == 0
        assert is_erased(node, records[0]) and is_erased(node, records[1])
        assert not holds_words(node)
        digests.add(node.digest())
        assert node.restart().digest() == node.digest()
    assert len(digests) == 1


def test_records_of_every_status_are_erased():
    speaker, forker, deleter = Author(1), Author(1, 1), Author(2)
    invalid = speaker.write(SESSION, ["nonsense"])
    newer = turn(speaker, version=2)
    branch = forker.fork()
    aside, other = turn(forker), branch.put("k", 1)
    node = Node()
    node.accept(invalid, newer, aside, other)
    assert [kept(node, one).status for one in (invalid, newer, aside)] == [1, 2, 3]
    node.accept(delete(deleter))
    assert all(is_erased(node, one) for one in (invalid, newer, aside))
    assert not holds_words(node)


def test_a_record_that_waits_is_freed_by_the_deletion_and_forgets_its_words():
    speaker, deleter = Author(1), Author(2)
    left_out = turn(speaker)
    late = turn(speaker)
    for needs in ("a gap", "a dot"):
        node = Node()
        if needs == "a gap":
            node.accept(late, delete(Author(2)))
            (waiting,) = node.replica._acceptance.waiting.take({SESSION})
            assert waiting.payload is None
        else:
            leaning = turn(Author(1, 5), [deleter.name, 99, 0])
            node.accept(leaning)
            assert node.replica.waiting() == 1
            node.accept(delete(Author(2)))
            assert node.replica.waiting() == 0 and is_erased(node, leaning)
    assert left_out.payload


def test_it_stays_deleted_over_restarts_and_checkpoints():
    speaker, deleter = Author(1), Author(2)
    node = Node()
    node.accept(*(turn(speaker) for _ in range(600)))
    assert node.store.view(lambda tx: tx.checkpoint(SESSION)) is not None
    accepted = node.accept(delete(deleter))
    assert SESSION in accepted.documents
    assert node.store.view(lambda tx: tx.checkpoint(SESSION)) is None
    assert node.restart().state(SESSION).turns == {}
    assert SESSION not in node.store.view(node.replica.digests)


def test_a_late_turn_is_kept_without_its_words_and_its_author_goes_on():
    speaker, deleter = Author(1), Author(2)
    node = Node()
    node.accept(delete(deleter))
    late = turn(speaker)
    after = speaker.put("k", 1)
    accepted = node.accept(late, after)
    assert is_erased(node, late) and node.seq(speaker.name) == 2
    assert [one.status for one in accepted.records] == [ERASED, APPLIED]
    assert node.accept(late, stripped(late)).duplicates == 2
    assert node.accept(replace(turn(speaker), payload=b"x" * 60)).refused[0].blame == "sender"


def test_nothing_can_be_written_to_what_was_deleted():
    node = Node()
    node.append(SESSION, ["turn", None, {"text": WORDS}])
    node.append(SESSIONS, ["delete", ID])
    with pytest.raises(NotFound, match="deleted"):
        node.append(SESSION, ["turn", None, {"text": WORDS}])
    assert not holds_words(node)


def test_a_turn_and_the_deletion_may_share_a_transaction():
    node = Node()

    def both(tx) -> None:
        composition = node.replica.compose(tx)
        composition.add(SESSION, lambda state: [state.add_turn({"text": WORDS})])
        composition.add(SESSIONS, lambda state: [state.delete(ID)])
        with pytest.raises(NotFound):
            composition.add(SESSION, lambda state: [state.add_turn({"text": WORDS})])
        composition.finish()

    node.store.transact(both)
    assert node.state(SESSION).turns == {} and not holds_words(node)


def test_a_month_of_the_audit_is_deleted_likewise():
    node = Node()
    node.append("audit/2026-01", ["add", WORDS])
    node.append("audit/2026-02", ["add", 2])
    node.append(AUDITS, ["delete", b"2026-01"])
    assert not holds_words(node)
    assert list(node.store.view(node.replica.digests)) == ["audit/2026-02", "audits"]

    def add(tx):
        composition = node.replica.compose(tx)
        return composition.add("audit/2026-01", lambda state: [state.add(3)])

    assert node.store.transact(add) is None  # of a clock that is far off: kept nowhere, and no error


@pytest.mark.parametrize("one", [b"x" * 32, b"2026-1", b"\xff", b"config", b"../config"])
def test_only_sessions_and_months_can_be_deleted(one):
    node = Node()
    node.append("config", ["put", "k", 1, []])
    node.append("audit/other", ["add", 1])
    node.append("session/no-id", ["put", "k", 1, []])
    before = node.store.view(node.replica.digests)
    node.append(AUDITS, ["delete", one])
    node.append(SESSIONS, ["delete", one])
    after = node.store.view(node.replica.digests)
    assert {name: after[name] for name in before} == before


# --- without a payload -------------------------------------------------------------------------------------------


def test_without_payload_it_waits_until_its_deletion_is_known():
    speaker, deleter = Author(1), Author(2)
    spoken = turn(speaker)
    behind = speaker.put("k", 1)
    node = Node()
    accepted = node.accept(stripped(spoken), behind)
    assert (accepted.records, accepted.refused, node.replica.waiting()) == ([], [], 2)
    node.accept(delete(deleter))
    assert is_erased(node, spoken) and node.seq(speaker.name) == 2 and node.replica.waiting() == 0


def test_with_its_payload_it_is_accepted_also_when_it_waits_without():
    speaker = Author(1)
    first, second = turn(speaker), turn(speaker)
    node = Node()
    node.accept(stripped(second), stripped(first))
    node.accept(second)
    node.accept(first)
    assert node.seq(speaker.name) == 2 and node.replica.waiting() == 0
    assert len(node.state(SESSION).turns) == 2


def test_what_never_is_deleted_must_have_its_payload():
    node = Node()
    for record in (Author(1).put("k", 1), Author(2).write("audit/other", ["add", 1])):
        accepted = node.accept(stripped(record))
        assert (accepted.refused[0].blame, accepted.refused[0].reason) == ("sender", "its payload is missing")
        assert node.accept(record).records


def test_a_stripped_record_must_be_signed():
    node = Node()
    node.accept(delete(Author(2)))
    forged = replace(stripped(turn(Author(1))), signature=b"s" * 64)
    assert node.accept(forged).refused[0].blame == "sender"


def test_an_answer_brings_the_deletion_before_what_it_erased():
    speaker, other = Author(1), "session/bbbbbbbbbbbbbbbb"
    records = [turn(speaker), speaker.write(other, ["put", "k", 1, []]), turn(speaker)]
    records += [delete(speaker, ID, from_text("b" * 16)), speaker.put("k", 1)]
    node = Node()
    node.accept(*records)
    got = answered(node, speaker.name)
    assert [(one.header.seq, one.payload is None) for one in got] == [
        (4, False), (1, True), (4, False), (2, True), (3, True), (4, False), (5, False),
    ]  # fmt: skip
    fresh = Node(number=2)
    accepted = fresh.accept(*got)
    assert not accepted.own and not accepted.refused and fresh.replica.waiting() == 0
    assert fresh.digest() == node.digest() and not holds_words(fresh)


def test_an_answer_is_cut_with_what_stands_before_it_counted():
    speaker = Author(1)
    ids = [bytes([n]) * 10 for n in range(4)]
    records = [speaker.write("session/" + to_text(one), ["put", "k", 1, []]) for one in ids]
    records += [delete(speaker, one) for one in ids]
    node = Node()
    node.accept(*records)
    whole = answered(node, speaker.name)
    assert len(whole) == 12
    size_bytes = sum(one.size_bytes for one in whole[:5])
    cut = answered(node, speaker.name, max_bytes=size_bytes)
    assert [one.header.seq for one in cut] == [5, 1, 6, 2]
    assert [one.header.seq for one in answered(node, speaker.name, max_bytes=1)] == [5, 1]


def test_a_deletion_that_is_only_heard_of_is_made_here():
    """The deleter's record before it is missing; what it deletes is believed to be deleted, and is so at once."""
    speaker, deleter = Author(1), Author(2)
    hidden = deleter.put("k", 1)
    deletion, spoken = delete(deleter), turn(speaker)
    node = Node()
    accepted = node.accept(deletion, stripped(spoken))
    assert is_erased(node, spoken)
    (own,) = accepted.own
    assert node.seq(own.header.author) == 1 and own.header.author in accepted.heads
    assert ID in node.state(SESSIONS).deleted
    assert not node.accept(hidden).own and node.replica.waiting() == 0
    assert node.seq(deleter.name) == 2


def test_hearing_frees_what_waits_for_that_deletion():
    speaker, deleter = Author(1), Author(2)
    deleter.put("k", 1)
    spoken = turn(speaker)
    node = Node()
    node.accept(stripped(spoken))
    node.accept(delete(deleter))
    assert is_erased(node, spoken)


@pytest.mark.parametrize("bad", ["an operation", "a kind", "a version", "without a payload"])
def test_what_is_heard_must_make_sense(bad):
    speaker, deleter = Author(1), Author(2)
    deleter.put("k", 1)
    deletion = {
        "an operation": lambda: deleter.write(SESSIONS, ["delete", ID], ["delete", 5]),
        "a kind": lambda: deleter.write(SESSIONS, ["delete", ID], kind=1),
        "a version": lambda: deleter.write(SESSIONS, ["delete", ID], version=2),
        "without a payload": lambda: stripped(delete(deleter)),
    }[bad]()
    node = Node()
    node.accept(deletion, stripped(turn(speaker)))
    assert node.seq(speaker.name) == 0 and not node.state(SESSIONS).deleted


# --- deleted for good ----------------------------------------------------------------------------------------------


def test_a_deletion_set_aside_by_a_fork_is_made_again_by_who_erased():
    speaker, deleter = Author(1), Author(2)
    spoken = turn(speaker)
    branch = deleter.fork()
    deletion, other = delete(deleter), branch.put("k", 1)
    node, bystander = Node(), Node(number=1)
    node.accept(spoken, deletion)
    bystander.accept(spoken, other)
    accepted = node.accept(other)
    (own,) = accepted.own
    assert own.header.node_id == node.replica._key.node_id and own.header.author in accepted.heads
    assert ID in node.state(SESSIONS).deleted and is_erased(node, spoken)
    assert [one.header.seq for one in answered(node, speaker.name)] == [1, 1]
    assert answered(node, speaker.name)[0] == own
    # The bystander heard of the fork first: for it nobody has deleted anything until that record comes.
    assert not bystander.accept(deletion).own and not is_erased(bystander, spoken)
    bystander.accept(own)
    assert is_erased(bystander, spoken)
    assert bystander.digest() == node.digest()
    assert node.restart().accept(spoken).duplicates == 1


def test_a_deletion_set_aside_by_a_removal_is_made_again_and_only_where_something_was_erased():
    speaker, deleter = Author(1), Author(3, chain=GROWN)
    spoken, deletion = turn(speaker), delete(deleter, ID, b"never seen")
    removed = GROWN.remove(OWNER, KEYS[3].node_id, {}, at_ms=NOW)
    node, bystander = Node(GROWN), Node(GROWN, number=1)
    node.accept(spoken, deletion)
    bystander.accept(deletion)
    _, accepted = node.store.transact(lambda tx: node.replica.accept_membership(tx, removed.entries))
    assert len(accepted.own) == 1
    assert node.state(SESSIONS).deleted.keys() == {ID}
    _, accepted = bystander.store.transact(lambda tx: bystander.replica.accept_membership(tx, removed.entries))
    assert not accepted.own and not bystander.state(SESSIONS).deleted
    bystander.accept(*accepted.own, spoken)
    assert not is_erased(bystander, spoken)


def test_a_deletion_taken_back_by_a_removal_erases():
    """A fork set it aside, and the removal of its author's node says that it counts after all."""
    speaker, deleter = Author(1), Author(3, chain=GROWN)
    spoken, branch = turn(speaker), deleter.fork()
    deletion, other = delete(deleter), branch.put("k", 1)
    node = Node(GROWN)
    node.accept(deletion, other, spoken)
    assert not is_erased(node, spoken)
    cutoffs = {deleter.name: Cutoff(1, deletion.hash)}
    removed = GROWN.remove(OWNER, KEYS[3].node_id, cutoffs, at_ms=NOW)
    node.store.transact(lambda tx: node.replica.accept_membership(tx, removed.entries))
    assert is_erased(node, spoken) and node.state(SESSIONS).deleted


def test_who_may_not_write_leaves_it_to_the_others():
    speaker, deleter = Author(1), Author(2)
    spoken, branch = turn(speaker), deleter.fork()
    deletion, other = delete(deleter), branch.put("k", 1)
    node = Node()
    guest = Node.__new__(Node)
    guest.__dict__.update(node.__dict__)
    guest.number = 3
    guest.start()
    guest.store.transact(lambda tx: guest.replica.open(tx, guest=True))
    assert guest.accept(spoken, deletion, other).own == []
    member = node.restart()
    (own,) = member.accept(Author(1, 7).put("k", 1)).own
    assert own.header.document == SESSIONS and ID in member.state(SESSIONS).deleted


# --- what leans on what --------------------------------------------------------------------------------------------


def test_across_documents_only_what_lies_beyond_a_bound_is_leaned_on():
    """A record of the config that names a turn which was set aside for naming a forked one: whether that turn was
    erased first must not matter."""
    forker, leaner, deleter = Author(1), Author(2), Author(2, 1)
    branch = forker.fork()
    forked, other = turn(forker), branch.put("k", 1)
    leaning = turn(leaner, [forker.name, 1, 0])
    naming = leaner.put("x", 1, (leaner.name, 1, 0))
    deletion = delete(deleter)
    digests = set()
    for order in permutations([forked, other, leaning, deletion]):
        node = Node()
        for record in (*order, naming):
            node.accept(record)
        if node.replica.waiting():  # the fork was known before the turn that was named could come
            continue
        digests.add(node.digest())
        assert kept(node, naming).status == APPLIED
    assert len(digests) == 1


def test_a_need_for_a_deletion_is_no_other_need():
    assert DELETED not in (0, 1) and DELETED < 0


def test_an_older_program_that_kept_deletions_as_unknown_erases_after_the_upgrade(monkeypatch):
    speaker, deleter = Author(1), Author(2)
    spoken = speaker.write("audit/2026-01", ["add", WORDS])
    deletion = deleter.write(AUDITS, ["delete", b"2026-01"])
    with monkeypatch.context() as older:
        older.delitem(registry._EXACT, AUDITS)
        older.setattr(registry, "_MONTH", re.compile("(?!)"))
        registry.lifecycle_of.cache_clear()
        node = Node()
        node.accept(spoken, deletion)
        assert kept(node, deletion).status == 2 and not is_erased(node, spoken)
    registry.lifecycle_of.cache_clear()
    again = node.restart()
    assert kept(again, deletion).status == APPLIED and is_erased(again, spoken) and not holds_words(again)


def test_an_older_program_that_knew_neither_of_both(monkeypatch):
    """What was deleted is not judged after the upgrade, though it comes behind its deletion."""
    speaker, deleter = Author(1), Author(2)
    deletion = deleter.write(AUDITS, ["delete", b"2026-01"])
    spoken = speaker.write("audit/2026-01", ["add", WORDS])
    with monkeypatch.context() as older:
        older.delitem(registry._EXACT, AUDITS)
        older.delitem(registry._PREFIX, AUDIT_PREFIX)
        older.setattr(registry, "_MONTH", re.compile("(?!)"))
        registry.lifecycle_of.cache_clear()
        node = Node()
        node.accept(deletion, spoken)
    registry.lifecycle_of.cache_clear()
    again = node.restart()
    assert kept(again, deletion).status == APPLIED and is_erased(again, spoken)


def test_an_erased_record_is_not_judged():
    assert judge(stripped(turn(Author(1))), -1) == Verdict(ERASED)


def test_nothing_of_it_is_left_when_the_commit_fails():
    speaker, deleter = Author(1), Author(2)
    node = Node()
    node.accept(turn(speaker))
    node.accept(deleter.put("k", 1))
    before = node.everything()
    node.broken = True
    with pytest.raises(OSError):
        node.accept(delete(deleter))
    node.broken = False
    assert node.everything() == before
    assert len(node.state(SESSION).turns) == 1
