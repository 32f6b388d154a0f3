"""The hybrid logical clock's laws, whatever the wall clock does."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.hlc import MAX_AHEAD_MS, MAX_STAMP, HybridClock, ms_of, stamp

NOW = 1_800_000_000_000
walls = st.integers(-1_000, 2**48 - 2**20)
stamps = st.integers(0, MAX_STAMP)
steps = st.lists(st.tuples(walls, st.none() | stamps), min_size=1, max_size=40)


@given(steps)
def test_stamps_only_rise_whatever_the_wall_clock_does(history):
    clock, given_out = HybridClock(), []
    for wall, heard in history:
        if heard is not None:
            clock.observe(heard, wall)
        given_out.append(clock.tick(wall))
    assert all(a < b for a, b in itertools.pairwise(given_out))


@given(steps)
def test_a_stamp_is_above_everything_observed_and_never_far_ahead_of_every_clock(history):
    clock, highest, latest = HybridClock(), 0, 0
    for wall, heard in history:
        latest = max(latest, wall, 0)
        if heard is not None:
            clock.observe(heard, wall)
            if ms_of(heard) <= wall + MAX_AHEAD_MS:
                highest = max(highest, heard)
        mine = clock.tick(wall)
        assert mine > highest
        assert mine >= stamp(max(wall, 0))
        # A counter that overflows carries into the milliseconds: one a step at most.
        assert ms_of(mine) <= latest + MAX_AHEAD_MS + len(history)


@given(stamps, stamps, walls)
def test_observing_is_idempotent_and_never_goes_back(first, heard, wall):
    clock = HybridClock(first)
    clock.observe(heard, wall)
    once = clock.last
    clock.observe(heard, wall)
    assert clock.last == once >= first


def test_a_clock_set_back_an_hour_or_to_1970_moves_forward():
    clock = HybridClock()
    before = clock.tick(NOW)
    assert clock.tick(NOW - 3_600_000) == before + 1
    assert clock.tick(0) == before + 2
    assert clock.tick(-5) == before + 3
    assert clock.tick(NOW + 1) == stamp(NOW + 1)


def test_a_restart_goes_on_from_the_stored_stamp():
    last = HybridClock().tick(NOW)
    assert HybridClock(last).tick(0) == last + 1


def test_a_peer_from_the_future_does_not_take_us_along():
    clock = HybridClock()
    clock.tick(NOW)
    clock.observe(stamp(NOW + MAX_AHEAD_MS), NOW)
    assert ms_of(clock.last) == NOW + MAX_AHEAD_MS
    clock.observe(stamp(NOW + MAX_AHEAD_MS + 1), NOW)
    clock.observe(MAX_STAMP, NOW)
    assert ms_of(clock.last) == NOW + MAX_AHEAD_MS, "nor a minute at a time"


def test_milliseconds_and_counter_share_64_bits():
    assert ms_of(stamp(NOW, 65_535)) == NOW
    assert stamp(NOW, 65_535) + 1 == stamp(NOW + 1)
    assert stamp(2**48 - 1, 2**16 - 1) == MAX_STAMP
