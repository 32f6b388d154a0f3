"""The accept path on the real store: what is kept there is what is found again, after an undo and after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.replica.documents import CHECKPOINT_EVERY
from jarvis.replica.replica import Replica
from jarvis.store.protocol import APPLIED, REJECTED, UNKNOWN
from jarvis.store.sqlcipher import SqlCipherStore
from tests.replica.support import CHAIN, GROWN, KEYS, NOW, SESSION, Author, Node

STORE_KEY = bytes(range(32))


class Disk:
    """One node on SQLCipher; `life` opens the same files again with nothing in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lives = 0

    async def life(self, body: Callable[[Disk], Awaitable[None]]) -> None:
        self.lives += 1
        self.store = await SqlCipherStore.open(self.path, STORE_KEY)
        try:
            self.replica = Replica(KEYS[0], entropy=bytes([self.lives]).__mul__, wall_ms=lambda: NOW)
            self.store.on_undo(self.replica.forget)
            if not await self.store.read(lambda tx: tx.membership()):
                await self.store.write(lambda tx: self.replica.found(tx, CHAIN))
            await self.store.write(self.replica.open)
            await body(self)
        finally:
            await self.store.close()

    async def accept(self, *records):
        return await self.store.write(lambda tx: self.replica.accept(tx, records))

    async def append(self, document, *operations):
        return (await self.store.write(lambda tx: self.replica.append(tx, document, list(operations))))[0]

    async def digest(self) -> bytes:
        return await self.store.read(self.replica.digest)


def run(path: Path, *lives: Callable[[Disk], Awaitable[None]]) -> None:
    async def whole() -> None:
        disk = Disk(path / "data" / "store.db")
        for body in lives:
            await asyncio.wait_for(disk.life(body), 30)

    asyncio.run(whole())


def every_status(author: Author) -> list:
    return [
        author.put("a", 1),
        author.write("config", ["increment", "a"]),
        author.write("gallery/2031", ["paint"]),
        author.write(SESSION, ["turn", None, {"text": "hello"}]),
        author.put("a", 2, (author.name, 1, 0)),
    ]


def test_the_disk_and_its_twin_agree_through_a_restart(tmp_path):
    twin, records = Node(), every_status(Author(1))
    twin.accept(*records)

    async def first(disk: Disk) -> None:
        await disk.accept(*reversed(records[1:]))
        accepted = await disk.accept(records[0])
        assert [one.status for one in accepted.records] == [APPLIED, REJECTED, UNKNOWN, APPLIED, APPLIED]
        assert await disk.digest() == twin.digest()

    async def second(disk: Disk) -> None:
        assert await disk.digest() == twin.digest()
        assert (await disk.accept(*records)).duplicates == len(records)

    run(tmp_path, first, second)


def test_a_checkpoint_and_its_tail_add_up_on_disk(tmp_path):
    twin, author = Node(), Author(1)
    records = [author.put(f"k{n % 5}", n) for n in range(CHECKPOINT_EVERY + 40)]
    twin.accept(*records)

    async def first(disk: Disk) -> None:
        for at in range(0, len(records), 100):
            await disk.accept(*records[at : at + 100])
        assert await disk.store.read(lambda tx: tx.checkpoint("config")) is not None

    async def second(disk: Disk) -> None:
        assert await disk.digest() == twin.digest()

    run(tmp_path, first, second)


def test_undone_work_leaves_its_neighbours_in_the_same_commit(tmp_path):
    one, two = Author(1), Author(2)
    records = [one.put("a", 1), two.put("b", 1), one.put("a", 2)]

    async def body(disk: Disk) -> None:
        def fails(tx):
            disk.replica.accept(tx, [records[1]])
            raise RuntimeError("undone")

        results = await asyncio.gather(
            disk.accept(records[0]),
            disk.store.write(fails),
            disk.append("config", ["put", "", 1, []]),
            disk.accept(records[2]),
            return_exceptions=True,
        )
        assert [type(one) for one in results[1:3]] == [RuntimeError, InvalidInput]
        heads = await disk.store.read(lambda tx: tx.heads())
        assert {author: head.seq for author, head in heads.items()} == {one.name: 2}
        mine = await disk.append("config", ["put", "c", 1, []])
        assert mine.header.seq == 1
        await disk.accept(records[1])
        twin = Node()
        twin.accept(*records, mine)
        assert await disk.digest() == twin.digest()

    run(tmp_path, body, lambda disk: disk.digest())


def test_a_failed_commit_on_disk_leaves_the_state_before_it(tmp_path):
    author = Author(1)
    first, second = author.put("a", 1), author.put("a", 2)

    async def body(disk: Disk) -> None:
        await disk.accept(first)
        mine = await disk.append("config", ["put", "mine", 1, []])
        before = await disk.digest()

        def spoil(tx):
            disk.replica.accept(tx, [second])
            # A broken reference that SQLite looks at only when it commits.
            tx._db.execute("PRAGMA defer_foreign_keys = ON")
            tx._db.execute("INSERT INTO checkpoints (document, position, state) VALUES (-1, 0, x'')")

        with pytest.raises(Exception, match=r".+"):
            await disk.store.write(spoil)
        assert await disk.digest() == before
        after = await disk.append("config", ["put", "mine", 2, []])
        assert (after.header.seq, after.header.prev) == (2, mine.hash)
        assert len((await disk.accept(second)).records) == 1

    run(tmp_path, body)


def test_membership_and_clock_are_found_again(tmp_path):
    stamps = []

    async def first(disk: Disk) -> None:
        stamps.append((await disk.append("config", ["put", "a", 1, []])).header)
        await disk.store.write(lambda tx: disk.replica.accept_membership(tx, GROWN.entries))

    async def second(disk: Disk) -> None:
        record = await disk.append("config", ["put", "a", 2, []])
        assert record.header.hlc > stamps[0].hlc
        assert record.header.author != stamps[0].author, "nobody echoed the first"
        assert record.header.entry == GROWN.head_id
        assert len((await disk.accept(Author(3, chain=GROWN).put("b", 1))).records) == 1

    run(tmp_path, first, second)
