"""The laws every kind keeps, for whatever states its operations can make: join commutes, associates, repeats without
effect and only grows; encoding goes round and depends on nothing but the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.counter import MAX_TOTAL, CounterKind, UpCounterKind
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet, GSetKind
from jarvis.crdt.lifecycle import LifecycleKind
from jarvis.crdt.mvmap import MVMapKind
from jarvis.crdt.registry import ALL_KINDS
from jarvis.crdt.session import SessionKind
from jarvis.crdt.text import SharedText, TextKind

AUTHORS = [bytes([n]) * 32 for n in range(3)]
dots = st.builds(Dot, st.sampled_from(AUTHORS), st.integers(1, 6), st.integers(0, 1))
dot_lists = st.lists(dots, max_size=3, unique=True).map(lambda found: [list(dot) for dot in sorted(found)])
keys = st.one_of(st.sampled_from(["a", "b", "ü"]), st.sampled_from([b"a", b"b"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64 - 1) | st.text(max_size=4) | st.binary(max_size=4) | st.just(1.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
map_operations = st.one_of(
    st.tuples(st.just("put"), keys, values, dot_lists), st.tuples(st.just("del"), keys, dot_lists)
).map(list)
totals = st.integers(0, 9) | st.just(MAX_TOTAL)
OPERATIONS = {
    MVMapKind: map_operations,
    GSetKind: st.tuples(st.just("add"), values).map(list),
    SessionKind: st.one_of(
        map_operations,
        st.tuples(
            st.just("turn"), st.none() | dots.map(list), st.dictionaries(st.sampled_from(["text", "room"]), values)
        ).map(list),
    ),
    UpCounterKind: st.tuples(st.just("count"), st.sampled_from(["a", "b"]), totals).map(list),
    CounterKind: st.tuples(st.just("count"), st.sampled_from(["a", "b"]), totals, totals).map(list),
    LifecycleKind: st.tuples(st.sampled_from(["add", "delete"]), st.sampled_from([b"x", b"y", b"z"])).map(list),
}
letters = st.text(st.sampled_from("ab é\U0001f389\u0301\n"), max_size=3)
edits = st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 2), letters, st.integers(0, 3))


def text_deltas(steps):
    """Rooms that edit, and hear of each other's edits now and then."""
    rooms, sent, deltas = [SharedText(author) for author in AUTHORS], [[], [], []], []
    for who, position, length, text, hears in steps:
        size = len(rooms[who].text)
        at = min(position, size)
        edit = rooms[who].replace(at, min(length, size - at), text)
        sent[who].append(edit)
        deltas.append(TextKind().delta(edit.operation, edit.dot, len(deltas)))
        for one in sent[who] if hears < 3 else ():
            rooms[hears].merge(one)
    return deltas


@st.composite
def histories(draw):
    """A kind and deltas by dot: what any set of records in one home could carry."""
    kind_class = draw(st.sampled_from(sorted([*OPERATIONS, TextKind], key=lambda one: one.__name__)))
    if kind_class is TextKind:
        return TextKind(), text_deltas(draw(st.lists(edits, min_size=1, max_size=8)))
    operations = draw(
        st.dictionaries(dots, st.tuples(OPERATIONS[kind_class], st.integers(0, 2**64 - 1)), min_size=1, max_size=8)
    )
    kind = kind_class()
    deltas = []
    for dot, (operation, hlc) in operations.items():
        kind.check(operation)
        deltas.append(kind.delta(operation, dot, hlc))
    return kind, deltas


def joined(kind, deltas):
    state = kind.empty()
    for delta in deltas:
        kind.absorb(state, delta)
    return state


def encoded(kind, state):
    return pack(kind.encode(state))


def test_every_kind_is_covered():
    assert {type(kind) for kind in ALL_KINDS} == {*OPERATIONS, TextKind}
    assert len({kind.code for kind in ALL_KINDS}) == len(OPERATIONS) + 1


@given(histories(), st.data())
def test_any_order_any_repetition_same_bytes(history, data):
    kind, deltas = history
    expected = encoded(kind, joined(kind, deltas))
    shuffled = data.draw(st.permutations(deltas + data.draw(st.lists(st.sampled_from(deltas), max_size=4))))
    assert encoded(kind, joined(kind, shuffled)) == expected


@given(histories(), st.data())
def test_join_is_commutative_associative_idempotent(history, data):
    kind, deltas = history
    pick = st.lists(st.sampled_from(deltas), max_size=6).map(lambda chosen: joined(kind, chosen))
    a, b, c = data.draw(pick), data.draw(pick), data.draw(pick)
    before = encoded(kind, a), encoded(kind, b)
    assert encoded(kind, kind.join(a, b)) == encoded(kind, kind.join(b, a))
    assert encoded(kind, kind.join(a, kind.join(b, c))) == encoded(kind, kind.join(kind.join(a, b), c))
    assert encoded(kind, kind.join(a, a)) == encoded(kind, a)
    assert encoded(kind, kind.join(a, kind.empty())) == encoded(kind, a)
    assert (encoded(kind, a), encoded(kind, b)) == before, "join changed an argument"


@given(histories(), st.data())
def test_join_is_monotone(history, data):
    """Once a state holds another, joining more never loses it: a + b absorbs b without change, for ever."""
    kind, deltas = history
    a, b = joined(kind, deltas[::2]), joined(kind, deltas[1::2])
    both = kind.join(a, b)
    assert encoded(kind, kind.join(both, a)) == encoded(kind, kind.join(both, b)) == encoded(kind, both)


@given(histories())
def test_round_trip_and_canonical_bytes(history):
    kind, deltas = history
    state = joined(kind, deltas)
    data = encoded(kind, state)
    again = kind.decode(unpack(data, Limits(depth=16)))
    assert encoded(kind, again) == data
    kind.absorb(again, state)
    assert encoded(kind, again) == data


@given(st.sampled_from(ALL_KINDS), values)
def test_check_refuses_or_accepts_but_never_breaks(kind, operation):
    try:
        kind.check(operation)
    except InvalidBytes:
        return
    kind.delta(operation, Dot(AUTHORS[0], 1, 0), 1)
    list(kind.names(operation))


def test_a_write_replaces_only_what_its_author_had_seen():
    kind = MVMapKind()
    ours, theirs = kind.empty(), kind.empty()
    first = kind.delta(ours.put("color", "red"), Dot(AUTHORS[0], 1, 0), 10)
    for state in (ours, theirs):
        kind.absorb(state, first)
    left = kind.delta(ours.put("color", "green"), Dot(AUTHORS[0], 2, 0), 20)
    right = kind.delta(theirs.put("color", "blue"), Dot(AUTHORS[1], 1, 0), 15)
    both = kind.join(kind.join(ours, right), left)
    assert [write.value for write in both.writes("color")] == ["green", "blue"]
    assert both.get("color").value == "green"
    settled = kind.join(both, kind.delta(both.put("color", "blue"), Dot(AUTHORS[1], 2, 0), 30))
    assert not settled.conflicts()
    assert settled.get("color").value == "blue"
    gone = kind.join(settled, kind.delta(settled.delete("color"), Dot(AUTHORS[0], 3, 0), 5))
    assert gone.keys() == []


def test_turns_stand_after_what_they_follow_whatever_their_stamps():
    kind = SessionKind()
    first, second, third = Dot(AUTHORS[0], 1, 0), Dot(AUTHORS[1], 1, 0), Dot(AUTHORS[2], 1, 0)
    state = joined(
        kind,
        [
            kind.delta(["turn", None, {"text": "one"}], first, 900),
            kind.delta(["turn", list(first), {"text": "two"}], second, 100),  # a clock set back
            kind.delta(["turn", list(first), {"text": "also two"}], third, 50),
        ],
    )
    assert [turn.utterance["text"] for turn in state.in_order()] == ["one", "also two", "two"]


def test_a_deleted_session_stays_deleted():
    kind = LifecycleKind()
    state = joined(
        kind,
        [kind.delta(["delete", b"s"], Dot(AUTHORS[0], 1, 0), 1), kind.delta(["add", b"s"], Dot(AUTHORS[1], 9, 0), 99)],
    )
    assert state.living() == set()


def test_entries_of_a_set_stand_in_the_order_of_their_stamps():
    kind = GSetKind()
    state = joined(kind, [kind.delta(GSet.add(n), Dot(AUTHORS[n % 3], n, 0), 100 - n) for n in range(1, 5)])
    assert [entry.value for entry in state.entries()] == [4, 3, 2, 1]


@pytest.mark.parametrize("key", ["", "x" * 129, 5, None, b""])
def test_keys_are_measured(key):
    with pytest.raises(InvalidBytes):
        MVMapKind().check(["put", key, 1, []])
