"""A node whose disk was copied and ran twice: what its fork set aside is written again, once, where that makes
sense."""

from __future__ import annotations

from typing import Any

import pytest

from jarvis.core.errors import NotFound
from jarvis.core.ids import from_text
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.registry import CONFIG, METRICS, SESSIONS
from jarvis.identity.fork import fork_proof
from jarvis.identity.keys import SigningKey
from jarvis.replica import rewriting
from jarvis.replica.accepted import Accepted
from jarvis.replica.rewriting import AGAIN, MAX_RECORDS, Rewriting, Rewritten
from jarvis.store.protocol import ASIDE, Transaction
from jarvis.testing.home import RECOVERY_SEED, START_MS, SimHome, SimNode

SESSION, AUDIT = "session/aaaaaaaaaaaaaaaa", "audit/2027-01"


def write(node: SimNode, document: str, make: Any) -> Dot:
    record = node.write(document, lambda state: [make(state)])
    return Dot(record.header.author, record.header.seq, 0)


def put(node: SimNode, key: str, value: str) -> None:
    write(node, CONFIG, lambda state: state.put(key, value))


def values(node: SimNode) -> dict[str, object]:
    state = node.state(CONFIG)
    return {key: state.get(key).value for key in state.keys()}  # noqa: SIM118


def conversation(node: SimNode) -> list[tuple[str, object]]:
    state = node.state(SESSION)
    told = []
    for turn in state.in_order():
        reply = state.reply(turn.at.dot)
        told.append((turn.utterance["text"], reply and reply.value))
    return told


def rewrite(node: SimNode) -> Rewritten:
    done = node.store.transact(node.replica.rewrite)
    assert node.sync is not None
    node.perform(node.sync.committed(done.accepted.heads, done.records, node.clock.now_ms))
    return done


class Forked:
    """The kitchen's disk was copied; the kitchen and its copy each wrote on, and the hall has heard both."""

    def __init__(self) -> None:
        self.home = SimHome(2, 7)
        self.kitchen, self.hall = self.home.nodes
        self.first = write(self.kitchen, SESSION, lambda state: state.add_turn({"text": "before"}))
        write(self.kitchen, SESSION, lambda state: state.add_reply(self.first, "yes"))
        put(self.kitchen, "shared", "old")
        self.home.connect(0, 1)
        self.home.settle()
        self.copy = self._copy()

    def _copy(self) -> SimNode:
        copy = SimNode(
            2, self.kitchen.key, self.home.clock, self.home.rng, lambda *_: None, lambda *_: None,
            store=self.kitchen.store.copy(),
        )  # fmt: skip
        copy.open()
        heads = self.hall.store.view(lambda tx: dict(self.hall.replica.heads(tx)))
        copy.echoed(self.hall.node_id, heads)
        self.kitchen.echoed(self.hall.node_id, heads)
        return copy

    def meet(self) -> None:
        """The hall hears the copy's history too."""
        author = self.first.author
        heads = self.copy.store.view(lambda tx: dict(self.copy.replica.heads(tx)))
        self.hall.accept(self.copy.records(author, 1, heads[author].seq))
        self.home.settle()
        self.copy.accept(self.hall.records(author, 1, 99) + self.kitchen_history)

    def keep_history(self) -> None:
        self.kitchen_history = self.kitchen.records(self.first.author, 1, 99)


@pytest.fixture
def forked() -> Forked:
    return Forked()


def say_things(node: SimNode, name: str) -> None:
    turn = write(node, SESSION, lambda state: state.add_turn({"text": f"{name} one"}))
    write(node, SESSION, lambda state: state.add_reply(turn, f"{name} answered"))
    write(node, SESSION, lambda state: state.add_turn({"text": f"{name} two"}))
    write(node, SESSIONS, lambda state: Lifecycle.add(name.encode()))
    put(node, name, "own")
    put(node, "shared", name)
    write(node, AUDIT, lambda state: GSet.add({"action": name}))
    write(node, METRICS, lambda state: ["count", "asked", 1, 0])


def audited(node: SimNode) -> list[object]:
    return [entry.value["action"] for entry in node.state(AUDIT).entries()]


def test_what_a_fork_set_aside_stands_again_once(forked: Forked) -> None:
    kitchen, hall, copy = forked.kitchen, forked.hall, forked.copy
    say_things(kitchen, "kitchen")
    forked.home.settle()
    forked.keep_history()
    say_things(copy, "copy")
    forked.meet()
    for node in (kitchen, hall, copy):
        assert conversation(node) == [("before", "yes")] and values(node) == {"shared": "old"}
        assert audited(node) == []
    done = rewrite(kitchen)
    assert (done.authors, done.written, done.left) == ({forked.first.author}, 7, 1), "all but the counter"
    forked.home.settle()
    for node in (kitchen, hall):
        told = [("before", "yes"), ("kitchen one", "kitchen answered"), ("kitchen two", None)]
        assert conversation(node) == told
        assert values(node) == {"kitchen": "own", "shared": "kitchen"} and audited(node) == ["kitchen"]
        assert b"kitchen" in node.state(SESSIONS).living()
    assert kitchen.digest() == hall.digest()
    assert all(
        AGAIN in turn.utterance
        for turn in kitchen.state(SESSION).in_order()
        if turn.utterance["text"].startswith("kitchen")
    )
    assert rewrite(kitchen) == Rewritten(), "once"
    # The copy does the same for what it wrote, without writing over what the kitchen wrote meanwhile.
    own = copy.store.view(lambda tx: dict(copy.replica.heads(tx)))
    for author, head in hall.store.view(lambda tx: dict(hall.replica.heads(tx))).items():
        if head.seq > (own[author].seq if author in own else 0):
            copy.accept(hall.records(author, 1, head.seq))
    done = rewrite(copy)
    assert (done.written, done.left) == (6, 2), "the counter, and the value that the kitchen has written since"
    assert values(copy) == {"kitchen": "own", "shared": "kitchen", "copy": "own"}
    hall.accept(done.records)
    forked.home.settle()
    assert kitchen.digest() == hall.digest() == copy.digest()
    assert [text for text, _ in conversation(hall)].count("copy one") == 1


def test_a_disk_put_back_after_it_wrote_again_does_not_write_a_third_time(forked: Forked) -> None:
    kitchen, hall, copy = forked.kitchen, forked.hall, forked.copy
    write(kitchen, SESSION, lambda state: state.add_turn({"text": "kitchen one"}))
    write(kitchen, AUDIT, lambda state: GSet.add({"action": "kitchen"}))
    forked.home.settle()
    forked.keep_history()
    put(copy, "copy", "own")
    forked.meet()
    old = kitchen.store.copy()
    assert rewrite(kitchen).written == 2
    forked.home.settle()
    forked.home.disconnect(0, 1)
    kitchen.store = old
    kitchen.start()
    kitchen.store.on_undo(kitchen.replica.forget)
    kitchen.open()
    forked.home.connect(0, 1)
    forked.home.settle()
    done = rewrite(kitchen)
    assert (done.written, done.left) == (0, 2)
    assert [text for text, _ in conversation(hall)] == ["before", "kitchen one"] and audited(hall) == ["kitchen"]


def test_an_earlier_fork_that_becomes_known_later_gives_more_to_write(forked: Forked) -> None:
    kitchen, hall, copy = forked.kitchen, forked.hall, forked.copy
    for number in range(4):
        put(kitchen, f"key{number}", "kitchen")
        put(copy, f"key{number}", "copy")
    forked.home.settle()
    author = forked.first.author
    theirs = copy.records(author, 1, 99)
    mine = kitchen.records(author, 1, 99)

    def prove(at: int) -> None:
        pair = [(one.header_data, one.signature) for one in (mine[at], theirs[at])]
        accepted = kitchen.store.transact(lambda tx: kitchen.replica.accept_fork(tx, fork_proof(*pair)))
        kitchen.restated(accepted)

    prove(-1)
    assert rewrite(kitchen).written == 1
    prove(-4)
    assert rewrite(kitchen).written == 3
    assert rewrite(kitchen) == Rewritten()
    held = list(kitchen.store.view(lambda tx: list(tx.unapplied())))
    assert len([one for one in held if one.status == ASIDE and one.author == author]) == 4
    assert {key: value for key, value in values(kitchen).items() if key != "shared"} == {
        f"key{number}": "kitchen" for number in range(4)
    }
    assert MAX_RECORDS > 4 and hall.node_id != kitchen.node_id


def test_what_makes_no_sense_any_more_stays_set_aside(forked: Forked) -> None:
    kitchen, hall, copy = forked.kitchen, forked.hall, forked.copy
    doomed = "session/bbbbbbbbbbbbbbbb"
    write(kitchen, SESSION, lambda state: state.add_reply(forked.first, "corrected"))
    write(kitchen, SESSION, lambda state: state.registers.put("title", "tea"))
    write(kitchen, SESSION, lambda state: state.registers.put(b"\xc1", "no turn's key"))
    write(kitchen, SESSION, lambda state: state.registers.delete("title"))
    write(kitchen, doomed, lambda state: state.add_turn({"text": "doomed"}))
    write(kitchen, SESSIONS, lambda state: Lifecycle.delete(b"gone"))
    write(kitchen, SESSIONS, lambda state: Lifecycle.delete(b"gone"))
    write(kitchen, CONFIG, lambda state: state.delete("shared"))
    write(kitchen, "own/set/plugin/x", lambda state: GSet.add("no map, no mark"))
    forked.home.settle()
    forked.keep_history()
    put(copy, "copy", "own")
    forked.meet()
    write(hall, SESSIONS, lambda state: Lifecycle.delete(from_text("bbbbbbbbbbbbbbbb")))
    forked.home.settle()
    done = rewrite(kitchen)
    assert (done.written, done.left) == (4, 4), "title, key, deletion, removed value; the doomed turn is erased"
    state = kitchen.state(SESSION).registers
    assert state.get("title").value == "tea" and state.get(b"\xc1").value == "no turn's key"
    assert conversation(kitchen) == [("before", "yes")] and "shared" not in values(kitchen)
    forked.home.settle()
    assert kitchen.digest() == hall.digest()


def test_a_session_that_is_deleted_while_its_turns_wait_is_left_alone(forked: Forked) -> None:
    """The deletion of our own stands before the turn, both set aside: written again, it takes the session first."""
    kitchen, copy = forked.kitchen, forked.copy
    raw = from_text("aaaaaaaaaaaaaaaa")
    write(copy, SESSIONS, lambda state: Lifecycle.delete(b"other"))
    write(kitchen, CONFIG, lambda state: state.put("late", "1"))
    forked.home.settle()
    forked.keep_history()
    forked.meet()
    records = kitchen.store.view(kitchen.replica.forked_away)
    assert [one.status for one in records] == [ASIDE]
    write(kitchen, SESSIONS, lambda state: Lifecycle.delete(raw))
    assert rewrite(kitchen).written == 1
    assert raw in kitchen.state(SESSIONS).deleted


def test_it_goes_on_in_pieces_and_leaves_others_alone(forked: Forked, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        put(forked.kitchen, f"key{number}", "kitchen")
    forked.home.settle()
    forked.keep_history()
    put(forked.copy, "copy", "own")
    forked.meet()
    monkeypatch.setattr(rewriting, "MAX_RECORDS", 2)
    assert [rewrite(forked.kitchen).written for _ in range(4)] == [2, 2, 1, 0]
    assert rewrite(forked.hall) == Rewritten(), "it was not the hall that forked"


def test_what_cannot_be_written_is_left(forked: Forked) -> None:
    class Refusing:
        def add(self, document: str, make: Any) -> None:
            raise NotFound("That session was deleted.")

        def finish(self) -> tuple[dict[int, Any], Accepted]:
            return {}, Accepted()

    put(forked.kitchen, "late", "1")
    forked.home.settle()
    forked.keep_history()
    put(forked.copy, "copy", "own")
    forked.meet()

    def work(tx: Transaction) -> Rewritten:
        records = forked.kitchen.replica.forked_away(tx)
        return Rewriting(tx, Refusing(), b"a" * 32).run(records)  # type: ignore[arg-type]

    done = forked.kitchen.store.transact(work)
    assert (done.written, done.left) == (0, 1)


def test_a_member_that_was_removed_writes_nothing_again(forked: Forked) -> None:
    kitchen, hall, copy = forked.kitchen, forked.hall, forked.copy
    put(kitchen, "late", "1")
    forked.home.settle()
    forked.keep_history()
    put(copy, "copy", "own")
    forked.meet()
    chain = hall.store.view(hall.replica.chain)
    owner = SigningKey(b"another owner key of that home..")
    recovered = chain.recover(SigningKey(RECOVERY_SEED), owner.public, owner.public, hall.node_id, at_ms=START_MS)
    kitchen.accept_chain(recovered.remove(owner, kitchen.node_id, {}, at_ms=START_MS))
    assert rewrite(kitchen) == Rewritten()
