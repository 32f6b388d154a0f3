"""Whole replicas and the real protocol under faults: every history ends in the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.crdt import mvmap
from jarvis.crdt.registry import CONFIG
from jarvis.replica.acceptance import Acceptance
from jarvis.sync.effects import Send
from jarvis.sync.messages import Heads, Membership, Records, decode
from jarvis.sync.pushing import WINDOW_RECORDS
from jarvis.testing.home import SimHome

SESSION = "session/aaaaaaaaaaaaaaaa"
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 2), st.sampled_from(["a", "b"]), st.integers(0, 9)),
        st.tuples(st.just("say"), st.integers(0, 2), st.just(""), st.integers(0, 9)),
        st.tuples(st.just("deliver"), st.integers(0, 2), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("connect"), st.integers(0, 2), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("cut"), st.integers(0, 2), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 2), st.just(0), st.just(0)),
        st.tuples(st.just("tick"), st.sampled_from([10, 300, 3_000]), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def run(home: SimHome, history: list[tuple]) -> None:
    for name, a, b, c in history:
        if name == "set":
            home.nodes[a].write(CONFIG, lambda state, b=b, c=c: [state.put(b, c)])
        elif name == "say":
            home.nodes[a].write(SESSION, lambda state, c=c: [state.add_turn({"text": str(c)})])
        elif name == "deliver" and a != b:
            home.deliver(a, b, repeat=c)
        elif name == "connect" and a != b:
            home.connect(a, b)
        elif name == "cut" and a != b:
            home.disconnect(a, b)
        elif name == "restart":
            home.restart(a)
        elif name == "tick":
            home.tick(a)


def converge(home: SimHome) -> None:
    # Repeated frames can leave half a conversation behind; a fresh link starts from the frontiers.
    for a, b in list(home.links):
        home.disconnect(a, b)
    home.connect_all()
    home.settle()
    assert len({node.digest() for node in home.nodes}) == 1
    assert not [reason for node in home.nodes for reason in node.refused if "histories" in reason or "fork" in reason]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    steps,
    st.lists(st.sampled_from([0, -3_600_000, 50_000, -50 * 365 * 86_400_000]), min_size=3, max_size=3),
)
def test_every_history_converges(seed, history, skews):
    home = SimHome(3, seed)
    for node, skew in zip(home.nodes, skews, strict=True):
        node.skew_ms = skew
    home.connect_all()
    run(home, history)
    written = sum(step[0] in ("set", "say") for step in history)
    converge(home)
    assert sum(home.nodes[0].frontier().values()) == written, "an acknowledged record is missing"
    assert len(home.nodes[0].state(SESSION).in_order()) == sum(step[0] == "say" for step in history)


DIVERGING = [("set", 0, "a", 1), ("set", 1, "a", 2), ("set", 2, "a", 3)]


def partitioned_writes(home: SimHome) -> None:
    """Three concurrent writes that arrive in another order at each node."""
    run(home, DIVERGING)
    converge(home)


def test_a_broken_tie_break_is_noticed(monkeypatch):
    """The reader's choice among concurrent writes must not depend on the order of arrival."""
    home = SimHome(3, 1)
    partitioned_writes(home)
    assert len({home.nodes[n].state(CONFIG).get("a").value for n in range(3)}) == 1

    monkeypatch.setattr(
        mvmap.MVMap,
        "get",
        lambda self, key: next(reversed(self._writes[key].values())) if key in self._writes else None,
    )
    broken = SimHome(3, 1)
    partitioned_writes(broken)
    assert len({broken.nodes[n].state(CONFIG).get("a").value for n in range(3)}) > 1


def test_a_broken_encoding_order_is_noticed(monkeypatch):
    """The digest of equal states must not depend on the order of arrival."""
    monkeypatch.setattr(
        mvmap.MVMap,
        "items",
        lambda self: ((key, write) for key, writes in self._writes.items() for write in writes.values()),
    )
    with pytest.raises(AssertionError):
        partitioned_writes(SimHome(3, 1))


def repeated_records(home: SimHome) -> None:
    """A frame of records that arrives twice."""
    home.connect_all()
    home.settle()
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 1)])
    home.deliver(0, 1, repeat=True)
    home.deliver(0, 1)
    converge(home)


def test_broken_deduplication_is_noticed(monkeypatch):
    repeated_records(SimHome(2, 1))
    monkeypatch.setattr(Acceptance, "_is_held", lambda self, tx, record, head: False)
    with pytest.raises(AssertionError, match="fork"):
        repeated_records(SimHome(2, 1))


def frames(home: SimHome, a: int, b: int, kind: type) -> list:
    return [message for message in map(decode, home.links[a, b]) if isinstance(message, kind)]


def test_membership_comes_before_frontiers():
    home = SimHome(2, 3)
    home.connect(0, 1)
    home.deliver(0, 1)
    home.deliver(1, 0)
    assert frames(home, 0, 1, Membership)
    assert not frames(home, 0, 1, Heads)
    home.settle()


def test_a_node_that_was_admitted_later_catches_up():
    home = SimHome(3, 4)
    for number in range(700):
        home.nodes[0].write(CONFIG, lambda state, n=number: [state.put(f"k{n}", n)])
    home.connect(0, 1)
    home.connect(1, 2)  # 2 hears of node 0 only through 1
    home.settle()
    assert len({node.digest() for node in home.nodes}) == 1


def test_a_record_reaches_each_node_about_once():
    home = SimHome(5, 5)
    home.connect_all()
    home.settle()
    receipts = 0
    real = {node.number: node.accept for node in home.nodes}

    def counting(number):
        def accept(records, source=None):
            nonlocal receipts
            batch = list(records)
            receipts += len(batch)
            return real[number](batch, source)

        return accept

    for node in home.nodes:
        node.accept = counting(node.number)
    for number in range(200):
        home.nodes[number % 5].write(CONFIG, lambda state, n=number: [state.put(f"k{n}", n)])
        home.tick(20)
        for a, b in list(home.links):
            home.deliver(a, b)
    home.settle()
    assert receipts / (200 * 4) <= 1.2


def test_a_peer_that_does_not_acknowledge_gets_a_bounded_push():
    home = SimHome(2, 6)
    home.connect(0, 1)
    home.settle()
    for number in range(3 * WINDOW_RECORDS):
        home.nodes[0].write(CONFIG, lambda state, n=number: [state.put("k", n)])
    assert sum(len(message.records) for message in frames(home, 0, 1, Records)) <= WINDOW_RECORDS
    home.settle()
    assert home.nodes[1].state(CONFIG).get("k").value == 3 * WINDOW_RECORDS - 1


def test_an_author_goes_on_only_after_a_member_echoed_its_head():
    home = SimHome(2, 7)
    home.connect_all()
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 1)])
    home.settle()
    home.restart(0)
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 2)])
    assert len(home.nodes[0].frontier()) == 2, "written before any echo: a new incarnation"
    home.connect_all()
    home.settle()
    home.restart(0)
    home.connect_all()
    home.settle()
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 3)])
    home.settle()
    assert len(home.nodes[0].frontier()) == 2, "the echo came first: the chain goes on"


def test_a_restored_disk_writes_no_second_history():
    home = SimHome(2, 8)
    home.connect_all()
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 1)])
    home.settle()
    backup = home.nodes[0].store.copy()
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 2)])
    home.settle()
    home.nodes[0].store = backup
    home.restart(0)
    home.nodes[0].write(CONFIG, lambda state: [state.put("b", 1)])
    converge(home)
    assert not any("fork" in reason for node in home.nodes for reason in node.refused)
    assert home.nodes[0].state(CONFIG).get("a").value == 2


def test_a_want_moves_to_another_peer_when_the_first_is_silent():
    home = SimHome(3, 9)
    home.nodes[0].write(CONFIG, lambda state: [state.put("a", 1)])
    home.connect(0, 1)
    for _ in range(20):
        home.deliver(0, 1)
        home.deliver(1, 0)
    home.disconnect(0, 1)
    home.nodes[2].write(CONFIG, lambda state: [state.put("c", 1)])
    home.connect(2, 0)
    home.connect(2, 1)
    for _ in range(10):  # both say hello; then node 0, which would be asked, falls silent
        for pair in ((0, 2), (2, 0), (1, 2), (2, 1)):
            if pair != (0, 2) or len(home.nodes[2].sync.peers[home.nodes[0].node_id].heads) == 0:
                home.deliver(*pair)
    assert home.nodes[2].sync._asking._asked
    home.links[0, 2].clear()
    home.tick(2_500)
    for _ in range(20):
        home.deliver(2, 1)
        home.deliver(1, 2)
    assert home.nodes[2].state(CONFIG).get("a").value == 1


def test_lying_lengths_and_foreign_homes_end_the_link():
    home = SimHome(2, 10)
    stranger = SimHome(1, 11).nodes[0]
    node = home.nodes[0]
    home.connect(0, 1)
    effects = stranger.sync.connected(node.node_id, 0, 0)
    assert isinstance(effects[0], Send)
    answer = node.sync.received(home.nodes[1].node_id, effects[0].message, 0, 0)
    assert any("another home" in getattr(effect, "reason", "") for effect in answer)
