"""What flows between peers is bounded by who takes it in, comes in the order that people notice, and begins anew from
the frontiers where a bound was reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from jarvis.crdt.registry import CONFIG
from jarvis.identity.record import SignedRecord
from jarvis.sync.credit import CREDIT_BYTES, CREDIT_RECORDS, Credit, Incoming, Outgoing
from jarvis.sync.effects import Drop, Fetch, Send
from jarvis.sync.messages import MAX_RECORDS, Records, Want, decode
from jarvis.sync.pushing import FETCH_BYTES
from jarvis.sync.serving import MAX_ASKED_OF_US
from jarvis.testing.home import SimHome, SimNode


class Stalled:
    """A node that takes in what comes when it is told to."""

    def __init__(self, node: SimNode) -> None:
        self._accept = node.accept
        self.waiting: list[tuple[list[SignedRecord], bytes | None]] = []
        node.accept = self.take  # type: ignore[method-assign]

    def take(self, records: Iterable[SignedRecord], source: bytes | None = None) -> None:
        self.waiting.append((list(records), source))

    def go_on(self, node: SimNode) -> None:
        node.accept = self._accept  # type: ignore[method-assign]
        for records, source in self.waiting:
            node.accept(records, source)

    @property
    def records(self) -> int:
        return sum(len(records) for records, _ in self.waiting)

    @property
    def size_bytes(self) -> int:
        return sum(record.size_bytes for records, _ in self.waiting for record in records)


def put(node: SimNode, value: Any, times: int = 1, key: str = "k") -> None:
    for _ in range(times):
        node.write(CONFIG, lambda state: [state.put(key, value)])


def deliver_all(home: SimHome) -> None:
    while any(home.links.values()):
        for a, b in [pair for pair, queue in home.links.items() if queue]:
            home.deliver(a, b)


@pytest.mark.parametrize("linked_first", [False, True])
@pytest.mark.parametrize("size", [10, 8_000])
def test_a_peer_that_takes_nothing_in_is_sent_its_credit_and_no_more(linked_first: bool, size: int) -> None:
    home, count = SimHome(3, seed=1), 700 if size == 10 else 200
    stalled = Stalled(home.nodes[1])
    if linked_first:
        home.connect(0, 1)
        deliver_all(home)
    put(home.nodes[0], "x" * size, count)
    home.connect(0, 1)
    for _ in range(100):  # of asking again and again, too
        deliver_all(home)
        home.tick(1_000)
    assert 0 < stalled.records < CREDIT_RECORDS + MAX_RECORDS
    assert stalled.size_bytes < CREDIT_BYTES + FETCH_BYTES + 64 * 1024
    home.connect(0, 2)
    home.settle_pair(0, 2)  # nobody else waits for it
    stalled.go_on(home.nodes[1])
    home.settle_pair(0, 1)


def test_credit_comes_back_in_few_messages_and_hearing_it_twice_gives_no_more() -> None:
    home = SimHome(2, seed=2)
    home.connect(0, 1)
    deliver_all(home)
    told: list[Credit] = []
    for number in range(2 * CREDIT_RECORDS):
        put(home.nodes[0], number)
        home.deliver(0, 1)
        told += [one for one in map(decode, home.links[1, 0]) if isinstance(one, Credit)]
        deliver_all(home)
    assert [one.count for one in told] == [CREDIT_RECORDS + CREDIT_RECORDS // 2 * part for part in (1, 2, 3, 4)]
    one, two = Outgoing(), Outgoing()
    for outgoing, times in ((one, 1), (two, 3)):
        for _ in range(times):
            outgoing.allowed(told[1])
            outgoing.allowed(told[0])
    assert one == two


def test_few_large_records_give_credit_back_by_their_bytes() -> None:
    incoming = Incoming()
    home = SimHome(1, seed=3)
    record = home.nodes[0].write(CONFIG, lambda state: [state.put("k", "x" * 60_000)])
    answers = [incoming.took([record]) for _ in range(9)]
    assert answers[:8] == [None] * 8 and answers[8] is not None
    assert answers[8].size_bytes == CREDIT_BYTES + 9 * record.size_bytes and answers[8].count == CREDIT_RECORDS + 9


def test_whoever_is_here_and_lacks_least_is_asked_for_first() -> None:
    home = SimHome(4, seed=4)
    for number, count in ((1, 40), (2, 30)):
        put(home.nodes[number], number, count)
        home.connect(0, number)
    home.settle(nodes=(0, 1, 2))
    home.disconnect(0, 1)
    put(home.nodes[0], 0, 50)
    home.settle(nodes=(0, 2))
    names = {node.node_id: node.number for node in home.nodes}
    wanted: list[int] = []
    received = home.nodes[0].receive

    def seen(peer: bytes, frame: bytes) -> None:
        message = decode(frame)
        if isinstance(message, Want):
            wanted.append(names[message.author[:16]])
        received(peer, frame)

    home.nodes[0].receive = seen  # type: ignore[method-assign]
    home.connect(3, 0)
    home.settle_pair(0, 3)
    assert wanted == [0, 2, 1], "though what is missing of 0 is most"


def test_todays_words_come_before_the_years_of_somebody_elses_past() -> None:
    home = SimHome(3, seed=5)
    put(home.nodes[1], "long ago", 1_200, key="p")
    home.connect(0, 1)
    home.settle_pair(0, 1)
    home.disconnect(0, 1)
    put(home.nodes[0], "today", 3)
    today = next(author for author in home.nodes[0].frontier() if author.startswith(home.nodes[0].node_id))
    home.connect(0, 2)
    while today not in home.nodes[2].frontier():
        for a, b in list(home.links):
            home.deliver(a, b)
    past = [seq for author, seq in home.nodes[2].frontier().items() if author != today]
    assert home.nodes[2].frontier()[today] == 3 and sum(past) < 1_200
    home.settle_pair(0, 2)


def test_who_asks_without_end_is_let_go() -> None:
    home = SimHome(2, seed=6)
    home.connect(0, 1)
    put(home.nodes[0], 1)
    deliver_all(home)
    sync, peer = home.nodes[0].sync, home.nodes[1].node_id
    assert sync is not None
    want = Want(next(iter(home.nodes[0].frontier())), 1, 1)
    assert sync.received(peer, want, 0.0, 0) == [Fetch(peer, want.author, 1, 1)]
    for _ in range(MAX_ASKED_OF_US):
        assert sync.received(peer, want, 0.0, 0) == []
    (drop,) = sync.received(peer, want, 0.0, 0)
    assert isinstance(drop, Drop) and drop.peer == peer


def test_an_answer_that_could_not_be_made_does_not_hold_up_the_next() -> None:
    home = SimHome(2, seed=7)
    home.connect(0, 1)
    put(home.nodes[0], 1)
    deliver_all(home)
    sync, peer = home.nodes[0].sync, home.nodes[1].node_id
    assert sync is not None
    want = Want(next(iter(home.nodes[0].frontier())), 1, 1)
    (first,) = sync.received(peer, want, 0.0, 0)
    assert sync.received(peer, want, 0.0, 0) == []
    assert sync.fetched(peer, ()) == [first]
    record = home.nodes[0].records(want.author, 1, 1)
    assert sync.fetched(peer, record) == [Send(peer, Records(tuple(record)))]
    assert sync.fetched(b"gone" * 4, record) == [] and sync.took_in(b"gone" * 4, record) == []


class NarrowHome(SimHome):
    """Links hold a few frames; one that must hold more ends, and is linked again a little later."""

    def __init__(self, nodes: int, seed: int, frames: int) -> None:
        self.frames, self.overflowed, self._full = frames, 0, set[tuple[int, int]]()
        super().__init__(nodes, seed)

    def _send(self, sender: SimNode, peer: bytes, frame: bytes) -> None:
        queue = self.links.get((sender.number, self._number[peer]))
        if queue is not None and len(queue) >= self.frames:
            self._full.add((sender.number, self._number[peer]))
        else:
            super()._send(sender, peer, frame)

    def tick(self, ms: float) -> None:
        for a, b in sorted(self._full):
            self.overflowed += 1
            self.disconnect(a, b)
        self._full.clear()
        self.connect_all()
        super().tick(ms)


@pytest.mark.parametrize("seed", range(8))
def test_a_stream_that_overflows_begins_anew_from_the_frontiers(seed: int) -> None:
    home = NarrowHome(4, seed, frames=6)
    home.connect_all()
    for step in range(120):
        for node in home.nodes:
            put(node, step, home.rng.randrange(6))
        for pair in list(home.links):
            for _ in range(home.rng.randrange(5)):
                home.deliver(*pair)
        if home.rng.random() < 0.3:
            home.tick(home.rng.choice([10, 300, 2_500]))
    home.settle(within_ms=600_000)
    assert home.overflowed > 3, "no link was ever full"
    assert len({node.digest() for node in home.nodes}) == 1
