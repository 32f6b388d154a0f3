"""A member that lies in a simulated home: all come to the same, each lie leaves its trace, and the oracle notices when
what stands against a lie is taken away."""

from __future__ import annotations

import pytest

from jarvis.crdt.text import TextKind
from jarvis.replica import acceptance
from jarvis.store.protocol import ASIDE, REJECTED
from jarvis.testing import history
from jarvis.testing.history import Step, draw_history
from jarvis.testing.lies import LIES
from jarvis.testing.oracle import CRASHED, DIVERGED, LOST
from jarvis.testing.simulation import Simulation, replay, simulate

WRITING = [
    Step(at * 400.0, kind, at % 4, args)
    for at in range(20)
    for kind, args in (("put", (at % 3, at)), ("edit", (0.5, "milk ")))
]


def lying(name: str, *, salt: int = 0) -> list[Step]:
    """Everybody writes, and node 2 tells this lie three times."""
    return sorted(
        [
            *WRITING,
            *(Step(at, "lie", 2, (name, salt + number)) for number, at in enumerate((3_500.0, 5_000.0, 7_500.0))),
        ]
    )


def test_every_lie_is_drawn():
    assert set(LIES) == set(history.LIES)
    drawn = {step.args[0] for seed in range(60) for step in draw_history(seed, 3) if step.kind == "lie"}
    assert drawn == set(LIES)


@pytest.mark.parametrize("name", LIES)
def test_nobody_is_led_astray(name):
    for salt in range(3):
        report = replay(1, 4, lying(name, salt=10 * salt))
        assert report.failure is None
        assert report.faults["lie"] == 3


@pytest.mark.parametrize("seed", [3, 5, 9])
def test_lies_among_other_faults(seed):
    assert simulate(seed, 4, ("lie", "isolate", "crash", "break", "remove", "restore")).failure is None


@pytest.mark.parametrize(
    ("name", "status", "least"), [("fork", ASIDE, 0), ("backdate", REJECTED, 3), ("invalid", REJECTED, 3 * 5)]
)
def test_what_was_told_is_kept_and_does_not_count(name, status, least):
    simulation = Simulation(1, 4)
    for step in lying(name):
        simulation.timeline.run_until(step.at_ms)
        simulation.apply(step.kind, step.node, step.args)
    assert simulation.heal() and simulation.judge() is None
    for machine in simulation.machines:
        kept = [one for one in machine.store.view(lambda tx: list(tx.records_in_order(0))) if one.status == status]
        assert len(kept) >= least
        assert all(one.author.startswith(simulation.machines[2].node_id) for one in kept)
        if name == "fork":
            assert len(machine.bounds().forks) == 3


def noticed(name: str, kinds: set[str]) -> None:
    for salt in range(8):
        failure = replay(1, 4, lying(name, salt=10 * salt)).failure
        if failure is not None:
            assert failure.kind in kinds, failure
            return
    pytest.fail("the oracle is blind")


def test_it_notices_when_edits_are_not_judged(monkeypatch):
    monkeypatch.setattr(TextKind, "fits", lambda *_: None)
    monkeypatch.setattr(TextKind, "check", lambda *_: None)
    noticed("invalid", {DIVERGED, CRASHED, LOST})


def test_it_notices_when_signatures_are_not_checked(monkeypatch):
    monkeypatch.setattr(acceptance, "is_authentic", lambda *_: True)
    noticed("forge", {DIVERGED, LOST, CRASHED})


def test_it_notices_when_forks_are_believed_as_they_come(monkeypatch):
    monkeypatch.setattr(acceptance.Acceptance, "_two_histories", lambda *_: False)
    noticed("fork", {DIVERGED, LOST, CRASHED})
