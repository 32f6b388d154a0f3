"""What only the form on disk can show: sharing a commit, bounds, keys, damage, migrations, nothing plain."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from jarvis.core.errors import BadConfiguration, DeadlineExceeded, Missing, Overloaded, StoreFailed
from jarvis.store import sqlcipher, writer
from jarvis.store.migrations import MIGRATIONS
from jarvis.store.protocol import Checkpoint, Store, Transaction
from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.support import AUTHOR, KEY, SqlCipherForm, make_record, putting, run

DEADLINE_S = 10.0


class Gate:
    """A work that holds the writer thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def work(self, transaction: Transaction) -> None:
        self.entered.set()
        assert self._open.wait(DEADLINE_S)

    async def closed(self, store: Store) -> asyncio.Task[None]:
        task = asyncio.create_task(store.write(self.work))
        await asyncio.to_thread(self.entered.wait, DEADLINE_S)
        return task

    def open(self) -> None:
        self._open.set()


def commits(database: Path) -> int:
    """Counted in the write-ahead log, whose frame headers are plain: a frame that ends a commit has a page count."""
    log = database.with_name(database.name + "-wal").read_bytes()
    page_bytes = struct.unpack(">I", log[8:12])[0]
    frames = [log[at : at + 24] for at in range(32, len(log), 24 + page_bytes)]
    return sum(1 for frame in frames if struct.unpack(">I", frame[4:8])[0])


def putter(key: str) -> Callable[[Transaction], None]:
    return lambda t: t.put(key, b"value")


def test_works_that_wait_share_one_commit(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        before = commits(disk.path)
        waiting = [asyncio.create_task(store.write(putter(str(n)))) for n in range(100)]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, *waiting)
        assert commits(disk.path) - before == 1  # the gate itself wrote nothing
        await store.write(putter("alone"))
        assert commits(disk.path) - before == 2

    run(disk, body)


def test_a_failed_commit_fails_all_who_shared_it(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        def bad(transaction: Transaction) -> None:
            raise LookupError

        gate = Gate()
        first = await gate.closed(store)
        works = [putter("a"), disk.spoil, bad, putter("b")]
        waiting = [asyncio.create_task(store.write(work)) for work in works]
        await asyncio.sleep(0)
        gate.open()
        await first
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in results] == [StoreFailed, StoreFailed, LookupError, StoreFailed]
        assert await store.read(lambda t: t.keys("")) == []

    run(disk, body)


def test_a_log_that_breaks_leaves_no_caller_waiting(disk: SqlCipherForm, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def error(self, *_: object, **__: object) -> None:
            raise ValueError("I/O operation on closed file.")

    async def body(store: Store) -> None:
        monkeypatch.setattr(sqlcipher, "log", Broken())
        with pytest.raises(StoreFailed, match="refused"):
            await store.write(disk.spoil)
        with pytest.raises(StoreFailed, match="closed"):
            await store.write(putter("a"))

    run(disk, body, deadline_s=DEADLINE_S)


def test_a_read_never_sees_what_is_not_durable_and_does_not_wait_for_it(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        told: list[str] = []

        async def note(name: str, waiting: Any) -> Any:
            result = await waiting
            told.append(name)
            return result

        write = asyncio.create_task(note("write", store.write(putter("key"))))
        read = asyncio.create_task(note("read", store.read(lambda t: t.get("key"))))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, write, read)
        assert read.result() is None
        assert told == ["read", "write"]
        assert await store.read(lambda t: t.get("key")) == b"value"

    run(disk, body)


def test_the_queue_is_bounded(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        waiting = [asyncio.create_task(store.write(putter(str(n)))) for n in range(writer.QUEUE_WORKS)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await store.write(putter("too much"))
        gate.open()
        await asyncio.gather(first, *waiting)
        assert await store.read(lambda t: len(t.keys(""))) == writer.QUEUE_WORKS
        assert commits(disk.path) >= writer.QUEUE_WORKS // writer.COMMIT_WORKS

    run(disk, body)


def test_a_caller_that_gives_up_takes_its_work_back(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        given_up = asyncio.create_task(store.write(putter("given up")))
        kept = asyncio.create_task(store.write(putter("kept")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        gate.open()
        await asyncio.gather(first, kept)
        assert await store.read(lambda t: t.keys("")) == ["kept"]

    run(disk, body)


def test_close_finishes_what_is_queued(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        waiting = [asyncio.create_task(store.write(putter(str(n)))) for n in range(500)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, closing, *waiting)
        again = await disk.open()
        assert await again.read(lambda t: len(t.keys(""))) == 500
        await again.close()

    run(disk, body)


def test_a_close_that_is_cancelled_as_the_thread_ends_is_cancelled(disk: SqlCipherForm) -> None:
    async def body(store: Any) -> None:
        closing = asyncio.create_task(store.close())
        store._writer._ended.add_done_callback(lambda _: closing.cancel())
        await asyncio.wait({closing})
        assert closing.cancelled()

    run(disk, body)


def test_close_does_not_wait_for_ever(disk: SqlCipherForm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(store: Store) -> None:
        gate = Gate()
        first = await gate.closed(store)
        waits = asyncio.create_task(store.write(putter("key")))
        await asyncio.sleep(0)
        monkeypatch.setattr(writer, "CLOSE_DEADLINE_S", 0.05)
        with pytest.raises(DeadlineExceeded):
            await store.close()
        with pytest.raises(StoreFailed):
            await waits
        monkeypatch.undo()
        gate.open()
        await first

    run(disk, body)


def test_a_mistake_in_a_cache_above_stops_the_store(disk: SqlCipherForm) -> None:
    """If what must forget cannot, going on would let the caches lie."""

    async def body(store: Store) -> None:
        def fails() -> None:
            raise ZeroDivisionError

        def bad(transaction: Transaction) -> None:
            raise LookupError

        store.on_undo(fails)
        with pytest.raises(StoreFailed):
            await store.write(bad)
        with pytest.raises(StoreFailed, match="closed"):
            await store.write(putter("key"))

    run(disk, body)


def test_a_connection_that_broke_is_opened_anew(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        def breaks(transaction: Any) -> None:
            transaction._db.execute("ROLLBACK")

        gate = Gate()
        first = await gate.closed(store)
        jobs = [store.read(breaks), store.read(lambda t: t.keys("")), store.write(putter("key")), store.write(breaks)]
        waiting = [asyncio.create_task(job) for job in jobs]
        await asyncio.sleep(0)
        gate.open()
        await first
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in results] == [StoreFailed, list, StoreFailed, StoreFailed]
        await store.write(putter("key"))
        assert await store.read(lambda t: t.keys("")) == ["key"]

    run(disk, body)


def test_a_commit_waits_for_the_disk(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        def settings(transaction: Any) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys", "temp_store", "locking_mode")
            return [transaction._db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        assert await store.read(settings) == ["wal", 2, 1, 2, "exclusive"]

    run(disk, body)


def test_a_library_that_cannot_encrypt_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.store.sqlcipher.sqlcipher.connect", sqlite3.connect)
    opening_fails(database, KEY, Missing, "not SQLCipher")
    assert database.read_bytes() == b""


def test_what_was_written_is_there_after_a_restart(disk: SqlCipherForm) -> None:
    async def first(store: Store) -> None:
        await store.write(putting(*(make_record(seq) for seq in range(1, 50))))

    async def second(store: Store) -> None:
        assert [one.seq for one in await store.read(lambda t: t.records(AUTHOR, 1, 99, 10**6))] == list(range(1, 50))
        assert await store.write(putting(make_record(50))) == [50]

    run(disk, first)
    run(disk, second)


def test_a_write_whose_store_cannot_be_opened_again_says_why(disk: SqlCipherForm) -> None:
    """After a failed commit the file is opened anew; here somebody has damaged it meanwhile, then mends it."""

    async def body(store: Store) -> None:
        await store.write(putter("before"))
        with pytest.raises(StoreFailed):
            await store.write(disk.spoil)  # closes the file, which moves the log into it
        _flip(disk.path, 1_000)
        for call in (store.write, store.read):
            with pytest.raises(StoreFailed, match="damaged"):
                await call(lambda t: t.keys(""))
        _flip(disk.path, 1_000)
        assert await store.read(lambda t: t.keys("")) == ["before"]

    run(disk, body)


def test_a_loop_that_is_gone_harms_nobody(disk: SqlCipherForm) -> None:
    """A program that ends without closing: the work is done or not, and nothing is raised in the thread."""

    async def body() -> Store:
        store = await disk.open()
        await store.write(putter("key"))
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.write(lambda t: next(iter([])))
        return store

    store: Any = asyncio.run(body())
    store._writer._stop()
    store._writer._thread.join(DEADLINE_S)
    assert not store._writer._thread.is_alive()
    run(disk, _count(0))


def test_opening_may_be_given_up(disk: SqlCipherForm) -> None:
    async def body() -> None:
        opening = asyncio.create_task(disk.open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(body())
    for thread in threading.enumerate():
        if thread.name == "jarvis-store":
            thread.join(DEADLINE_S)
    run(disk, _count(0))


def opening_fails(database: Path, key: bytes, error: type[Exception], match: str) -> Exception:
    with pytest.raises(error, match=match) as caught:
        asyncio.run(SqlCipherStore.open(database, key))
    return caught.value


def filled(disk: SqlCipherForm, records: int = 200) -> None:
    async def body(store: Store) -> None:
        await store.write(putting(*(make_record(seq, payload=os.urandom(500)) for seq in range(1, records + 1))))

    run(disk, body)


def test_the_wrong_key_is_named(disk: SqlCipherForm) -> None:
    filled(disk)
    before = disk.path.read_bytes()
    error = opening_fails(disk.path, bytes(32), BadConfiguration, "^The store key does not open this store.$")
    assert error.fix  # type: ignore[attr-defined]
    assert disk.path.read_bytes() == before
    opening_fails(disk.path, b"short", BadConfiguration, "32 bytes")
    run(disk, _count(200))


def _count(expected: int) -> Callable[[Any], Any]:
    async def body(store: Store) -> None:
        assert await store.read(lambda t: t.record_count()) == expected

    return body


def test_a_damaged_first_page_is_not_called_a_wrong_key(disk: SqlCipherForm) -> None:
    filled(disk)
    _flip(disk.path, 1_000)
    opening_fails(disk.path, KEY, StoreFailed, "damaged")


def test_a_damaged_page_is_said_and_the_rest_stays_readable(disk: SqlCipherForm) -> None:
    filled(disk)
    _flip(disk.path, disk.path.stat().st_size // 2)

    async def body(store: Store) -> None:
        with pytest.raises(StoreFailed, match="damaged"):
            await store.read(lambda t: t.records(AUTHOR, 1, 200, 10**6))
        first = await store.read(lambda t: t.record(AUTHOR, 1))
        assert first is not None and first.seq == 1

    run(disk, body)


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("content", [b"hello, this is no database\n" * 40, b"\0" * 5_000, b"x"])
def test_what_is_no_database_is_said(database: Path, content: bytes) -> None:
    database.parent.mkdir()
    database.write_bytes(content)
    opening_fails(database, KEY, StoreFailed, "damaged, or is no store")
    assert database.read_bytes() == content


def test_a_plain_database_is_refused(database: Path) -> None:
    database.parent.mkdir()
    with sqlite3.connect(database) as plain:
        plain.execute("CREATE TABLE t (a)")
    plain.close()
    opening_fails(database, KEY, StoreFailed, "no store of Jarvis")


def test_a_store_is_opened_once(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        with pytest.raises(StoreFailed, match="Another program"):
            await disk.open()
        await store.write(putter("still mine"))

    run(disk, body)


def test_a_store_of_a_newer_program_is_refused(disk: SqlCipherForm, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setitem(MIGRATIONS, "9999_future", lambda db: db.create_table("future", {"id": int}))
        filled(disk)
    opening_fails(disk.path, KEY, BadConfiguration, "newer Jarvis")


def test_a_migration_is_done_whole_or_not_at_all_and_once(disk: SqlCipherForm, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(disk)
    done: list[int] = []

    def step(db: Database) -> None:
        db.create_table("later", {"id": int}, pk="id")
        db.table("later").insert({"id": 1})
        done.append(1)
        if len(done) == 1:
            raise StoreFailed("The power went.")

    monkeypatch.setitem(MIGRATIONS, "9999_later", step)
    opening_fails(disk.path, KEY, StoreFailed, "power")
    run(disk, _count(200))  # would fail on a table that is there already
    run(disk, _count(200))
    assert done == [1, 1]


WORD = "Pasta with tarragon"


def readable(folder: Path, word: str) -> list[str]:
    """Names of files in which `word` can be read, in any usual encoding or case."""
    forms = [word.encode(code) for code in ("utf-8", "utf-16-le")] + [
        word.lower().encode(),
        word.encode().hex().encode(),
    ]
    return [path.name for path in folder.rglob("*") if path.is_file() and any(f in path.read_bytes() for f in forms)]


def test_nothing_can_be_read_on_disk(disk: SqlCipherForm, monkeypatch: pytest.MonkeyPatch) -> None:
    root = disk.path.parent.parent
    temporary = root / "tmp"
    temporary.mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))

    async def body(store: Store) -> None:
        def work(transaction: Transaction) -> None:
            text = WORD.encode()
            big = text * 200
            for seq in range(1, 400):
                record = make_record(seq, document=f"session/{WORD}{seq}", payload=big)
                transaction.put_record(record)
            transaction.put_checkpoint(WORD, Checkpoint(1, big * 50))
            transaction.put_membership([(text, text)])
            transaction.put(WORD, big)

        def undone(transaction: Transaction) -> None:
            transaction.put_membership([(WORD.encode() * 900, b"")] * 900)
            raise LookupError

        await store.write(work)
        with pytest.raises(LookupError):
            await store.write(undone)
        assert len(await store.read(lambda t: t.documents(f"session/{WORD}"))) == 399
        assert readable(root, WORD) == []

    run(disk, body)
    assert readable(root, WORD) == []
    assert list(temporary.iterdir()) == []
    (temporary / "control").write_text(f"so that this test can fail: {WORD}")
    assert readable(root, WORD) == ["control"]


def test_only_the_owner_may_read_the_files(disk: SqlCipherForm) -> None:
    async def body(store: Store) -> None:
        await store.write(putter("key"))
        names = {"store.db", "store.db-wal", "store.db-witness"}
        assert {path.name for path in disk.path.parent.iterdir()} == names
        assert {path.stat().st_mode & 0o777 for path in disk.path.parent.iterdir()} == {0o600}
        assert disk.path.parent.stat().st_mode & 0o777 == 0o700

    run(disk, body)


def test_the_store_loads_no_numpy_and_leaves_it_to_others() -> None:
    """sqlite-utils would, for every node and every command that opens a store."""
    seen = "import sys, jarvis.store.sqlcipher; assert 'numpy' not in sys.modules; import numpy; numpy.arange(3)"
    subprocess.run([sys.executable, "-c", seen], check=True, timeout=60)
