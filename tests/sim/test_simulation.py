"""Whole homes under every fault keep the promise, one seed is one story everywhere, and the oracle is not blind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jarvis.core.errors import JarvisError
from jarvis.crdt.lifecycle import Lifecycle, LifecycleKind
from jarvis.crdt.mvmap import MVMap
from jarvis.identity.membership import Chain
from jarvis.replica.acceptance import Acceptance
from jarvis.replica.authorship import Authorship
from jarvis.replica.erasure import Erasure
from jarvis.replica.horizon import Horizons
from jarvis.replica.replica import Replica
from jarvis.replica.standing import Standing
from jarvis.store.memory import _MemoryTransaction
from jarvis.testing.disk import BEFORE, SimDisk
from jarvis.testing.history import ALL_FAULTS, WRITES, Step, draw_history
from jarvis.testing.oracle import CRASHED, DIVERGED, LOST
from jarvis.testing.simulation import Simulation, replay, shrink, simulate
from tests.sim.failed_once import FAILED_ONCE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_homes_keep_the_promise(nodes):
    for seed in range(1_000, 1_012):
        assert simulate(seed, nodes).failure is None, f"scripts/sim --seeds 1 --nodes {nodes} --seed {seed}"


@pytest.mark.parametrize(
    ("seed", "nodes", "steps"), [one[1:] for one in FAILED_ONCE], ids=[one[0] for one in FAILED_ONCE]
)
def test_what_failed_once_does_not_fail_again(seed, nodes, steps):
    assert replay(seed, nodes, steps).failure is None


def test_every_kind_of_step_is_drawn_and_takes_effect():
    seeds = range(40)
    drawn = {step.kind for seed in seeds for step in draw_history(seed, 4)}
    assert drawn == {*WRITES, *ALL_FAULTS, "copy", "admit"}
    struck = set()
    for seed in seeds:
        struck |= simulate(seed, 4).faults.keys()
        if struck >= (set(ALL_FAULTS) - {"crash_in_commit"}) | {"crash_before_commit", "crash_after_commit"}:
            break
    else:
        pytest.fail(f"only {sorted(struck)}")


SMALL = [
    Step(2_000, "put", 0, (0, 1)),
    Step(2_001, "turn", 1, (0, 1)),
    Step(2_100, "burst", 2, (3,)),
    Step(2_600, "reply", 0, (0, 2)),
    Step(2_601, "delete", 1, (0,)),
    Step(6_000, "put", 0, (0, 2)),
    Step(6_001, "add", 2, (0,)),
]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_crash_in_each_commit_loses_nothing_acknowledged(where):
    """Every write point of a short history, one after another."""
    whole = Simulation(1, 3)
    for step in SMALL:
        whole.timeline.run_until(step.at_ms)
        whole.apply(step.kind, step.node, step.args)
    whole.heal()
    commits = whole.machines[1].disk.commits
    assert commits >= 8
    for count in range(1, commits + 1):
        report = replay(1, 3, [Step(0, "crash_in_commit", 1, (count, where)), *SMALL])
        assert report.failure is None, count
        assert report.faults[f"crash_{where}_commit"] == 1, count


# --- one seed, one story ----------------------------------------------------------------------------------------

TRACES = """
import json
from jarvis.testing.simulation import simulate
reports = [simulate(seed, 4) for seed in range(3)]
print(json.dumps([[report.trace, report.frames, report.records, dict(report.faults)] for report in reports]))
"""


def test_one_seed_replays_to_the_last_frame_whatever_the_hash_seed():
    told = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [sys.executable, "-c", TRACES], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        told.append(json.loads(ran.stdout))
    assert told[0] == told[1]
    here = [simulate(seed, 4) for seed in range(3)]
    assert [[one.trace, one.frames, one.records, dict(one.faults)] for one in here] == told[0]
    assert len({one.trace for one in here}) == 3


# --- the oracle fails when the product is broken on purpose -----------------------------------------------------


def found_by(kinds: set[str], faults: tuple[str, ...] = ALL_FAULTS, seeds: int = 30, nodes: int = 3) -> None:
    """Some seed fails in one of these ways."""
    for seed in range(seeds):
        failure = simulate(seed, nodes, faults).failure
        if failure is not None:
            assert failure.kind in kinds, failure
            return
    pytest.fail(f"none of {seeds} homes noticed")


def test_it_notices_when_records_are_not_deduplicated(monkeypatch):
    monkeypatch.setattr(Acceptance, "_is_held", lambda self, tx, record, head: False)
    found_by({DIVERGED})


def test_it_notices_a_tie_break_by_arrival(monkeypatch):
    monkeypatch.setattr(MVMap, "get", lambda self, key: next(iter(self._writes.get(key, {}).values()), None))
    found_by({DIVERGED})


def test_it_notices_when_removal_does_not_win(monkeypatch):
    def absorb(self, state: Lifecycle, delta: Lifecycle) -> None:
        state.added |= delta.added
        deleted = state.deleted | delta.deleted
        state.deleted = {one: dot for one, dot in deleted.items() if one not in delta.added}

    monkeypatch.setattr(LifecycleKind, "absorb", absorb)
    found_by({DIVERGED})


def test_it_notices_when_the_living_are_not_told_from_the_deleted(monkeypatch):
    monkeypatch.setattr(Lifecycle, "living", lambda self: set(self.added))
    found_by({DIVERGED})


def test_it_notices_words_that_stay_after_a_deletion(monkeypatch):
    monkeypatch.setattr(_MemoryTransaction, "erase", lambda self, document: False)
    found_by({DIVERGED})


def test_it_notices_late_words_that_are_kept(monkeypatch):
    monkeypatch.setattr(Erasure, "is_deleted", lambda self, tx, document: False)
    found_by({DIVERGED})


def test_it_notices_a_deletion_that_is_forgotten_with_who_made_it(monkeypatch):
    monkeypatch.setattr(Erasure, "to_delete_again", lambda self, tx: [])
    found_by({DIVERGED}, ("clone", "remove", "isolate", "break"), seeds=150)


def test_it_notices_what_is_sent_before_it_is_committed(monkeypatch):
    def answer_first(self: SimDisk) -> None:
        waiting, self._waiting = self._waiting, []
        self.commits += bool(waiting)
        answers, transactions = self._run(waiting)
        for answer in answers:
            answer()
        fate = self._fate() if waiting else None
        if fate == BEFORE:
            for transaction in reversed(transactions):
                transaction.take_back()
        if fate is not None:
            self._power_off(fate)

    monkeypatch.setattr(SimDisk, "_commit_waiting", answer_first)
    found_by({DIVERGED, LOST, CRASHED}, ("crash_in_commit", "isolate"))


def test_it_notices_an_author_that_goes_on_without_an_echo(monkeypatch):
    honest = Authorship.writing_author

    def go_on(self: Authorship, tx) -> bytes:
        self._confirmed = self.author(tx)
        return honest(self, tx)

    monkeypatch.setattr(Authorship, "writing_author", go_on)
    found_by({DIVERGED}, ("restore", "isolate"))


def test_it_notices_when_forks_are_only_refused(monkeypatch):
    monkeypatch.setattr(Standing, "take_fork", lambda self, tx, proof, accepted: None)
    found_by({DIVERGED, LOST}, ("clone", "isolate", "break"), seeds=60)


def test_it_notices_when_cut_offs_are_not_kept(monkeypatch):
    monkeypatch.setattr(Chain, "cutoff", lambda self, author: None)
    found_by({DIVERGED, LOST}, ("remove", "isolate", "cut"), seeds=100)


def test_it_notices_a_horizon_taken_by_who_does_not_hold_what_it_covers(monkeypatch):
    monkeypatch.setattr(Horizons, "covers", lambda self, tx, frontier: True)
    found_by({DIVERGED, LOST, CRASHED}, ("horizon", "isolate", "restore", "cut"), seeds=60)


def test_it_notices_when_less_is_kept_than_was_deleted(monkeypatch):
    honest = Horizons._prune_document

    def forget_the_base(self, tx, document, *more) -> None:
        honest(self, tx, document, *more)
        tx.drop_base(document)

    monkeypatch.setattr(Horizons, "_prune_document", forget_the_base)
    found_by({DIVERGED, LOST, CRASHED}, ("horizon",))


def test_it_notices_an_exception(monkeypatch):
    def fall_over(self: MVMap, dot) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(MVMap, "drop", fall_over)
    found_by({CRASHED})


# --- shrinking --------------------------------------------------------------------------------------------------


def test_a_failing_history_is_shrunk_to_what_matters(monkeypatch):
    monkeypatch.setattr(Lifecycle, "living", lambda self: set(self.added))
    seed = next(seed for seed in range(30) if simulate(seed, 3).failure)
    steps = draw_history(seed, 3)
    short = shrink(seed, 3, steps)
    assert len(short) <= 3 < len(steps)
    assert {"add", "delete"} <= {step.kind for step in short}
    assert replay(seed, 3, short).failure is not None
    assert all(replay(seed, 3, [one for one in short if one != left]).failure is None for left in short)


def test_an_operation_that_is_refused_is_no_silent_success(monkeypatch):
    def refuse(self, tx, document, operations):
        raise JarvisError("broken on purpose")

    monkeypatch.setattr(Replica, "append", refuse)
    assert simulate(1, 2).failure.kind == CRASHED
