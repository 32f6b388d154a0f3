"""Exactly the laws that the accessors' docstrings promise, for any history of a few rooms that hear of each other
late, twice and in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt import accessors
from jarvis.crdt.counter import MAX_TOTAL
from jarvis.crdt.dots import Dot
from jarvis.crdt.mvmap import MAX_KEY_BYTES
from jarvis.crdt.registry import METRICS, PLUGIN_KINDS, declare, kind_of

AUTHORS = [bytes([n]) * 32 for n in range(3)]
elements = st.sampled_from([1, True, 1.0, "1", b"1", 0, False, "x" * 200, ["x", None], {"a": 1}])


class Room:
    """One copy of a document, with its author. Rooms send each other deltas; a delta comes after what it follows."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind, self.author = PLUGIN_KINDS[kind], AUTHORS[number]
        self.state = self.kind.empty()
        self.log: list[tuple[Dot, object]] = []
        self.heard = 0

    def write(self, operation):
        self.kind.check(operation)
        dot = Dot(self.author, len(self.log) + 1, 0)
        delta = self.kind.delta(operation, dot, dot.seq)
        self.log.append((dot, delta))
        self.kind.absorb(self.state, delta)
        return dot

    def hear(self, other):
        """All that the other room holds, as a state."""
        self.state = self.kind.join(self.state, other.state)


def rooms(kind):
    return [Room(kind, number) for number in range(3)]


def meet(all_rooms):
    for one in all_rooms:
        for other in all_rooms:
            one.hear(other)


steps = st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 5), st.integers(0, 3)), max_size=20)


@given(steps)
def test_a_counter_is_the_sum_of_all_counting(history):
    home, expected = rooms("counter"), 0
    for who, by, hears in history:
        home[who].write(accessors.counter(home[who].state).add(by, home[who].author))
        expected += by
        if hears < 3:
            home[hears].hear(home[who])
            home[hears].hear(home[who])
    meet(home)
    assert [accessors.counter(room.state).value for room in home] == [expected] * 3


@given(steps)
def test_an_up_only_counter_never_falls(history):
    home, last = rooms("up_counter"), [0, 0, 0]
    for who, by, hears in history:
        home[who].write(accessors.counter(home[who].state).add(abs(by), home[who].author))
        if hears < 3:
            home[hears].hear(home[who])
        now = [accessors.counter(room.state).value for room in home]
        assert all(a >= b for a, b in zip(now, last, strict=True))
        last = now


def test_a_counter_has_ends():
    up, both = Room("up_counter", 0), Room("counter", 0)
    with pytest.raises(InvalidInput):
        accessors.counter(up.state).add(-1, AUTHORS[0])
    both.write(accessors.counter(both.state).add(MAX_TOTAL, AUTHORS[0]))
    both.write(accessors.counter(both.state).add(-MAX_TOTAL, AUTHORS[0]))
    assert accessors.counter(both.state).value == 0
    for by in (1, -1):
        with pytest.raises(InvalidInput):
            accessors.counter(both.state).add(by, AUTHORS[0])
    other = Room("counter", 1)
    other.hear(both)
    other.write(accessors.counter(other.state).add(MAX_TOTAL, AUTHORS[1]))
    assert accessors.counter(other.state, "value").value == MAX_TOTAL
    assert other.state.names() == ["value"]


@pytest.mark.parametrize(
    "operation",
    [None, [], ["count", "a"], ["count", "a", 1], ["count", "a", 1, 2, 3], ["add", "a", 1, 1], ["count", b"a", 1, 1]]
    + [["count", "", 1, 1]]
    + [["count", "a", bad, 1] for bad in (-1, MAX_TOTAL + 1, 2**64, True, 1.0, "1", None)],
)
def test_totals_are_measured(operation):
    with pytest.raises(InvalidBytes):
        kind_of(METRICS).check(operation)


@given(st.lists(st.tuples(st.integers(0, 2), elements, st.booleans()), max_size=12))
def test_a_set_holds_what_was_added_once_each(history):
    home = rooms("set")
    for who, element, everybody in history:
        for operation in accessors.set(home[who].state).add(element):
            home[who].write(operation)
        if everybody:
            meet(home)
        assert element in accessors.set(home[who].state)
    meet(home)
    expected = {pack(element) for _, element, _ in history}
    for room in home:
        view = accessors.set(room.state)
        assert {pack(one) for one in view} == expected
        assert len(view) == len(expected)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), max_size=12))
def test_a_register_keeps_what_nobody_replaced(history):
    """Against a model: a write takes with it the writes its room had seen, and no other."""
    home, seen, replaced, value = rooms("register"), [set(), set(), set()], set(), 0
    for who, clears, everybody in history:
        view, value = accessors.register(home[who].state), value + 1
        replaced |= seen[who]
        if clears:
            home[who].write(view.clear())
        else:
            home[who].write(view.set(value))
            seen[who] = seen[who] | {value}
        if everybody:
            meet(home)
            seen = [set().union(*seen)] * 3
    meet(home)
    remaining = set().union(*seen) - replaced
    views = [accessors.register(room.state) for room in home]
    assert [set(view.values) for view in views] == [remaining] * 3
    assert len({view.value for view in views}) == 1
    assert views[0].value == (views[0].values[0] if remaining else None)


@given(st.lists(st.tuples(st.integers(0, 2), elements, st.booleans(), st.booleans()), max_size=12), st.booleans())
def test_adding_wins_over_a_removal_that_had_not_seen_it(history, as_map):
    """Against a model: an element is in while an addition remains that no removal, and no later addition, has seen."""
    home, seen, gone, number = rooms("or_map" if as_map else "or_set"), [set(), set(), set()], set(), 0
    for who, element, adds, everybody in history:
        state, number = home[who].state, number + 1
        gone |= {one for one in seen[who] if one[0] == pack(element)}
        if not adds:
            home[who].write((accessors.or_map if as_map else accessors.or_set)(state).remove(element))
        else:
            operation = accessors.or_map(state).put(element, number) if as_map else accessors.or_set(state).add(element)
            home[who].write(operation)
            seen[who] = seen[who] | {(pack(element), number)}
        if everybody:
            meet(home)
            seen = [set().union(*seen)] * 3
    meet(home)
    left = set().union(*seen) - gone
    for room in home:
        view = accessors.or_map(room.state)
        assert {pack(key) for key in view} == {key for key, _ in left}
        if as_map:
            for key in view:
                assert set(view.values(key)) == {number for one, number in left if one == pack(key)}
                assert view.get(key) == view.values(key)[0]
            assert [key for key, _ in view.items()] == list(view)
            assert len(view) == len(list(view))
        else:
            members = accessors.or_set(room.state)
            assert {pack(one) for one in members} == {key for key, _ in left}
            assert len(members) == len({key for key, _ in left})
        for _, element, _, _ in history:
            assert (element in accessors.or_set(room.state)) == (pack(element) in {key for key, _ in left})
            if pack(element) not in {key for key, _ in left}:
                assert view.get(element) is None


def test_what_stands_under_another_elements_key_is_not_shown():
    room = Room("or_set", 0)
    for value in (["b", None], "a", ["a"], None):
        room.write(["put", accessors.element_key("a"), value, []])
    room.write(["put", "text key", ["a", None], []])
    assert "a" not in accessors.or_set(room.state)
    assert list(accessors.or_set(room.state)) == []
    room.write(accessors.or_set(room.state).add("a"))
    assert list(accessors.or_set(room.state)) == ["a"]


@given(st.text(min_size=MAX_KEY_BYTES - 3, max_size=MAX_KEY_BYTES + 3), st.text(max_size=MAX_KEY_BYTES + 3))
def test_an_elements_key_is_short_and_its_own(one, other):
    assert 0 < len(accessors.element_key(one)) <= MAX_KEY_BYTES
    assert (accessors.element_key(one) == accessors.element_key(other)) == (one == other)


def test_a_plugin_declares_a_document_that_every_node_knows():
    for kind in PLUGIN_KINDS:
        document = declare(kind, "weather", "seen-2")
        assert document == f"own/{kind}/weather/seen-2"
        assert kind_of(document) is PLUGIN_KINDS[kind]


@pytest.mark.parametrize(
    "parts",
    [
        ("nothing", "a", "b"),
        ("set", "", "b"),
        ("set", "a/b", "c"),
        ("set", "a", "B"),
        ("set", "a", "b" * 33),
        ("set", "a", "ü"),
        ("set", "a", "b\n"),
    ],
)
def test_other_names_cannot_be_declared(parts):
    with pytest.raises(InvalidInput):
        declare(*parts)
    assert kind_of("own/" + "/".join(parts)) is None
