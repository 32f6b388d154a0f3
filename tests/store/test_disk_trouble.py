"""A disk that is full or may not be written: the store says so, keeps what it acknowledged, and recovers. Real small
file systems, since root writes through every file mode."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from jarvis.core.errors import StoreFailed
from jarvis.store.keyfile import create_key
from jarvis.store.lock import DirectoryLock
from jarvis.store.protocol import Store
from jarvis.store.sqlcipher import SqlCipherStore, _Engine
from jarvis.store.witness import Witness
from tests.store.support import AUTHOR, KEY, DyingDisk, SqlCipherForm, make_record, putting, remount, run, small_disk

ROOM = b"r" * 400 * 1024
DEATHS = 8
"""One in five showed it, before a witness was asked."""


def test_a_full_disk_loses_nothing_and_heals(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_048) as disk:
        form = SqlCipherForm(disk / "data" / "store.db")
        ballast = disk / "ballast"
        ballast.write_bytes(ROOM)

        async def body(store: Store) -> None:
            undone: list[str] = []
            store.on_undo(lambda: undone.append("undone"))
            seq = 0
            while not undone:
                assert seq < 400, "the disk never became full"
                try:
                    await store.write(putting(make_record(seq + 1, payload=os.urandom(8_000))))
                    seq += 1
                except StoreFailed as error:
                    assert str(error) == "The disk is full; nothing was written."
                    assert "Make room" in error.fix
            assert seq > 20
            await still_held(store, seq)
            for _ in range(3):  # it stays usable, again and again
                with pytest.raises(StoreFailed, match="full"):
                    await store.write(putting(make_record(seq + 1, payload=os.urandom(60_000))))
                await still_held(store, seq)
            ballast.unlink()
            for _ in range(10):
                seq += 1
                await store.write(putting(make_record(seq, payload=os.urandom(8_000))))
            await still_held(store, seq)
            held.append(seq)

        held: list[int] = []
        run(form, body)
        run(form, lambda store: still_held(store, held[0]))


async def still_held(store: Store, last: int) -> None:
    found = await store.read(lambda t: [record.seq for record in t.document_records("config", 0)])
    assert found == list(range(1, last + 1))
    heads = await store.read(lambda t: t.heads())
    assert heads[AUTHOR].seq == last


def test_a_disk_without_room_for_a_new_store_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk, pytest.raises(StoreFailed, match="full"):
        asyncio.run(SqlCipherStore.open(disk / "store.db", KEY))


def test_a_read_only_disk_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_048) as disk:
        form = SqlCipherForm(disk / "data" / "store.db")

        async def body(store: Store) -> None:
            await store.write(putting(make_record(1)))

        run(form, body)
        remount(disk, "ro")
        for attempt in (
            lambda: asyncio.run(form.open()),
            lambda: asyncio.run(SqlCipherStore.open(disk / "new" / "store.db", KEY)),
            lambda: create_key(disk / "keys" / "store.key"),
            lambda: DirectoryLock(disk / "data").acquire(),
        ):
            with pytest.raises(StoreFailed) as caught:
                attempt()
            assert "mounted" in caught.value.fix
        remount(disk, "rw")
        run(form, lambda store: still_held(store, 1))


def test_what_a_dying_disk_only_said_it_took_in_is_not_acknowledged(tmp_path: Path) -> None:
    """An ext4 that gives up while a file grows may let that fsync succeed and drop the growth."""
    for number in range(DEATHS):
        disk = DyingDisk(tmp_path / f"disk{number}")
        try:
            run(SqlCipherForm(disk.at / "data" / "store.db"), lambda store, disk=disk: outlived(store, disk))
        finally:
            disk.unmount()


async def outlived(store: Store, disk: DyingDisk) -> None:
    acknowledged, number = 0, 0
    dying: asyncio.Task[None] | None = None
    while True:
        number += 1
        content = str(number).encode() + b" " + os.urandom(2_000)
        try:
            await store.write(lambda t, content=content: t.put("number", content))
        except StoreFailed:
            break
        acknowledged = number
        if number == 20:
            dying = asyncio.create_task(asyncio.to_thread(disk.begin))
    assert dying is not None
    await dying
    disk.end()
    held = await store.read(lambda t: t.get("number"))
    assert held is not None and int(held.split()[0]) in (acknowledged, number)
    await store.write(lambda t: t.put("number", b"it goes on"))


def test_nothing_is_promised_behind_a_log_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an fsync that failed the kernel believes to be written what is not, and says so of the next one."""
    did: list[str] = []

    def refuse(self: object) -> None:
        did.append("asked")
        raise OSError(errno.EROFS, "Read-only file system")

    def cannot(self: object) -> None:
        did.append("could not")
        raise disk_error()

    async def body(store: Store) -> None:
        await store.write(putting(make_record(1)))
        for kind, name, broken in ((Witness, "ask", refuse), (_Engine, "_empty_log", cannot)):
            with monkeypatch.context() as now, pytest.raises(StoreFailed, match="failed to read or write") as caught:
                now.setattr(kind, name, broken)
                await store.write(lambda t: t.put("key", b"value"))
            assert "Check the disk" in caught.value.fix
        await store.write(putting(make_record(2)))
        await still_held(store, 2)

    run(SqlCipherForm(tmp_path / "store.db"), body)
    assert did == ["asked", "could not"]


def disk_error() -> sqlcipher.OperationalError:
    error = sqlcipher.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlcipher.SQLITE_IOERR
    return error
