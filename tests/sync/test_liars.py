"""What a peer may say, true or not: nobody loops, grows, or is kept from an honest author's records by it."""

from __future__ import annotations

import random

import pytest

from jarvis.core.codec import pack
from jarvis.crdt.registry import CONFIG
from jarvis.identity.entries import entry_hash
from jarvis.identity.record import write_record
from jarvis.store.protocol import REJECTED, Head
from jarvis.sync.asking import MAX_WANTS, Asking
from jarvis.sync.effects import AcceptMembership, Drop, Send
from jarvis.sync.machine import MAX_AUTHORS
from jarvis.sync.messages import MAX_FRAME_HEADS, Ack, Heads, Membership, Records, Want, decode, encode
from jarvis.testing.home import SimHome


def put(home: SimHome, number: int, key: str, value: object):
    return home.nodes[number].write(CONFIG, lambda state: [state.put(key, value)])


def linked(nodes: int, seed: int) -> SimHome:
    home = SimHome(nodes, seed)
    home.connect_all()
    home.settle()
    return home


def send(home: SimHome, a: int, b: int, message) -> None:
    home.nodes[b].receive(home.nodes[a].node_id, encode(message))


def wants(home: SimHome, a: int, b: int) -> list[Want]:
    return [message for message in map(decode, home.links[a, b]) if isinstance(message, Want)]


def run_silently(home: SimHome, silent: int, ms: int) -> int:
    """Let time pass; frames to `silent` are read by nobody. Returns how many wants it got."""
    asked = 0
    for _ in range(ms // 250):
        home.tick(250)
        for pair in list(home.links):
            if pair[1] == silent:
                asked += len(wants(home, *pair))
                home.links[pair].clear()
        while any(queue for pair, queue in home.links.items() if pair[1] != silent):
            for pair in [pair for pair, queue in home.links.items() if queue and pair[1] != silent]:
                home.deliver(*pair)
        for pair in list(home.links):
            if pair[1] == silent:
                asked += len(wants(home, *pair))
                home.links[pair].clear()
    return asked


def test_a_push_that_was_lost_behind_the_link_is_asked_for():
    """A record that arrived and was dropped there: the waiting room was full, or work was undone."""
    home = linked(2, 1)
    put(home, 0, "a", 1)
    home.settle()
    put(home, 0, "a", 2)
    home.links[0, 1].clear()
    for number in range(3):
        put(home, 0, "b", number)
    home.settle(within_ms=10_000)
    assert home.nodes[1].state(CONFIG).get("a").value == 2


def test_undone_work_between_a_gap_and_its_filling_loses_nothing():
    home = linked(3, 2)
    put(home, 0, "a", 1)
    home.links[0, 2].clear()
    put(home, 0, "a", 2)
    home.deliver(0, 2)
    assert home.nodes[2].replica.waiting() == 1
    home.nodes[2].replica.forget()  # as when any work of the same store is undone
    home.settle(within_ms=10_000)
    assert home.nodes[2].state(CONFIG).get("a").value == 2


@pytest.mark.parametrize("seed", range(12))
def test_undone_work_at_any_moment_loses_nothing(seed):
    home, rng = linked(3, seed), random.Random(seed)
    for step in range(40):
        put(home, rng.randrange(3), rng.choice("ab"), step)
        for _ in range(rng.randrange(6)):
            pair = rng.choice(list(home.links))
            home.deliver(*pair)
        home.nodes[rng.randrange(3)].replica.forget()
    home.settle()
    assert len({node.digest() for node in home.nodes}) == 1


def test_a_head_that_nobody_can_deliver_is_asked_for_ever_less_often():
    home = linked(2, 3)
    liar = home.nodes[1].node_id
    send(home, 1, 0, Heads(((liar + b"x" * 16, Head(10**9, b"h" * 32)),)))
    first, later = run_silently(home, 1, 60_000), run_silently(home, 1, 60_000)
    assert 3 <= first <= 7
    assert later <= 4


def test_a_record_that_is_refused_is_not_asked_for_in_a_loop():
    """The peer claims, and sends, what its author signed twice."""
    home = linked(2, 4)
    mine = put(home, 0, "a", 1)
    home.settle()
    node = home.nodes[0]
    fork = write_record(
        node.key,
        home_id=mine.header.home_id,
        document=CONFIG,
        author=mine.header.author,
        seq=2,
        prev=b"?" * 32,
        entry=mine.header.entry,
        hlc=mine.header.hlc + 1,
        kind=1,
        operations=[["put", "a", 2, []]],
        nonce=bytes(16),
    )
    send(home, 0, 1, Heads(((fork.header.author, Head(2, fork.hash)),)))
    asked = 0
    for _ in range(240):
        home.tick(250)
        for pair in list(home.links):
            while home.links.get(pair):
                frame = decode(home.links[pair][0])
                if isinstance(frame, Want):
                    asked += 1
                    home.links[pair].popleft()
                    send(home, 0, 1, Records((fork,)))
                else:
                    home.deliver(*pair)
    assert 3 <= asked <= 8
    assert set(home.nodes[1].refused) == {"it does not follow the record that is held here"}


def test_a_rejected_record_is_never_asked_for_again():
    home = SimHome(3, 5)
    bad = home.nodes[0]
    home.connect_all()
    home.settle()
    chain = bad.store.view(bad.replica.chain)
    record = write_record(
        bad.key,
        home_id=chain.home_id,
        document=CONFIG,
        author=bad.node_id + b"i" * 16,
        seq=1,
        prev=b"",
        entry=chain.head_id,
        hlc=1,
        kind=1,
        operations=[["increment", "a"]],
        nonce=bytes(16),
    )
    bad.accept([record], source=None)
    asked, real = [], Asking._ask_one
    home.settle()
    assert all(node.frontier() == {record.header.author: 1} for node in home.nodes)
    held = home.nodes[2].store.view(lambda tx: tx.record(record.header.author, 1))
    assert held.status == REJECTED
    for node in home.nodes:
        node.sync._asking._ask_one = lambda *args, node=node: asked.append(args) or real(node.sync._asking, *args)
    for _ in range(100):
        home.tick(250)
        home.settle()
    assert asked == []


def test_a_lie_about_an_honest_author_costs_a_moment_not_its_records():
    home = SimHome(3, 6)
    honest, relay, liar = range(3)
    put(home, honest, "a", 1)
    home.connect(honest, relay)
    for _ in range(20):
        home.deliver(honest, relay)
        home.deliver(relay, honest)
    home.disconnect(honest, relay)
    put(home, relay, "b", 1)
    home.connect(relay, liar)
    for _ in range(40):
        home.deliver(relay, liar)
        home.deliver(liar, relay)
    author = next(iter(home.nodes[honest].frontier()))
    reader = home.nodes[liar]  # now the third node reads, and the relay is asked beside a liar
    assert reader.state(CONFIG).get("a").value == 1
    put(home, honest, "a", 2)
    home.connect(honest, liar)
    home.connect(honest, relay)
    send(home, relay, liar, Heads(((author, Head(10**12, b"h" * 32)),)))
    for _ in range(30):
        for pair in list(home.links):
            home.deliver(*pair)
    home.tick(250)
    assert reader.state(CONFIG).get("a").value == 2, "the author itself is asked first"


def test_whoever_does_not_answer_stands_back_behind_the_others():
    """A liar claims to hold more than anyone, so it is asked first. Then the one who has it is asked."""
    home = SimHome(4, 7)
    for number in range(3):
        put(home, 0, "a", number)
    home.connect(0, 1)
    for _ in range(20):
        home.deliver(0, 1)
        home.deliver(1, 0)
    home.disconnect(0, 1)
    author = next(iter(home.nodes[0].frontier()))
    home.connect(2, 3)  # 2 reads, 3 lies, 1 has it
    for _ in range(20):
        home.deliver(2, 3)
        home.deliver(3, 2)
    send(home, 3, 2, Heads(((author, Head(10**12, b"h" * 32)),)))
    home.connect(2, 1)
    run_silently(home, 3, 3_000)
    assert home.nodes[2].frontier()[author] == 3
    # and from now on the liar is not asked first for each of its records
    home.connect(0, 1)
    for number in range(3):
        put(home, 0, "a", number)
        run_silently(home, 3, 5_000)
        assert home.nodes[2].frontier()[author] == 4 + number


@pytest.mark.parametrize("kind", [Heads, Ack])
def test_a_peer_cannot_invent_authors_without_end(kind):
    home = linked(2, 8)
    node, name = home.nodes[0], home.nodes[1].node_id
    dropped, sent = False, 0
    while not dropped:
        part = [(name + (sent + n).to_bytes(16, "big"), Head(1, b"h" * 32)) for n in range(MAX_FRAME_HEADS)]
        sent += len(part)
        effects = node.sync.received(name, kind(tuple(part)), home.clock.now_ms, 0)
        dropped = any(isinstance(effect, Drop) for effect in effects)
        assert sent <= MAX_AUTHORS + MAX_FRAME_HEADS
        asked = [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.message, Want)]
        assert len(asked) <= MAX_WANTS
    assert len(node.sync.peers[name].heads) <= MAX_AUTHORS
    assert len(node.sync._asking._asked) <= MAX_WANTS


def test_a_node_with_many_incarnations_is_caught_up_with_all_the_same():
    home = SimHome(2, 9)
    for number in range(3 * MAX_WANTS):
        home.restart(0)  # nobody echoes, so each life begins an incarnation
        put(home, 0, "a", number)
    assert len(home.nodes[0].frontier()) == 3 * MAX_WANTS
    home.connect_all()
    home.settle(within_ms=10_000)
    assert home.nodes[0].digest() == home.nodes[1].digest()


def test_an_altered_frame_ends_the_link_and_a_new_one_starts_from_the_frontiers():
    home = linked(2, 10)
    put(home, 0, "a", 1)
    home.nodes[1].receive(home.nodes[0].node_id, pack([5, [[b"x", b"y", b"z"]]]))
    assert not home.links
    home.connect_all()
    home.settle()
    assert home.nodes[1].state(CONFIG).get("a").value == 1


def test_the_same_frame_a_hundred_times_changes_nothing():
    home = linked(2, 11)
    record = put(home, 0, "a", 1)
    home.settle()
    before = home.nodes[1].digest(), home.nodes[1].store.view(lambda tx: tx.record_count())
    for _ in range(100):
        send(home, 0, 1, Records((record,) * 3))
    assert (home.nodes[1].digest(), home.nodes[1].store.view(lambda tx: tx.record_count())) == before
    home.settle()


def test_a_chain_that_is_known_is_not_verified_again_and_answered_to_its_sender_alone():
    home = linked(3, 1)
    node, sender = home.nodes[0], home.nodes[1].node_id
    entries = node.sync._chain
    for length in range(1, len(entries) + 1):
        head = entry_hash(entries[length - 1][0])
        offer = Membership(length, head, 0, entries[:length])
        effects = node.sync.received(sender, offer, home.clock.now_ms, 0)
        assert not any(isinstance(effect, AcceptMembership) for effect in effects)
        assert {effect.peer for effect in effects} == ({sender} if length < len(entries) else set())
    other = SimHome(3, 2).nodes[0].store.view(lambda tx: tx.membership())
    effects = node.sync.received(sender, Membership(3, bytes(32), 0, tuple(other[:1])), home.clock.now_ms, 0)
    assert [type(effect) for effect in effects] == [AcceptMembership]
    assert {effect.peer for effect in node.sync.membership_stands(sender)} == {sender}


def test_a_longer_chain_whose_first_part_is_known_is_asked_for_further():
    """A chain may come in several frames, and the first may hold nothing new."""
    home = linked(2, 1)
    node, sender = home.nodes[0], home.nodes[1].node_id
    entries = node.sync._chain
    offer = Membership(len(entries) + 5, bytes(32), 0, entries)
    effects = node.sync.received(sender, offer, home.clock.now_ms, 0)
    assert any(isinstance(effect, Send) and isinstance(effect.message, Membership) for effect in effects)
