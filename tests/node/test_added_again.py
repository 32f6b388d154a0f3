"""A node that ends in the middle of adding a file: nothing half is kept, and what was replaced goes in the end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jarvis.knowledge.chunks import Chunk
from jarvis.knowledge.files.reading import ReadFile
from jarvis.node.library.shelf import Shelf
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from tests.node.test_timers import Kept, LoopClock


class Reading:
    """A line of a file is a chunk."""

    suffixes = frozenset({".md"})

    async def __aenter__(self) -> Reading:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def measure(self, path: Path) -> tuple[int, bytes]:
        data = path.read_bytes()
        return len(data), hashlib.sha256(data).digest()

    async def read(self, path: Path) -> ReadFile:
        lines = path.read_text().splitlines()
        return ReadFile(path.name, "lines", tuple(Chunk(line, "", at) for at, line in enumerate(lines)))


class Index:
    def wake(self) -> None: ...

    async def removed(self, ids: Sequence[int]) -> None: ...


class Members:
    async def refresh(self) -> None: ...

    def name_of(self, node: bytes) -> str:
        return "kitchen"


class _Ends(Exception):
    """The node is gone."""


def shelf(kept: Kept) -> Shelf:
    """As the next process has it."""
    clock = LoopClock()
    journal = Journal(kept.store, kept.replica(clock))
    made: Any = Shelf(
        journal,
        Members(),  # type: ignore[arg-type]
        Audit(journal, clock),
        Index(),  # type: ignore[arg-type]
        kept.key.node_id,
        reading=Reading,  # type: ignore[arg-type]
        wall_ms=lambda: 0,
        connected=frozenset,
    )
    return made


async def add(shelf: Shelf, path: Path) -> list[str]:
    await shelf.follow()
    return [row["state"] async for row in shelf.add(str(path))]


def texts(kept: Kept) -> list[str]:
    """Of all chunks in the store, whoever counts them."""

    def look(tx: Any) -> list[str]:
        return [one.text for one in tx.library.chunks(list(range(1, 1_000)))]

    return sorted(kept.store.transact(look))


def test_what_was_begun_is_erased_and_what_was_replaced_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, file = Kept(), tmp_path / "a.md"

    async def ends(*_: Any) -> None:
        raise _Ends

    async def main() -> None:
        file.write_text("one\ntwo")
        assert await add(shelf(kept), file) == ["added"]
        file.write_text("one\nthree")

        first = shelf(kept)
        with pytest.raises(_Ends), monkeypatch.context() as patch:  # before the entry is written
            patch.setattr(Journal, "write", ends)
            await add(first, file)
        assert texts(kept) == ["one", "one", "three", "two"]
        second = shelf(kept)
        await second.follow()
        assert texts(kept) == ["one", "two"], "nothing half"

        with pytest.raises(_Ends), monkeypatch.context() as patch:  # before the older one is removed
            patch.setattr(Shelf, "_remove", ends)
            await add(second, file)
        third = shelf(kept)
        assert await add(third, file) == ["unchanged"]
        assert texts(kept) == ["one", "three"] and len(await third.list()) == 1

    asyncio.run(asyncio.wait_for(main(), 20))
