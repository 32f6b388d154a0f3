"""docs/replication.md is enough to write a reader from: one that shares no code with `jarvis` follows a home through
the protocol, to equal digests."""

from __future__ import annotations

from typing import Any

from jarvis.crdt.counter import CounterKind
from jarvis.crdt.registry import CONFIG, METRICS, SESSIONS, declare
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.store.protocol import Transaction
from jarvis.testing.home import SimHome, SimNode
from tests.sync.second_reader import Membership, Reader, canonical, read

HELLO, MEMBERSHIP, HEADS, WANT, RECORDS, ACK, DIGEST = range(1, 8)


class SecondNode:
    """Its side of one link to a node of a simulated home."""

    def __init__(self, home: SimHome, key: SigningKey) -> None:
        self.node: SimNode = home.nodes[0]
        self.name = key.node_id
        self.answers: list[bytes] = []
        self.reader: Reader | None = None
        self.theirs: dict[bytes, list[Any]] = {}
        self.digests: list[list[bytes]] = []
        self.home_id = b""
        self.node.send = lambda _node, _peer, frame: self.answers.append(frame)
        self.node.perform(self.node.sync.connected(self.name, home.clock.now_ms, self.node.wall_ms()))

    def say(self, *message: Any) -> None:
        self.node.receive(self.name, canonical(list(message)))

    def follow(self) -> None:
        """Until nobody has anything to say."""
        while self.answers:
            number, *fields = read(self.answers.pop(0))
            if number == HELLO:
                self.home_id = fields[1]
                self.say(HELLO, 1, self.home_id, self.name, 0, [])
                self.say(MEMBERSHIP, 1, bytes(32), 1, [])
            elif number == MEMBERSHIP and fields[3]:
                membership = Membership(fields[3])
                assert (len(fields[3]), membership.head) == (fields[0], fields[1])
                self.reader = Reader(membership)
                self.say(MEMBERSHIP, len(fields[3]), membership.head, len(fields[3]), [])
                self.say(HEADS, {}, True)
            elif number == HEADS:
                self.theirs |= fields[0]
                self.ask()
            elif number == RECORDS:
                for record in fields[0]:
                    self.reader.accept(*record)
                self.say(ACK, self.reader.frontier)
                self.ask()

    def ask(self) -> None:
        for author, (seq, _) in self.theirs.items():
            held = self.reader.frontier.get(author, [0])[0]
            if held < seq:
                self.say(WANT, author, held + 1, min(seq, held + 512))


def write_every_kind(node: SimNode, other: SimNode) -> None:
    node.write(CONFIG, lambda state: [state.put("a", 1), state.put(b"a", 1.5)])
    node.write(CONFIG, lambda state: [state.put("a", {"b": [None, True, -7]})])
    other.write(CONFIG, lambda state: [state.put("a", "another")])
    node.write(CONFIG, lambda state: [state.delete(b"a")])
    node.write("session/one", lambda state: [state.add_turn({"text": "what time is it", "room": "kitchen"})])
    node.write("session/one", lambda state: [state.add_reply(next(iter(state.turns)), {"text": "noon"})])
    other.write("session/one", lambda state: [state.add_turn({"text": "and now?"})])
    node.write(SESSIONS, lambda state: [state.add(b"one"), state.add(b"two")])
    node.write(SESSIONS, lambda state: [state.delete(b"two")])
    for count in range(3):
        other.write("audit/2026-11", lambda state, count=count: [state.add({"action": "asked", "count": count})])
    author = node.store.view(node.replica.author)
    node.write(METRICS, lambda state: [CounterKind.empty(CounterKind()).count("asked", 3, author)])
    node.write(METRICS, lambda state: [state.count("asked", -1, author)])
    node.write(declare("up_counter", "plugin", "seen"), lambda state: [state.count("x", 2, author)])
    node.write(declare("or_set", "plugin", "names"), lambda state: [state.put("n", ["n", 1])])


def test_a_reader_written_from_the_page_agrees_with_the_home():
    guest = SigningKey(b"g" * 32)
    home = SimHome(2, seed=1)
    node, other = home.nodes
    home.connect(0, 1)
    home.settle()
    write_every_kind(node, other)
    home.settle()
    chain = node.store.view(node.replica.chain).admit(home.owner, make_certificate(guest), at_ms=0)
    node.accept_chain(chain)
    home.settle()
    second = SecondNode(home, guest)
    second.follow()

    def held(tx: Transaction) -> bytes:
        return node.replica.digest(tx)

    assert second.reader is not None
    assert {author: seq for author, (seq, _) in second.reader.frontier.items()} == node.frontier()
    assert second.reader.digest() == node.store.view(held)
