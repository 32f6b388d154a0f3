"""A member that lies, and strangers: refused, said once in the log, and nobody else is harmed. The kitchen and the
bedroom are real processes; the hall is played by the test, with the hall's real key."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from jarvis.core.codec import pack
from jarvis.core.errors import JarvisError
from jarvis.core.ids import from_text, to_text
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.record import write_record
from jarvis.net.link import MAX_FRAME_BYTES
from jarvis.net.settle import Ticket
from jarvis.net.transport import TlsTransport
from jarvis.store.protocol import Head
from jarvis.sync.messages import (
    PROTOCOL,
    Ack,
    Answer,
    Branch,
    Digest,
    Ephemeral,
    Heads,
    Hello,
    Membership,
    Ping,
    Records,
    Refuse,
    Request,
    Want,
)
from jarvis.testing.processes import NodeProcess, agree, until
from tests.node.conftest import ROOMS, Home, ended
from tests.node.liar import Liar, other_home

REPEATS = 8
"""Of one lie: many more of them, and the link ends."""
FLOOD = 10_000
COSTLY = ("wants", "digests", "heads")
"""A tenth of these does what all of the others do."""
FLOOD_S = 3.0
"""A node that holds a flood back makes it last; then this much of it is enough."""
PROPAGATED_S = 2.0
MEMORY_BYTES = 40 * 1024 * 1024
"""What a flood may cost at most: the bounds of one link add up to about 20 MiB."""


class Scene:
    def __init__(self, home: Home) -> None:
        self.kitchen, self.bedroom = home.pair()
        self.liar = Liar(home.folder)
        self.name = to_text(self.liar.key.node_id)

    def lie(self, scene: Callable[[Liar], Awaitable[None]], *, greet: bool = True) -> None:
        async def main() -> None:
            async with asyncio.timeout(40), self.liar.linked(self.kitchen.peer_address, greet=greet) as liar:
                await scene(liar)

        asyncio.run(main())

    def refusals(self, reason: str = "") -> list[str]:
        rows = self.kitchen.logged("peer refused", peer=self.name)
        return [row["reason"] for row in rows if reason in row["reason"]]


@pytest.fixture(scope="module")
def scene(founded: Path, quiet: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("liars")
    for room in ROOMS:
        shutil.copytree(founded / room, folder / room)
    home = Home(folder, quiet)
    try:
        yield Scene(home)
    finally:
        home.close()


@pytest.fixture(autouse=True)
def nobody_else_is_harmed(scene: Scene) -> Iterator[None]:
    """The honest link stays up through every lie, both nodes answer, and what the liar said changed nothing unseen."""
    ends = ended(scene.kitchen, peer=bedroom_of(scene))
    records = scene.kitchen.get("/api/v2/sync")["records"]
    yield
    assert scene.kitchen.alive and scene.bedroom.alive
    assert scene.kitchen.ask("What time is it?")["reply"].startswith("It's")
    assert ended(scene.kitchen, peer=bedroom_of(scene)) == ends
    until(lambda: agree_of_two(scene), 10, "agreement")
    assert scene.kitchen.get("/api/v2/sync")["records"] >= records
    for node in (scene.kitchen, scene.bedroom):
        assert "Traceback" not in node.stderr and '"exception"' not in node.stderr


def bedroom_of(scene: Scene) -> str:
    return str(scene.bedroom.ready["node_id"])


def agree_of_two(scene: Scene) -> bool:
    """The liar may still be linked for a moment; it is not asked."""
    kitchen, bedroom = scene.kitchen.verify(), scene.bedroom.verify()
    return bool(kitchen["digest"] == bedroom["digest"])


HOSTILE_FRAMES = {
    "too long": (bytes(MAX_FRAME_BYTES + 1), "a frame was too long"),
    "much too long": (bytes(4 * 1024 * 1024), "a frame was too long"),
    "too deep": (b"\x91" * 30 + b"\xc0", "Nested deeper"),
    "absurdly deep": (b"\x91" * 200_000 + b"\xc0", "Nested deeper"),
    "not msgpack": (b"\xc1 nonsense", "is not allowed"),
    "empty": (b"", "too early"),
    "cut": (b"\x95\x01", "reaches beyond the end"),
    "unknown message": (pack([99, 1]), "unknown"),
    "no array": (pack({"hello": 1}), "not a numbered array"),
    "a lie about its size": (b"\xdd\xff\xff\xff\xff", "reaches beyond the end"),
    "absurd want": (pack([4, bytes(32), 1, 2**47]), "out of range"),
    "want of nothing": (pack([4, bytes(32), 0, 0]), "out of range"),
    "want backwards": (pack([4, bytes(32), 9, 3]), "out of range"),
    "membership with a gap": (pack([2, 40, bytes(32), 39, [[b"x", b"y"]]]), "gap"),
    "membership of noise": (pack([2, 1, bytes(32), 0, [[b"x", b"y"]]]), ""),
}


@pytest.mark.parametrize("name", HOSTILE_FRAMES)
def test_a_hostile_frame_ends_its_link_and_is_said_once(scene: Scene, name: str) -> None:
    frame, reason = HOSTILE_FRAMES[name]

    async def lie(liar: Liar) -> None:
        try:
            await liar.send_raw(frame)
        except OSError:
            return  # hung up on in the middle of it
        assert await liar.until_ended()

    before = scene.refusals()
    for _ in range(3):
        scene.lie(lie)
    if "too long" in name:  # the link itself refuses it, unread
        until(
            lambda: len(scene.kitchen.logged("net.unlinked", peer=scene.name, reason="a frame was too long")) >= 3,
            5,
            "the refusal",
        )
    else:
        said = until(lambda: scene.refusals()[len(before) :] or scene.refusals(reason), 5, "the refusal")
        assert len(said) == 1 and reason in said[0]


def test_hello_comes_first_and_once(scene: Scene) -> None:
    liar = scene.liar
    hello = Hello(PROTOCOL, liar.chain.home_id, liar.key.node_id, 0)

    async def twice(liar: Liar) -> None:
        await liar.send(hello)
        assert "hello twice" in await liar.until_ended()

    async def never(liar: Liar) -> None:
        await liar.send(Ping(1))
        assert "hello first" in await liar.until_ended()

    for _ in range(2):
        scene.lie(twice)
        scene.lie(never, greet=False)
    assert len(scene.refusals("hello twice")) == len(scene.refusals("hello first")) == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("protocol", 2, "needs an upgrade"),
        ("home_id", bytes(16), "another home"),
        ("node_id", bytes(16), "its certificate's"),
    ],
)
def test_a_hello_that_is_not_ours_is_refused_with_the_reason(
    scene: Scene, field: str, value: object, reason: str
) -> None:
    liar = scene.liar
    hello = dataclasses.replace(Hello(PROTOCOL, liar.chain.home_id, liar.key.node_id, 0), **{field: value})

    async def lie(liar: Liar) -> None:
        await liar.send(hello)
        answer = await liar.until_said(Refuse)
        assert isinstance(answer, Refuse) and reason in answer.reason

    for _ in range(2):
        scene.lie(lie, greet=False)
    assert len(scene.refusals(reason)) == 1


def test_good_records_of_a_member_are_taken_and_replays_change_nothing(scene: Scene) -> None:
    records = scene.liar.records("one", "two", "three")
    author = records[0].header.author

    async def honest(liar: Liar) -> None:
        await liar.send(Records(tuple(records)))
        ack = await liar.until_said(Ack)
        assert isinstance(ack, Ack) and dict(ack.heads)[author].seq == 3

    scene.lie(honest)
    assert scene.kitchen.get("/api/v2/config/liar.value")["value"] == "three"
    until(lambda: agree_of_two(scene), 10, "agreement")
    before = scene.kitchen.get("/api/v2/sync")["records"], scene.kitchen.verify()["digest"]

    async def replay(liar: Liar) -> None:
        for _ in range(20):
            await liar.send(Records(tuple(reversed(records))))
            await liar.until_said(Ack)

    scene.lie(replay)
    assert (scene.kitchen.get("/api/v2/sync")["records"], scene.kitchen.verify()["digest"]) == before


def bad_records(liar: Liar) -> dict[str, tuple[Records, str]]:
    good = liar.records("vermilion")[0]
    flipped = bytearray(good.payload)
    flipped[-1] ^= 1
    stranger = SigningKey(os.urandom(SEED_BYTES))
    first, second = liar.records("one")[0], liar.records("two")[0]
    author = first.header.author
    forged = dataclasses.replace(second.header, author=author)
    taken = dataclasses.replace(second, header=forged, header_data=forged.encode())
    return {
        "an altered payload": (Records((dataclasses.replace(good, payload=bytes(flipped)),)), "does not hold"),
        "an altered signature": (Records((dataclasses.replace(good, signature=bytes(64)),)), "does not hold"),
        "an altered header": (Records((taken,)), "does not hold"),
        "a stranger's": (Records(tuple(liar.records("x", key=stranger, chain=other_home(stranger)))), "another home"),
        "another home's": (Records(tuple(liar.records("x", chain=other_home(liar.key)))), "another home"),
    }


@pytest.mark.parametrize(
    "name", ["an altered payload", "an altered signature", "an altered header", "a stranger's", "another home's"]
)
def test_a_bad_record_is_refused_and_said_once(scene: Scene, name: str) -> None:
    records, reason = bad_records(scene.liar)[name]
    before = scene.kitchen.get("/api/v2/sync")["records"]
    good = scene.liar.records(f"after {name}")

    async def lie(liar: Liar) -> None:
        for _ in range(REPEATS):
            await liar.send(records)
        await liar.send(Records(tuple(good)))  # the link goes on: others' records may be among what it forwards
        await liar.until_said(Ack)

    scene.lie(lie)
    scene.lie(lie)
    assert scene.kitchen.get("/api/v2/config/liar.value")["value"] == f"after {name}"
    assert scene.kitchen.get("/api/v2/sync")["records"] == before + 1
    assert len(scene.refusals(reason)) == 1


def test_a_record_of_somebody_who_is_no_member_is_refused(scene: Scene) -> None:
    """It names this home, is signed well, and comes by a member's link: its author was never admitted."""
    stranger = SigningKey(os.urandom(SEED_BYTES))
    owner = SigningKey(os.urandom(SEED_BYTES))
    chain = scene.liar.chain
    pretended = other_home(stranger)
    record = scene.liar.records("x", key=stranger, chain=pretended)[0]
    header = dataclasses.replace(record.header, home_id=chain.home_id, entry=chain.head_id)
    data = header.encode()
    from jarvis.identity.record import TAG

    record = dataclasses.replace(record, header=header, header_data=data, signature=stranger.sign(TAG + data))
    assert owner.node_id != stranger.node_id

    async def lie(liar: Liar) -> None:
        for _ in range(REPEATS):
            await liar.send(Records((record,)))
        await liar.until_heard()

    scene.lie(lie)
    until(lambda: scene.refusals("no member"), 5, "the refusal")
    assert len(scene.refusals("no member")) == 1


def test_what_a_member_writes_against_the_rules_is_kept_and_named(scene: Scene) -> None:
    """Signed and in its place, and yet no operation of that document."""
    liar = scene.liar
    last = liar.records("fine")[0]
    bad = write_record(
        liar.key, home_id=liar.chain.home_id, document=CONFIG, author=last.header.author, seq=2, prev=last.hash,
        entry=liar.chain.head_id, hlc=last.header.hlc + 1, kind=1, operations=[["shout", "vermilion"]], nonce=bytes(16),
    )  # fmt: skip

    async def lie(liar: Liar) -> None:
        for _ in range(REPEATS):
            await liar.send(Records((last, bad)))
        await liar.until_said(Ack)

    scene.lie(lie)
    for node in (scene.kitchen, scene.bedroom):
        rows = until(lambda node=node: [r for r in node.get("/api/v2/quarantine") if r["seq"] == 2], 10, "the record")
        assert rows[0]["node_id"] == scene.name and rows[0]["reason"].startswith("it is not valid: ")
        assert "vermilion" in rows[0]["content"]
        # It is durable, and so shown, a moment before it is logged.
        said = until(lambda node=node: node.logged("peer refused", author=scene.name, seq=2), 5, "the word in the log")
        assert len(said) == 1 and said[0]["reason"] == rows[0]["reason"] and said[0]["blame"] == "author"
        assert "vermilion" not in node.stderr


def test_what_only_the_owner_may_ask_is_refused_to_others(scene: Scene) -> None:
    """And nobody can leave in another's name."""
    others = {from_text(str(scene.kitchen.ready["node_id"])) + bytes(16): [1, bytes(32)]}
    entries = scene.kitchen.get("/api/v2/home")["entries"]
    asked = {
        "owner-key": (b"", "Only the owner's node"),
        "leave": (pack(others), "no frontier"),
        "admit": (b"x" * 2_000, "no node's certificate"),
        "something new": (b"", "does not know"),
    }

    async def lie(liar: Liar) -> None:
        for number, (topic, (body, says)) in enumerate(asked.items()):
            await liar.send(Request(number, topic, body))
            answer = await liar.until_said(Answer)
            assert isinstance(answer, Answer) and answer.nonce == number and not answer.done
            assert says.encode() in answer.body, topic
        # A losing branch that parts nowhere known says nothing; one that does not hold ends the link.
        await liar.send(Branch(1, bytes(32), ((b"x", b"y"),)))
        await liar.send(Answer(7, True, b"to nobody's question"))
        await liar.send(Ping(7))
        await liar.until_said(Ping)
        await liar.send(Branch(1, liar.chain.hashes[0], ((b"x", bytes(64)),)))
        assert await liar.until_ended()

    scene.lie(lie)
    assert scene.kitchen.get("/api/v2/home")["entries"] == entries


def test_two_histories_under_one_number_are_proven_and_neither_counts(scene: Scene) -> None:
    first, other = scene.liar.records("one", "two"), scene.liar.records("uno")
    from jarvis.identity.record import TAG

    header = dataclasses.replace(other[0].header, author=first[0].header.author)
    data = header.encode()
    fork = dataclasses.replace(other[0], header=header, header_data=data, signature=scene.liar.key.sign(TAG + data))

    async def lie(liar: Liar) -> None:
        await liar.send(Records(tuple(first)))
        await liar.until_said(Ack)
        for _ in range(REPEATS):
            await liar.send(Records((fork,)))
        await liar.send(Records(tuple(first)))
        await liar.until_heard()

    scene.lie(lie)
    until(lambda: scene.refusals("two histories"), 5, "the refusal")
    assert len(scene.refusals("two histories")) == 1
    for node in (scene.kitchen, scene.bedroom):
        until(lambda node=node: not said_by(node) & {"one", "two", "uno"}, 10, "the records set aside")


def said_by(node: NodeProcess) -> set[str]:
    """What a node takes for the liar's word."""
    return {row["value"] for row in node.get("/api/v2/config") if row["key"] == "liar.value"}


def floods(liar: Liar, kitchen: NodeProcess) -> dict[str, Callable[[int], object]]:
    rooms = pack(["", "x" * 1_000])
    return {
        "pings": lambda number: Ping(number),
        "announcements": lambda number: Ephemeral("say", rooms),
        "nonsense": lambda number: Ephemeral("say", b"\xc1" + number.to_bytes(4, "big")),
        "unknown topics": lambda number: Ephemeral(f"t{number}", os.urandom(2_000)),
        "wants": lambda number: Want(author_of(kitchen), 1, 512),
        "digests": lambda number: Digest(True, bytes(32), bytes(32)),
        "heads": lambda number: Heads(tuple((os.urandom(32), Head(1, bytes(32))) for _ in range(20))),
        "memberships": lambda number: Membership(1, os.urandom(32), 1),
    }


def asked_and_told(scene: Scene) -> float:
    """Seconds from a question in the kitchen to its turn in the bedroom."""
    began = time.monotonic()
    session = scene.kitchen.ask("What time is it?", session="new")["session_id"]
    until(lambda: session in str(scene.bedroom.get("/api/v2/sessions")), 20, "the turn in the other room")
    return time.monotonic() - began


def author_of(kitchen: NodeProcess) -> bytes:
    from jarvis.core.ids import from_text

    info = kitchen.get("/api/v2/nodes/self")
    return from_text(info["node_id"]) + from_text(info["incarnation"])


@pytest.mark.parametrize(
    "name", ["pings", "announcements", "nonsense", "unknown topics", "wants", "digests", "heads", "memberships"]
)
@pytest.mark.parametrize("reads", [True, False], ids=["it reads", "it reads nothing"])
def test_a_flood_harms_nobody(scene: Scene, name: str, reads: bool) -> None:
    kitchen = scene.kitchen
    kitchen.set_config("ballast.one", "x" * 4_000)
    make = floods(scene.liar, kitchen)[name]
    before = kitchen.rss_bytes()
    lines = kitchen.stderr.count("\n")
    peak = [before]

    async def lie(liar: Liar) -> None:
        async def read() -> None:
            while await liar.link.receive() is not None:  # type: ignore[union-attr]
                pass

        reading = asyncio.create_task(read() if reads else asyncio.sleep(0))
        try:
            async with asyncio.timeout(FLOOD_S):
                for number in range(FLOOD // 10 if name in COSTLY else FLOOD):
                    await liar.send(make(number))  # type: ignore[arg-type]
                    if number % 200 == 0:
                        peak.append(kitchen.rss_bytes())
        except (JarvisError, TimeoutError):
            pass  # hung up on, or held back: both are fine
        peak.append(kitchen.rss_bytes())
        reading.cancel()

    answers: list[float] = []
    asking = threading.Thread(target=lambda: answers.append(asked_and_told(scene)))
    asking.start()
    scene.lie(lie)
    asking.join(20)
    assert answers and answers[0] < PROPAGATED_S, "the others are not kept waiting"
    assert max(peak) - before < MEMORY_BYTES
    until(lambda: kitchen.connected() == 1, 15, "the end of the liar's link")
    assert kitchen.stderr.count("\n") - lines < 12


def test_a_stranger_with_a_good_certificate_of_its_own_is_refused_and_said_once(scene: Scene, tmp_path: Path) -> None:
    import ssl

    from jarvis.identity.certificate import key_pem

    key = SigningKey(os.urandom(SEED_BYTES))
    certificate, key_file = tmp_path / "node.crt", tmp_path / "node.key"
    certificate.write_text(ssl.DER_cert_to_PEM_cert(make_certificate(key)))
    key_file.write_bytes(key_pem(key))
    members = {**scene.liar.members, key.node_id: make_certificate(key)}

    kitchen = from_text(scene.kitchen.ready["node_id"])

    async def knock() -> None:
        transport = TlsTransport(me=key.node_id, members=lambda: members, certificate=certificate, key=key_file)
        try:
            for _ in range(5):
                with pytest.raises(JarvisError):
                    link = await transport.dial(scene.kitchen.peer_address, Ticket(b"i" * 8, 1), kitchen)
                    await link.send(b"let me in")
                    assert await link.receive() is None
                    raise JarvisError(link.closed_reason)
        finally:
            await transport.close()

    asyncio.run(knock())
    refused = until(lambda: scene.kitchen.logged("net.refused"), 5, "the refusal")
    assert len(refused) == 1 and refused[0]["hint"] == "perhaps not a member"
    assert agree(scene.kitchen, scene.bedroom)
