"""The breaker's laws, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jarvis.engines.breaker import Breaker, BreakerSettings, pause_s

SETTINGS = BreakerSettings()


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_bounded_and_never_nothing(failures: int, chance: float) -> None:
    pause = pause_s(failures, SETTINGS, chance)
    assert SETTINGS.first_s * (1 - SETTINGS.jitter) <= pause <= SETTINGS.longest_s
    assert pause <= pause_s(failures + 1, SETTINGS, 0.0)


def test_pauses_double_until_the_longest() -> None:
    assert [pause_s(n, SETTINGS, 0) for n in (1, 2, 3, 4, 20)] == [0.5, 1, 2, 4, 120]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="no breaker"):
        BreakerSettings(failures=0)
    with pytest.raises(ValueError, match="no breaker"):
        BreakerSettings(first_s=5, longest_s=1)


class BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, failures, waiting and giving up, against what a caller may rely on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms, self.under_way, self.in_a_row = 0.0, 0, 0
        self.breaker = Breaker(SETTINGS, lambda: self.now_ms, lambda: 0.5)

    @rule()
    def call(self) -> None:
        before, waiting = self.breaker.state, self.breaker.wait_s()
        if self.breaker.begin():
            assert before != "open" or not waiting
            self.under_way += 1
        else:
            assert self.breaker.state != "closed"

    @precondition(lambda self: self.under_way)
    @rule()
    def succeed(self) -> None:
        self.under_way -= 1
        self.in_a_row = 0
        self.breaker.succeeded()
        assert self.breaker.state == "closed" and self.breaker.begin()
        self.breaker.abandoned()

    @precondition(lambda self: self.under_way)
    @rule()
    def fail(self) -> None:
        before = self.breaker.state
        self.under_way -= 1
        self.in_a_row += 1
        self.breaker.failed("why")
        assert self.breaker.wait_s() > 0 and self.breaker.reason == "why"
        assert (self.breaker.state == "open") == (before != "closed" or self.in_a_row >= SETTINGS.failures)

    @precondition(lambda self: self.under_way)
    @rule()
    def give_up(self) -> None:
        before = self.breaker.state
        self.under_way -= 1
        self.breaker.abandoned()
        assert self.breaker.state == before

    @rule(ms=st.floats(0, 200_000))
    def wait(self, ms: float) -> None:
        self.now_ms += ms

    @precondition(lambda self: not self.under_way)
    @rule()
    def patience_is_always_enough(self) -> None:
        """However it came to be: after the longest pause one call may be made, and one only."""
        self.now_ms += SETTINGS.longest_s * 1000
        was_closed = self.breaker.state == "closed"
        assert self.breaker.begin()
        assert was_closed or not self.breaker.begin()
        self.breaker.abandoned()

    @invariant()
    def counts_what_came_in_a_row(self) -> None:
        assert self.breaker.failures == self.in_a_row


TestBreaker = BreakerMachine.TestCase
