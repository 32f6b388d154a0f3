"""A peer that asks for everything again and again and reads nothing costs a bounded amount of memory."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jarvis.core.time import SystemClock
from jarvis.identity.record import SignedRecord
from jarvis.net.link import Link
from jarvis.node.links.peering import Peering
from jarvis.node.records.journal import Journal
from jarvis.store.protocol import Head
from jarvis.sync.credit import CREDIT_BYTES, Credit
from jarvis.sync.machine import Sync
from jarvis.sync.messages import PROTOCOL, Hello, Message, Want, encode
from jarvis.sync.pushing import FETCH_BYTES
from jarvis.sync.serving import MAX_ASKED_OF_US
from tests.replica.support import CHAIN, KEYS, Author

ME, PEER = KEYS[0].node_id, KEYS[1].node_id


class GreedyLink:
    """Sends one want after another as fast as they are taken; never reads."""

    peer, dialled, address, closed_reason = PEER, True, "", ""

    def __init__(self, wants: int) -> None:
        self.wants = wants
        self.taken = self.read_bytes = 0
        self.reads = asyncio.Event()
        self.says: asyncio.Queue[Message] = asyncio.Queue()
        self.closed: list[str] = []

    async def receive(self) -> bytes | None:
        self.taken += 1
        if self.taken == 1:
            return encode(Hello(PROTOCOL, CHAIN.home_id, PEER, 0))
        if self.taken > self.wants:
            return encode(await self.says.get())
        return encode(Want(Author(0).name, 1, 3))

    async def send(self, frame: bytes) -> None:
        await self.reads.wait()
        self.read_bytes += len(frame)

    async def close(self, reason: str) -> None:
        self.closed.append(reason)


class FullJournal:
    """Holds three records of the largest size."""

    def __init__(self) -> None:
        author = Author(0)
        self.held: list[SignedRecord] = [author.put("a", "x" * 64_300) for _ in range(3)]
        assert FETCH_BYTES - 4_096 < sum(record.size_bytes for record in self.held) <= FETCH_BYTES

    def listen(self, listener: Any) -> None:
        pass

    async def records(self, author: bytes, first: int, through: int, max_bytes: int) -> list[SignedRecord]:
        return self.held


async def until_nothing_moves(link: GreedyLink) -> None:
    for _ in range(200):
        before = link.taken, link.read_bytes
        for _ in range(200):
            await asyncio.sleep(0)
        if (link.taken, link.read_bytes) == before:
            return
    raise AssertionError("it never came to rest")


def begun(link: GreedyLink) -> tuple[Peering, asyncio.Task[None]]:
    journal = FullJournal()
    sync = Sync(ME, CHAIN.entries, {Author(0).name: Head(3, journal.held[2].hash)})
    ignore: Any = lambda *args: None  # noqa: E731
    node = Peering(
        cast(Journal, journal), sync, SystemClock(), deliver=ignore, linked=ignore, members_changed=ignore, met=ignore
    )
    return node, asyncio.create_task(node.on_link(cast(Link, link)))


def test_wants_are_answered_only_as_far_as_answers_are_taken_in(monkeypatch):
    monkeypatch.setattr(
        "jarvis.node.links.peering.REPEATED", 0
    )  # else it would be hung up on for asking for the same again

    async def body() -> None:
        link = GreedyLink(wants=3_000)
        node, task = begun(link)
        await until_nothing_moves(link)
        run = node._runs[PEER]
        most = CREDIT_BYTES + FETCH_BYTES + 64 * 1024
        assert CREDIT_BYTES < run.outbox_bytes < most
        link.reads.set()  # it reads, and takes nothing in
        await until_nothing_moves(link)
        assert CREDIT_BYTES < link.read_bytes < most
        link.says.put_nowait(Credit(10**6, 4 * CREDIT_BYTES))
        await until_nothing_moves(link)
        assert 4 * CREDIT_BYTES < link.read_bytes < most + 3 * CREDIT_BYTES
        run.end("done")
        await task

    asyncio.run(body())


def test_who_asks_for_more_and_more_loses_its_link():
    async def body() -> None:
        link = GreedyLink(wants=MAX_ASKED_OF_US + 100)
        _, task = begun(link)
        async with asyncio.timeout(20):
            await task
        assert link.closed == ["it asks for more than it takes in"]

    asyncio.run(body())
