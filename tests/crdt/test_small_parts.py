"""What the kinds offer besides their laws: the operations they make, and what is read from their states."""

from __future__ import annotations

from jarvis.crdt.counter import CounterKind
from jarvis.crdt.dots import Dot, DotSet
from jarvis.crdt.gset import GSet, GSetKind
from jarvis.crdt.lifecycle import Lifecycle, LifecycleKind
from jarvis.crdt.session import SessionKind

AUTHOR = b"a" * 32


def test_a_set_of_dots_is_counted_and_compared():
    dots = [Dot(AUTHOR, 1, 0), Dot(AUTHOR, 1, 1), Dot(b"b" * 32, 7, 0)]
    assert len(DotSet(dots * 2)) == 3
    assert DotSet(dots) == DotSet(reversed(dots))
    assert DotSet(dots) != DotSet(dots[:2])
    assert DotSet() != set()


def test_a_grow_only_set_counts_additions():
    kind = GSetKind()
    state = kind.empty()
    for seq in (1, 2, 2):
        kind.absorb(state, kind.delta(GSet.add("same"), Dot(AUTHOR, seq, 0), seq))
    assert len(state) == 2


def test_a_session_lives_until_it_is_deleted():
    kind = LifecycleKind()
    state = kind.empty()
    for seq, operation in enumerate((Lifecycle.add(b"one"), Lifecycle.add(b"two"), Lifecycle.delete(b"one")), 1):
        kind.check(operation)
        assert list(kind.names(operation)) == []
        kind.absorb(state, kind.delta(operation, Dot(AUTHOR, seq, 0), seq))
    assert state.living() == {b"two"}


def test_a_counter_waits_for_nothing():
    kind = CounterKind()
    assert list(kind.names(kind.empty().count("a", 1, AUTHOR))) == []


def test_a_turn_follows_the_last_one_and_its_reply_can_be_corrected():
    kind = SessionKind()
    state = kind.empty()
    first, second = Dot(AUTHOR, 1, 0), Dot(AUTHOR, 2, 0)
    said = state.add_turn({"text": "one"})
    assert said[1] is None
    kind.absorb(state, kind.delta(said, first, 1))
    said = state.add_turn({"text": "two"})
    assert said[1] == list(first)
    kind.absorb(state, kind.delta(said, second, 2))
    assert state.reply(second) is None
    for seq, reply in enumerate(("too", "2"), 3):
        kind.absorb(state, kind.delta(state.add_reply(second, reply), Dot(AUTHOR, seq, 0), seq))
    assert state.reply(second).value == "2"
