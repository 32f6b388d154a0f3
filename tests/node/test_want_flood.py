"""A peer that asks for everything again and again and reads nothing costs a bounded amount of memory."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jarvis.core.time import SystemClock
from jarvis.identity.record import SignedRecord
from jarvis.net.link import Link
from jarvis.node import peering
from jarvis.node.journal import Journal
from jarvis.node.peering import MAX_JOBS, MAX_OUTBOX_BYTES, Peering
from jarvis.store.protocol import Head
from jarvis.sync.machine import Sync
from jarvis.sync.messages import PROTOCOL, Hello, Want, encode
from jarvis.sync.pushing import FETCH_BYTES
from tests.replica.support import CHAIN, KEYS, Author

ME, PEER = KEYS[0].node_id, KEYS[1].node_id
WANTS = 3_000


class GreedyLink:
    """Sends one want after another as fast as they are taken; never reads."""

    peer, dialled, address, closed_reason = PEER, True, "", ""

    def __init__(self) -> None:
        self.taken = 0
        self.reads = asyncio.Event()
        self.served = asyncio.Event()

    async def receive(self) -> bytes | None:
        self.taken += 1
        if self.taken == 1:
            return encode(Hello(PROTOCOL, CHAIN.home_id, PEER, 0))
        if self.taken > WANTS:
            self.served.set()
            await asyncio.Event().wait()
        return encode(Want(Author(0).name, 1, 3))

    async def send(self, frame: bytes) -> None:
        await self.reads.wait()

    async def close(self, reason: str) -> None:
        pass


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
        before = link.taken
        for _ in range(200):
            await asyncio.sleep(0)
        if link.taken == before:
            return
    raise AssertionError("it never stopped taking wants")


def test_wants_are_answered_only_as_fast_as_answers_are_read():
    async def body() -> None:
        journal, link = FullJournal(), GreedyLink()
        sync = Sync(ME, CHAIN.entries, {Author(0).name: Head(3, journal.held[2].hash)})
        ignore: Any = lambda *args: None  # noqa: E731
        node = Peering(
            cast(Journal, journal),
            sync,
            SystemClock(),
            deliver=ignore,
            linked=ignore,
            members_changed=ignore,
            met=ignore,
        )
        task = asyncio.create_task(node.on_link(cast(Link, link)))
        await until_nothing_moves(link)
        run = node._runs[PEER]
        assert run.outbox_bytes <= MAX_OUTBOX_BYTES + FETCH_BYTES + 64 * 1024
        assert link.taken < WANTS
        stopped_at = link.taken
        assert stopped_at <= MAX_OUTBOX_BYTES // FETCH_BYTES + 2 * MAX_JOBS + 8
        # When it reads, it is served on.
        link.reads.set()
        async with asyncio.timeout(20):
            await link.served.wait()
        run.end("done")
        await task
        assert peering.MAX_OUTBOX_FRAMES * FETCH_BYTES > 2 * MAX_OUTBOX_BYTES, "frames alone would not be a bound"

    asyncio.run(body())
