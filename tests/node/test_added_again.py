"""A node that ends in the middle of adding a file: nothing half is kept, and what was replaced goes in the end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput
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
        if "locked" in path.read_text():
            raise InvalidInput(f"{path.name} is locked.")
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
        wall_ms=lambda: 1_000,
        connected=frozenset,
    )
    return made


async def add(shelf: Shelf, path: Path) -> list[str]:
    await shelf.follow()
    return await _states(shelf, path)


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

        with pytest.raises(_Ends), monkeypatch.context() as patch:  # before the older one's text is erased
            patch.setattr(Shelf, "erase", ends)
            await add(second, file)
        third = shelf(kept)
        assert len(await third.list()) == 1 and texts(kept) == ["one", "one", "three", "two"], (
            "one took the other's place"
        )
        assert await add(third, file) == ["unchanged"]
        assert texts(kept) == ["one", "three"] and len(await third.list()) == 1

    asyncio.run(asyncio.wait_for(main(), 20))


def test_adding_that_is_cancelled_as_it_is_written_lists_no_file_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, file, write = Kept(), tmp_path / "a.md", Journal.write

    async def main() -> None:
        desk = shelf(kept)
        file.write_text("one")
        await add(desk, file)
        file.write_text("two")
        with monkeypatch.context() as patch:

            async def cancelled(*given: Any) -> None:
                await write(*given)
                raise asyncio.CancelledError

            patch.setattr(Journal, "write", cancelled)
            adding = asyncio.create_task(add(desk, file))
            await asyncio.wait({adding})
            assert adding.cancelled()
        file.write_text("three")
        assert await _states(desk, file) == ["added"]
        await desk.follow()
        assert texts(kept) == ["three"] and len(await desk.list()) == 1

    asyncio.run(asyncio.wait_for(main(), 20))


async def _states(shelf: Shelf, path: Path) -> list[str]:
    return [row["state"] async for row in shelf.add(str(path))]


def test_what_is_refused_is_told_as_it_was_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, file = Kept(), tmp_path / "a.md"

    async def state(shelf: Shelf) -> tuple[Any, ...]:
        await shelf.follow()
        ((row,), (entry,)) = (await shelf.list(), shelf.entries.values())
        return row["outdated"], row["refused"], entry.outdated_ms

    async def main() -> None:
        at_desk = shelf(kept)
        file.write_text("one")
        assert await add(at_desk, file) == ["added"]
        assert await state(at_desk) == (None, None, 0)
        file.write_text("locked")
        assert await add(at_desk, file) == ["refused"]
        since = ("1970-01-01T00:00:01.000+00:00", "a.md is locked.", 1_000)
        assert await state(at_desk) == since and texts(kept) == ["one"]
        later = shelf(kept)
        with monkeypatch.context() as patch:  # nothing is written over and over
            patch.setattr(Journal, "write", None)
            assert await add(later, file) == ["refused"]
        assert await state(later) == since, "also after a restart"
        file.write_text("one")
        assert await add(later, file) == ["unchanged"]
        assert await state(later) == (None, None, 0)
        file.write_text("locked")
        await add(later, file)
        file.write_text("two")
        assert await add(later, file) == ["added"]
        assert await state(later) == (None, None, 0) and texts(kept) == ["two"]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_what_is_removed_while_it_is_marked_stays_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, file, change = Kept(), tmp_path / "a.md", Journal.change_local

    async def main() -> None:
        desk = shelf(kept)
        file.write_text("one")
        await add(desk, file)
        (document,) = desk.held

        async def removed(journal: Journal, work: Any) -> Any:
            monkeypatch.setattr(Journal, "change_local", change)
            await desk.remove(document)
            return await change(journal, work)

        monkeypatch.setattr(Journal, "change_local", removed)
        file.write_text("locked")
        assert await add(desk, file) == ["refused"]
        await desk.follow()
        assert await desk.list() == [] and kept.store.transact(lambda tx: tx.library.documents()) == {}

    asyncio.run(asyncio.wait_for(main(), 20))
