"""Both forms of the store behind one face, and what the tests put into them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import StoreFailed
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import APPLIED, Head, Store, StoredRecord, Transaction
from jarvis.store.sqlcipher import SqlCipherStore

KEY = bytes(range(32))
AUTHOR = b"a" * 32
DYING_DISK_BYTES = 16 * 1024 * 1024


def make_record(
    seq: int, *, author: bytes = AUTHOR, document: str = "config", status: int = APPLIED, payload: bytes | None = b"pay"
) -> StoredRecord:
    header = b"header of " + author[:1] + str(seq).encode()
    return StoredRecord(
        author, seq, hashlib.sha256(header).digest(), header, b"s" * 64, payload, document=document, status=status
    )


def putting(*records: StoredRecord) -> Callable[[Transaction], list[int]]:
    """A work that puts records and moves their authors' heads, as the replica does."""

    def work(transaction: Transaction) -> list[int]:
        positions = []
        for record in records:
            positions.append(transaction.put_record(record))
            transaction.put_head(record.author, Head(record.seq, record.hash))
        return positions

    return work


class MemoryForm:
    def __init__(self) -> None:
        self._spoiled = False

    async def open(self) -> Store:
        return MemoryStore(commit=self._commit)

    def spoil(self, transaction: Transaction) -> None:
        """Within a work: make the commit that it shares fail."""
        self._spoiled = True

    def _commit(self) -> None:
        if self._spoiled:
            self._spoiled = False
            raise StoreFailed("The commit was made to fail.")


class SqlCipherForm:
    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> Store:
        return await SqlCipherStore.open(self.path, KEY)

    def spoil(self, transaction: Any) -> None:
        """A broken reference that SQLite looks at only when it commits."""
        transaction._db.execute("PRAGMA defer_foreign_keys = ON")
        transaction._db.execute("INSERT INTO checkpoints (document, position, state) VALUES (-1, 0, x'')")


def run(form: Any, body: Callable[[Any], Awaitable[None]], *, deadline_s: float = 60) -> None:
    """Open, run, close, and see that no thread is left."""

    async def whole() -> None:
        async with asyncio.timeout(deadline_s):
            store = await form.open()
            try:
                await body(store)
            finally:
                await store.close()
        assert "jarvis-store" not in [thread.name for thread in threading.enumerate()]

    asyncio.run(whole())


@contextmanager
def small_disk(at: Path, size_kib: int) -> Iterator[Path]:
    """A tmpfs of its own size, since root fills and writes whatever has no bounds. Where it cannot be mounted the test
    is skipped, saying so; in CI it fails."""
    at.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k,mode=700", "tmpfs", str(at)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        assert os.environ.get("CI") != "true", mounted.stderr
        pytest.skip(f"run as root to prove full and read-only disks: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def remount(at: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(at)], check=True)


class DyingDisk:
    """What an SD card does when it dies: the kernel stops writing to it at once, whoever has files open. It ends with
    another card in its place that holds what the first one had taken in."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._image = at.with_suffix(".img")
        with self._image.open("wb") as file:
            file.truncate(DYING_DISK_BYTES)
        at.mkdir()
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()
        if not self._trigger().exists():
            self.unmount()
            pytest.skip("this kernel has no ext4 that can be made to fail")

    def begin(self) -> None:
        os.sync()  # the copy of the home, which this test made
        self._trigger().write_text("1")

    def end(self) -> None:
        self.unmount()
        self._image = shutil.copyfile(self._image, self._image.with_suffix(".second"))
        subprocess.run(["e2fsck", "-fy", str(self._image)], capture_output=True, check=False)
        self._mount()

    def unmount(self) -> None:
        _run("umount", "--lazy", str(self.at))  # the node holds files there

    def _mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.at))

    def _trigger(self) -> Path:
        device = _run("findmnt", "-n", "-o", "SOURCE", str(self.at)).strip()
        return Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"


def _run(*command: str) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    if ran.returncode:
        pytest.skip(f"run as root, with loop devices, to prove a dying disk: {ran.stderr.strip()}")
    return ran.stdout
