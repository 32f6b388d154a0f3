"""Exactly one node rings a timer while they are linked, at least one when they are not, and none is ever lost or made
longer, whatever dies, comes back, or is told a wrong time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.core.errors import InvalidBytes
from jarvis.node.timing.facts import timer_at
from jarvis.node.timing.ring_words import MAX_TOLD, decode
from jarvis.node.timing.ringing import LATE_MS, RING_EVERY_MS, RING_FOR_MS, TURN_MS
from tests.node.rooms_with_timers import EVERY_MS, Rooms

HOUR_MS = 3_600_000.0
LINKED_S = 5.0
"""Until all links stand, whatever the dice say."""


def linked(count: int, seed: int = 0) -> Rooms:
    rooms = Rooms(count, seed)
    rooms.run(LINKED_S)
    return rooms


def test_it_rings_where_it_was_set_and_nowhere_else() -> None:
    rooms = linked(4)
    rooms.set_timer(2, 20)
    rooms.run(60)
    assert rooms.who_rang() == {2}
    assert rooms.stop(0) == ["pasta"], "from any room"
    before = len(rooms.rings)
    rooms.run(60)
    assert len(rooms.rings) <= before + 1 and all(not room.state.keys() for room in rooms.rooms)


def test_what_comes_again_rings_once_each_time_whatever_dies_meanwhile() -> None:
    rooms = linked(3)
    rooms.set_timer(0, 20, alarm=True, again=True)

    def the_round(seconds: float) -> set[int]:
        began_ms = rooms.now_ms
        rooms.run(seconds)
        return rooms.who_rang(since_ms=began_ms)

    assert the_round(40) == {0}
    assert rooms.stop(1) == ["pasta"]
    assert the_round(EVERY_MS / 1000 - 30) == set(), "stopped in every room"
    rooms.kill(0)
    assert the_round(60) == {1}, "another stands in"
    rooms.stop(2)
    rooms.start(0)
    assert the_round(EVERY_MS / 1000 - 90) == set(), "who comes back has missed a round, and rings none for it"
    assert the_round(60) == {0} and the_round(RING_FOR_MS / 1000) == {0}, "nobody says stop"
    rooms.split([0], [1, 2])
    assert the_round(EVERY_MS / 1000 - RING_FOR_MS / 1000 - 60) == set()
    assert the_round(60) == {0, 1}, "apart, both halves ring"
    rooms.stop(0)
    rooms.stop(2)
    rooms.split([0, 1, 2])
    assert the_round(EVERY_MS / 1000 - 60) == set(), "both have ended the same round"
    left = [round(rooms.left_s(number)) for number in range(3)]
    assert max(left) - min(left) <= 1 and [room.state.keys() for room in rooms.rooms] == [["pasta"]] * 3
    assert the_round(60) == {0}


def test_ringing_gives_up_after_ten_minutes() -> None:
    rooms = linked(2)
    rooms.set_timer(1, 20)
    rooms.run(20 + RING_FOR_MS / 1000 + 60)
    assert len(rooms.rings) == RING_FOR_MS / RING_EVERY_MS
    assert all(not room.state.keys() for room in rooms.rooms)


def test_a_dead_nodes_timer_is_rung_by_the_lowest_that_is_left_and_not_again_by_itself() -> None:
    rooms = linked(4)
    rooms.set_timer(0, 20)
    rooms.run(10)
    rooms.kill(0)
    rooms.run(14)
    assert rooms.who_rang() == set()
    rooms.run(6)
    assert rooms.who_rang() == {1}
    rooms.start(0)
    rooms.run(60)
    assert rooms.who_rang() == {1}, "it came back and found that another rings"
    assert rooms.stop(0) == ["pasta"]
    rooms.run(60)
    rooms.kill(0)
    rooms.start(0)
    rooms.run(60)
    assert rooms.who_rang() == {1} and not rooms.rooms[3].state.keys()


def test_who_takes_over_and_dies_is_followed_by_the_next() -> None:
    rooms = linked(3)
    rooms.set_timer(0, 10)
    rooms.run(5)
    rooms.kill(0)
    rooms.run(15)
    rooms.kill(1)
    rooms.run(15)
    assert rooms.who_rang() == {1, 2}


def test_who_comes_back_and_hears_of_a_change_does_not_ring_what_another_rings() -> None:
    rooms = linked(4)
    rooms.set_timer(1, 30)
    rooms.run(2)
    rooms.kill(0)
    rooms.kill(1)
    rooms.run(42)
    assert rooms.who_rang() == {2}
    rooms.set_clock(1, -HOUR_MS)
    rooms.add(3, 5)  # it has rung for longer than that
    rooms.start(1)
    rooms.run(40)
    assert rooms.who_rang() == {2}


def test_a_link_that_is_replaced_gives_no_timer_back_to_its_owner() -> None:
    rooms = linked(3)
    rooms.set_timer(1, 10)
    rooms.run(2)
    rooms.kill(1)
    rooms.run(20)
    assert rooms.who_rang() == {0}
    rooms.start(1)
    for _ in range(10):
        rooms.run(6)
        rooms.relink(0, 1)
    assert rooms.who_rang() == {0}
    rooms.kill(0)
    rooms.run(2 * RING_EVERY_MS / 1000)
    assert rooms.who_rang() == {0, 1}, "but when who rang is gone"


def test_an_owner_that_hangs_is_stood_in_for_and_takes_its_timer_back_from_nobody() -> None:
    rooms = linked(3)
    rooms.set_timer(1, 10)
    rooms.run(5)
    rooms.rooms[1].frozen = True
    rooms.run(20)
    assert rooms.who_rang() == {0}
    rooms.rooms[1].frozen = False
    rooms.run(60)
    assert rooms.who_rang() == {0}


def test_who_rings_and_hangs_is_followed_by_the_next() -> None:
    rooms = linked(3)
    rooms.set_timer(1, 10)
    rooms.run(15)
    rooms.rooms[1].frozen = True
    rooms.run(60)
    assert rooms.who_rang() == {1, 0}


def test_an_alarm_follows_the_wall_clock_of_its_owner_and_a_timer_does_not() -> None:
    rooms = linked(2)
    for timer_id, alarm in (("seven", True), ("pasta", False)):
        rooms.set_timer(0, 600, timer_id, alarm=alarm)
    began_ms = rooms.now_ms
    rooms.run(60)
    rooms.set_clock(0, 300_000.0)  # it was five minutes slow
    rooms.run(5)
    assert [rooms.left_s(number, "seven") for number in (0, 1)] == [pytest.approx(235, abs=1)] * 2
    rooms.run(700)
    assert rooms.first_ring_s(began_ms, "seven") == pytest.approx(300, abs=1)
    assert rooms.first_ring_s(began_ms, "pasta") == pytest.approx(600, abs=1)


def test_nodes_without_a_loudspeaker_come_last() -> None:
    rooms = linked(3)
    ringing = rooms.rooms[1].ringing
    assert ringing is not None
    ringing.aloud = False
    rooms.set_timer(0, 20)
    rooms.run(10)
    rooms.kill(0)
    rooms.run(30)
    assert rooms.who_rang() == {2}


def test_both_sides_of_a_partition_ring_and_one_falls_silent_when_it_heals() -> None:
    rooms = linked(4)
    rooms.set_timer(3, 20)
    rooms.run(2)
    rooms.split([0, 1], [2, 3])
    rooms.run(30)
    assert rooms.who_rang() == {0, 3}
    rooms.split([0, 1, 2, 3])
    rooms.run(LINKED_S)
    healed_ms = rooms.now_ms
    rooms.run(30)
    assert rooms.who_rang(since_ms=healed_ms) == {3}, "where it was set"


def test_time_that_two_rooms_add_at_once_is_added_twice_and_an_end_takes_only_what_it_had_seen() -> None:
    rooms = linked(3)
    rooms.set_timer(0, 60)
    began_ms = rooms.now_ms
    rooms.add(0, 10)
    rooms.run(2)
    rooms.split([0, 1], [2])
    rooms.run(1)
    rooms.add(1, 30)
    rooms.add(2, 60)
    rooms.run(5)
    rooms.split([0, 1, 2])
    rooms.run(LINKED_S)
    timers = [timer_at(room.state, "pasta") for room in rooms.rooms]
    assert [timer.total_ms if timer else 0 for timer in timers] == [160_000] * 3
    rooms.split([0, 1], [2])
    rooms.run(1)
    rooms.end(0)
    rooms.add(2, 20)
    rooms.run(5)
    rooms.split([0, 1, 2])
    rooms.run(200)
    assert rooms.first_ring_s(began_ms) == pytest.approx(180, abs=1), "somebody wanted it longer, and did not know"
    assert rooms.who_rang() == {0}


def test_an_addition_while_it_rings_lets_it_ring_again_later() -> None:
    rooms = linked(2)
    rooms.set_timer(0, 10)
    rooms.run(20)
    rooms.add(1, 60)
    snoozed_ms = rooms.now_ms + 1_000
    rooms.run(40)
    assert rooms.who_rang(since_ms=snoozed_ms) == set()
    rooms.run(20)
    assert rooms.who_rang(since_ms=snoozed_ms) == {0}


def test_more_time_taken_away_than_was_left_rings_at_once_and_once() -> None:
    rooms = linked(4)
    rooms.set_timer(2, 30)
    rooms.run(22)
    changed_ms = rooms.now_ms
    rooms.add(0, -10)
    rooms.add(1, -10)
    rooms.run(30)
    assert rooms.first_ring_s(changed_ms) < 2 and rooms.who_rang() == {2}


def test_a_pause_stops_it_everywhere_and_it_goes_on_from_there() -> None:
    rooms = linked(2)
    rooms.set_timer(0, 60)
    began_ms = rooms.now_ms
    rooms.run(20)
    rooms.pause(1, runs=False)
    rooms.run(100)
    assert [rooms.left_s(0), rooms.left_s(1)] == [pytest.approx(40, abs=1)] * 2
    rooms.pause(0, runs=True)
    rooms.run(60)
    assert rooms.first_ring_s(began_ms) == pytest.approx(160, abs=1.5) and rooms.who_rang() == {0}


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS, -1_700_000_000_000.0])
def test_a_restarted_nodes_wrong_clock_is_put_right_by_who_counted_on(off_ms: float) -> None:
    rooms = linked(3)
    rooms.set_timer(0, 100)
    began_ms = rooms.now_ms
    rooms.run(20)
    rooms.kill(0)
    rooms.set_clock(0, off_ms)
    rooms.start(0)
    rooms.run(120)
    assert rooms.first_ring_s(began_ms) == pytest.approx(101, abs=1.5) and rooms.who_rang() == {0}


@pytest.mark.parametrize(
    ("off_ms", "latest_s"), [(0, 100), (-HOUR_MS, 120), (-1_700_000_000_000.0, 120), (HOUR_MS, 20), (90_000, 20)]
)
def test_alone_a_clock_that_was_set_makes_no_timer_longer(off_ms: float, latest_s: float) -> None:
    """Set for 100 s, restarted after 20 s with another clock: at the latest 100 s from then."""
    rooms = Rooms(1)
    rooms.set_timer(0, 100)
    began_ms = rooms.now_ms
    rooms.run(20)
    rooms.kill(0)
    rooms.set_clock(0, off_ms)
    rooms.start(0)
    rooms.run(150)
    assert rooms.first_ring_s(began_ms) == pytest.approx(latest_s, abs=0.6)


def test_a_clock_set_while_it_runs_changes_nothing() -> None:
    rooms = linked(2)
    rooms.set_timer(0, 60)
    began_ms = rooms.now_ms
    for off_ms in (HOUR_MS, -HOUR_MS, 0.0):
        rooms.run(10)
        rooms.set_clock(0, off_ms)
        rooms.set_clock(1, -off_ms)
    rooms.run(60)
    assert rooms.first_ring_s(began_ms) == pytest.approx(60, abs=0.6) and rooms.who_rang() == {0}


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("kill"), st.integers(0, 3)),
        st.tuples(st.just("start"), st.integers(0, 3)),
        st.tuples(st.just("clock"), st.integers(0, 3), st.sampled_from([0.0, HOUR_MS, -HOUR_MS, 20_000.0])),
        st.tuples(st.just("add"), st.integers(0, 3), st.sampled_from([5.0, 20.0, -10.0])),
        st.tuples(st.just("relink"), st.integers(0, 3), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 8.0, 20.0])),
    ),
    max_size=14,
)
WITH_PARTITIONS = st.lists(
    st.one_of(
        st.tuples(st.just("split"), st.integers(0, 15)),
        st.tuples(st.just("kill"), st.integers(0, 3)),
        st.tuples(st.just("start"), st.integers(0, 3)),
        st.tuples(st.just("clock"), st.integers(0, 3), st.sampled_from([0.0, HOUR_MS, -HOUR_MS])),
        st.tuples(st.just("add"), st.integers(0, 3), st.sampled_from([5.0, 20.0])),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 8.0, 20.0])),
    ),
    max_size=14,
)
EXAMPLES = 1_000 if os.environ.get("JARVIS_TEST_LONG") else 40
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def play(rooms: Rooms, events: list[tuple[object, ...]]) -> None:
    for event in events:
        match event:
            case ("kill", int(number)):
                rooms.kill(number)
            case ("start", int(number)):
                rooms.start(number)
            case ("clock", int(number), float(off_ms)):
                rooms.set_clock(number, off_ms)
            case ("add", int(number), float(seconds)):
                rooms.add(number, seconds)
            case ("relink", int(number), int(further)):
                rooms.relink(number, (number + further) % 4)
            case ("split", int(mask)):
                rooms.split(*[[one for one in range(4) if mask >> one & 1 == side] for side in (0, 1)])
            case ("wait", float(seconds)):
                rooms.run(seconds)


def at_once(rooms: Rooms) -> list[tuple[float, int, int]]:
    """Moments at which two nodes that both live rang the same timer."""
    found = []
    for at_ms, number, timer_id in rooms.rings:
        for before_ms, other, one in rooms.rings:
            died = any(dead == other and before_ms <= when_ms <= at_ms for when_ms, dead in rooms.deaths)
            if one == timer_id and other != number and 0 <= at_ms - before_ms <= RING_EVERY_MS + 500 and not died:
                found.append((at_ms, number, other))
    return found


@QUICK
@given(EVENTS, st.integers(0, 3), st.integers(0, 2**16))
def test_while_linked_exactly_one_rings(events: list[tuple[object, ...]], owner: int, seed: int) -> None:
    """Deaths, restarts, clocks and additions, in a home whose living nodes find one another in some seconds."""
    rooms = linked(4, seed)
    rooms.set_timer(owner, 30)
    rooms.run(2)
    play(rooms, events)
    for number in range(4):
        rooms.start(number)
    rooms.run(30 + 20 * len(events) + LATE_MS / 1000 + 5 * TURN_MS / 1000)
    assert rooms.rings, "lost"
    assert at_once(rooms) == []


@QUICK
@given(WITH_PARTITIONS, st.integers(0, 3), st.integers(0, 2**16))
def test_across_partitions_at_least_one_rings_and_in_the_end_one(
    events: list[tuple[object, ...]], owner: int, seed: int
) -> None:
    rooms = linked(4, seed)
    rooms.set_timer(owner, 30)
    rooms.run(2)
    play(rooms, events)
    for number in range(4):
        rooms.start(number)
    rooms.split([0, 1, 2, 3])
    rooms.run(30 + 20 * len(events) + LATE_MS / 1000 + 5 * TURN_MS / 1000)
    assert rooms.rings, "lost"
    healed_ms = rooms.now_ms
    rooms.run(60)
    assert len(rooms.who_rang(since_ms=healed_ms)) <= 1
    documents = [timer_at(room.state, "pasta") for room in rooms.rooms]
    assert all(one == documents[0] for one in documents)


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], [True], [1, {}], [True, {1: [0, 0, False]}], [True, {"a": [0, 0]}], [True, {"a": [-1, 0, False]}]),
        *([True, {"a": [0, True, False]}], [True, {"a" * 65: [0, 0, False]}]),
        [True, {str(one): [0, 0, False] for one in range(MAX_TOLD + 1)}],
    ],
)
def test_nonsense_is_refused(value: object) -> None:
    with pytest.raises(InvalidBytes):
        decode(value)
