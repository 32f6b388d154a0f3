"""A disk that is full or may not be written: the store says so, keeps what it acknowledged, and recovers. Real small
file systems, since root writes through every file mode."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from jarvis.core.errors import StoreFailed
from jarvis.store.keyfile import create_key
from jarvis.store.lock import DirectoryLock
from jarvis.store.protocol import Store
from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.support import AUTHOR, KEY, SqlCipherForm, make_record, putting, remount, run, small_disk

ROOM = b"r" * 400 * 1024


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
