"""Three replicas and a network that repeats, reorders, loses and parts, as Hypothesis pleases: when everything has
been delivered at last they hold the same bytes and tell the same story. The same machine must fail when the tie-break
or the deduplication is broken on purpose."""

from __future__ import annotations

import random

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from jarvis.core.errors import InvalidBytes
from jarvis.crdt.gset import GSet
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import CONFIG, SESSIONS
from jarvis.replica.acceptance import Acceptance
from jarvis.testing.home import SimHome, SimNode

AUDIT, SESSION = "audit/2026-11", "session/aaaaaaaaaaaaaaaa"
NODES = 3
nodes = st.integers(0, NODES - 1)
KEYS = ["a", "b"]
keys = st.sampled_from(KEYS)


class ThreeReplicas(RuleBasedStateMachine):
    """Records travel by hand here, one by one: no protocol tidies up behind the network."""

    @initialize(
        seed=st.integers(0, 2**32),
        skews=st.lists(st.sampled_from([0, -3_600_000, 40_000]), min_size=NODES, max_size=NODES),
    )
    def found(self, seed: int, skews: tuple[int, ...]) -> None:
        self.home = SimHome(NODES, seed)
        self.rng = random.Random(seed)
        self.written: list[tuple[int, object]] = []
        self.under_way: list[tuple[int, object]] = []
        self.parted: set[frozenset[int]] = set()
        for node, skew in zip(self.home.nodes, skews, strict=True):
            node.skew_ms = skew

    def node(self, number: int) -> SimNode:
        return self.home.nodes[number]

    def send(self, author: int, record: object) -> None:
        self.written.append((author, record))
        for to in range(NODES):
            if to != author and frozenset((author, to)) not in self.parted:
                self.under_way.append((to, record))

    # --- people ---

    @rule(at=nodes, key=keys, value=st.integers(0, 9))
    def set(self, at: int, key: str, value: int) -> None:
        self.send(at, self.node(at).write(CONFIG, lambda state: [state.put(key, value)]))

    @rule(at=nodes, key=keys)
    def unset(self, at: int, key: str) -> None:
        self.send(at, self.node(at).write(CONFIG, lambda state: [state.delete(key)]))

    @rule(at=nodes, value=st.integers(0, 3))
    def log(self, at: int, value: int) -> None:
        self.send(at, self.node(at).write(AUDIT, lambda _: [GSet.add(value)]))

    @rule(at=nodes, text=st.sampled_from(["one", "two"]))
    def say(self, at: int, text: str) -> None:
        record = self.node(at).write(SESSION, lambda state: [state.add_turn({"text": text})])
        self.send(at, record)

    @rule(at=nodes, one=st.sampled_from([b"x", b"y"]), gone=st.booleans())
    def session(self, at: int, one: bytes, gone: bool) -> None:
        operation = Lifecycle.delete(one) if gone else Lifecycle.add(one)
        self.send(at, self.node(at).write(SESSIONS, lambda _: [operation]))

    # --- the network ---

    @rule(pick=st.integers(0, 10**6), again=st.booleans())
    def deliver(self, pick: int, again: bool) -> None:
        """Any record under way, in any order; `again` leaves a copy to arrive once more."""
        if self.under_way:
            at = pick % len(self.under_way)
            to, record = self.under_way[at] if again else self.under_way.pop(at)
            self.node(to).accept([record])

    @rule(pick=st.integers(0, 10**6))
    def lose(self, pick: int) -> None:
        if self.under_way:
            self.under_way.pop(pick % len(self.under_way))

    @rule(a=nodes, b=nodes)
    def part_or_join(self, a: int, b: int) -> None:
        if a != b:
            self.parted ^= {frozenset((a, b))}

    @rule(at=nodes)
    def restart(self, at: int) -> None:
        self.home.restart(at)

    # --- the oracle ---

    @invariant()
    def nobody_is_accused(self) -> None:
        if hasattr(self, "home"):
            assert not [reason for node in self.home.nodes for reason in node.refused]

    def teardown(self) -> None:
        """Heal: every record to everybody, in three different orders, twice."""
        if not hasattr(self, "home"):
            return
        for number in range(NODES):
            records = [record for _, record in self.written] * 2
            self.rng.shuffle(records)
            for record in records:
                self.node(number).accept([record])
        self.nobody_is_accused()
        assert len({node.digest() for node in self.home.nodes}) == 1
        assert sum(self.node(0).frontier().values()) == len(self.written), "a record is missing"
        stories = [self.story(node) for node in self.home.nodes]
        assert stories == stories[:1] * NODES, "equal bytes, different readings"

    @staticmethod
    def story(node: SimNode) -> object:
        config = node.state(CONFIG)
        return (
            [(write.value, [one.value for one in config.writes(key)]) for key in KEYS if (write := config.get(key))],
            [entry.value for entry in node.state(AUDIT).entries()],
            [turn.utterance for turn in node.state(SESSION).in_order()],
            sorted(node.state(SESSIONS).living()),
        )


THOROUGH = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestThreeReplicas = ThreeReplicas.TestCase
TestThreeReplicas.settings = THOROUGH


def fails() -> None:
    with pytest.raises((AssertionError, InvalidBytes, ExceptionGroup)):
        # Any failing history will do: looking for the shortest one takes minutes.
        quick = settings(THOROUGH, max_examples=200, database=None, phases=[Phase.generate])
        run_state_machine_as_test(ThreeReplicas, settings=quick)


def test_it_notices_a_tie_break_by_arrival(monkeypatch):
    monkeypatch.setattr(MVMap, "get", lambda self, key: next(iter(self._writes.get(key, {}).values()), None))
    fails()


def test_it_notices_when_records_are_not_deduplicated(monkeypatch):
    monkeypatch.setattr(Acceptance, "_is_held", lambda self, tx, record, head: False)
    fails()
