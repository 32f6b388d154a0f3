"""The same simulated home, driven by Hypothesis instead of a drawn history: it chooses the steps and how long to wait
between them, and shrinks what fails in its own way."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from jarvis.crdt.lifecycle import Lifecycle
from jarvis.replica.acceptance import Acceptance
from jarvis.testing.history import CLOCKS_MS, FOREVER_MS
from jarvis.testing.simulation import Simulation

NODES = 3
nodes = st.integers(0, NODES - 1)
others = st.integers(1, NODES - 1)
small = st.integers(0, 2)


class AnyHome(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), late=st.booleans())
    def found(self, seed: int, late: bool) -> None:
        self.home = Simulation(seed, NODES, late=late)
        self.home.run(4_000)  # until they are linked

    @rule(ms=st.sampled_from([1, 30, 700, 5_000, 30_000]))
    def wait(self, ms: float) -> None:
        self.home.run(ms)

    # --- people ---

    @rule(at=nodes, kind=st.sampled_from(["put", "remember", "turn", "reply"]), which=small, value=small)
    def write(self, at: int, kind: str, which: int, value: int) -> None:
        self.home.apply(kind, at, (which, value))
        self.home.run(30)

    @rule(at=nodes, kind=st.sampled_from(["unset", "log", "burst"]), which=small)
    def write_one(self, at: int, kind: str, which: int) -> None:
        self.home.apply(kind, at, (which,))
        self.home.run(30)

    @rule(at=nodes, gone=st.booleans(), other=st.booleans())
    def session(self, at: int, gone: bool, other: bool) -> None:
        self.home.apply("delete" if gone else "add", at, (int(other),))
        self.home.run(30)

    @rule()
    def admit(self) -> None:
        self.home.apply("admit", NODES - 1)

    @rule(at=st.integers(1, NODES - 1))
    def remove(self, at: int) -> None:
        self.home.apply("remove", at)

    @rule(patient=st.booleans())
    def horizon(self, patient: bool) -> None:
        self.home.apply("horizon", 0, (patient,))

    # --- disks ---

    @rule(at=nodes, down_ms=st.sampled_from([10.0, 2_000.0]), said_goodbye=st.booleans())
    def crash(self, at: int, down_ms: float, said_goodbye: bool) -> None:
        self.home.apply("crash", at, (down_ms, said_goodbye))

    @rule(at=nodes, commits=st.integers(1, 4), where=st.sampled_from(["before", "after"]))
    def crash_in_commit(self, at: int, commits: int, where: str) -> None:
        self.home.apply("crash_in_commit", at, (commits, where))

    @rule(at=nodes, for_ms=st.sampled_from([100.0, 4_000.0]))
    def disk_full(self, at: int, for_ms: float) -> None:
        self.home.apply("disk_full", at, (for_ms,))

    @rule(at=nodes)
    def copy(self, at: int) -> None:
        self.home.apply("copy", at)

    @rule(at=nodes)
    def restore(self, at: int) -> None:
        self.home.apply("restore", at, (500.0,))

    @rule(at=nodes, writes=small)
    def clone(self, at: int, writes: int) -> None:
        self.home.apply("clone", at, (4_000.0, writes))

    # --- wires and clocks ---

    @rule(at=nodes, to=others, for_ms=st.sampled_from([500.0, FOREVER_MS]), one_way=st.booleans())
    def cut(self, at: int, to: int, for_ms: float, one_way: bool) -> None:
        self.home.apply("cut_one_way" if one_way else "cut", at, (to, for_ms))

    @rule(at=nodes, to=others)
    def break_link(self, at: int, to: int) -> None:
        self.home.apply("break", at, (to,))

    @rule(at=nodes, to=others, frames=st.integers(1, 4))
    def repeat(self, at: int, to: int, frames: int) -> None:
        self.home.apply("repeat", at, (to, frames))

    @rule(at=nodes, skew_ms=st.sampled_from(CLOCKS_MS))
    def clock(self, at: int, skew_ms: int) -> None:
        self.home.apply("clock", at, (skew_ms,))

    # --- the oracle ---

    def teardown(self) -> None:
        if hasattr(self, "home"):
            settled = self.home.heal()
            failure = self.home.judge()
            assert failure is None, failure
            assert settled, "the home did not settle"


THOROUGH = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyHome = AnyHome.TestCase
TestAnyHome.settings = THOROUGH


def fails() -> None:
    with pytest.raises((AssertionError, ExceptionGroup)):
        # Any failing history will do: looking for the shortest one takes minutes.
        quick = settings(THOROUGH, max_examples=500, derandomize=True, database=None, phases=[Phase.generate])
        run_state_machine_as_test(AnyHome, settings=quick)


def test_it_notices_when_records_are_not_deduplicated(monkeypatch):
    monkeypatch.setattr(Acceptance, "_is_held", lambda self, tx, record, head: False)
    fails()


def test_it_notices_when_the_living_are_not_told_from_the_deleted(monkeypatch):
    monkeypatch.setattr(Lifecycle, "living", lambda self: set(self.added))
    fails()
