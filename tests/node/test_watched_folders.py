"""Folders that the library follows: what changes is read again, what goes is removed, and what is only away is kept."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.knowledge.files.walking import Refused
from jarvis.node.library.watching import Watching
from jarvis.node.records.journal import Journal
from jarvis.testing.waiting import until
from tests.node.test_timers import Kept, LoopClock

KNOWN_S = 20.0


class Shelf:
    """Holds the text of files by their path, as the library's shelf does."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.added: list[str] = []

    async def settled(self) -> None:
        return None

    def sources(self) -> dict[str, str]:
        return {source: f"id of {source}" for source in self.texts}

    def suffixes(self) -> frozenset[str]:
        return frozenset({".md"})

    async def add_files(self, files: Sequence[Path | Refused]) -> AsyncGenerator[dict[str, Any], None]:
        for file in files:
            path = file.path if isinstance(file, Refused) else file
            if isinstance(file, Refused):
                yield {"path": str(path), "state": "refused", "reason": file.why}
            elif "secret" in file.name:
                yield {"path": str(path), "state": "refused", "reason": "It is locked."}
            else:
                self.texts[str(path)] = file.read_text()
                self.added.append(file.name)
                yield {"path": str(path), "state": "added", "reason": ""}

    async def add_project(self, folder: Path, files: Sequence[Path | Refused]) -> dict[str, Any] | None:
        return None

    async def remove(self, wanted: str) -> dict[str, Any]:
        if self.texts.pop(wanted.removeprefix("id of "), None) is None:
            raise NotFound("gone")
        return {}


class Desk:
    """A shelf with its watching, over a store that outlives them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept, self.shelf = folder, Kept(), Shelf()
        self.watching = self.fresh()

    def fresh(self) -> Watching:
        clock = LoopClock()
        self.watching = Watching(Journal(self.kept.store, self.kept.replica(clock)), self.shelf, clock.wall_ms)
        return self.watching

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[Watching]:
        running = asyncio.create_task(self.watching.run())
        try:
            yield self.watching
        finally:
            running.cancel()
            async with asyncio.timeout(4):
                await asyncio.gather(running, return_exceptions=True)

    def names(self) -> set[str]:
        return {str(Path(one).relative_to(self.folder)) for one in self.shelf.texts}

    async def state(self, wanted: str) -> dict[str, Any]:
        async with asyncio.timeout(KNOWN_S):
            while (row := (await self.watching.list())[0])["state"] != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return row


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "papers"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("one")
    (folder / "sub" / "b.md").write_text("two")
    (folder / "c.raw").write_text("no")
    (folder / "secret.md").write_text("no")
    (folder / "loop").symlink_to(folder)
    return Desk(folder)


def running(work: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))  # type: ignore[arg-type]


def test_what_changes_is_read_and_what_goes_is_removed(desk: Desk, tmp_path: Path) -> None:
    async def main() -> None:
        async with desk.runs() as watching:
            assert await watching.list() == []
            assert (await watching.begin(str(desk.folder)))["path"] == str(desk.folder)
            row = await desk.state("watched")
            assert (row["done"], row["files"], row["documents"], row["problem"]) == (4, 4, 2, "")
            assert {Path(one["path"]).name: one["reason"] for one in row["refused"]} == {
                "loop": "It is a link.",
                "secret.md": "It is locked.",
            }
            desk.shelf.texts[str(tmp_path / "elsewhere.md")] = "kept"
            (desk.folder / "a.md").write_text("changed")
            await until(lambda: desk.shelf.texts.get(str(desk.folder / "a.md")) == "changed")
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "d.md").write_text("four")
            (tmp_path / "new").rename(desk.folder / "new")
            await until(lambda: str(desk.folder / "new" / "d.md") in desk.shelf.texts)
            shutil.rmtree(desk.folder / "sub")
            await until(lambda: str(desk.folder / "sub" / "b.md") not in desk.shelf.texts)
            (desk.folder / "a.md").rename(tmp_path / "a.md")
            (desk.folder / "a.md").symlink_to(tmp_path / "a.md")
            await until(lambda: str(desk.folder / "a.md") not in desk.shelf.texts)
            assert str(tmp_path / "elsewhere.md") in desk.shelf.texts

    running(main())


def test_a_node_that_was_off_catches_up(desk: Desk) -> None:
    async def main() -> None:
        async with desk.runs() as watching:
            await watching.begin(str(desk.folder))
            await desk.state("watched")
        (desk.folder / "a.md").unlink()
        (desk.folder / "e.md").write_text("five")
        desk.fresh()
        async with desk.runs():
            await desk.state("watched")
            assert desk.names() == {"sub/b.md", "e.md"}
            (desk.folder.parent / "link").symlink_to(desk.folder)
            assert (await desk.watching.end(str(desk.folder.parent / "link")))["state"] == "ended"
        desk.fresh()
        async with desk.runs() as watching:
            assert await watching.list() == []
        assert desk.names() == {"sub/b.md", "e.md"}, "what was read stays"

    running(main())


def test_what_is_only_away_is_kept(desk: Desk) -> None:
    async def main() -> None:
        async with desk.runs() as watching:
            await watching.begin(str(desk.folder))
            await desk.state("watched")
        away = desk.folder.with_name("unmounted")
        desk.folder.rename(away)
        for there in (False, True):
            desk.fresh()
            if there:
                desk.folder.mkdir()
            async with desk.runs():
                row = await desk.state("missing")
                assert row["documents"] == 2 and "kept" in row["problem"]
        desk.folder.rmdir()
        away.rename(desk.folder)
        desk.fresh()
        async with desk.runs():
            assert (await desk.state("watched"))["documents"] == 2

    running(main())


def test_what_goes_away_while_it_is_read_is_kept(desk: Desk, tmp_path: Path) -> None:
    """A disk that is pulled out in the middle: every file of it is gone, and none was removed by anybody."""

    async def main() -> None:
        async with desk.runs() as watching:
            await watching.begin(str(desk.folder))
            await desk.state("watched")
        there = dict(desk.shelf.texts)
        read = desk.shelf.add_files

        async def pulled_out(files: Sequence[Path | Refused]) -> AsyncGenerator[dict[str, Any], None]:
            async for row in read(files):
                yield row
            desk.folder.rename(tmp_path / "elsewhere")

        desk.shelf.add_files = pulled_out  # type: ignore[method-assign]
        desk.fresh()
        async with desk.runs():
            row = await desk.state("missing")
            assert "kept" in row["problem"] and desk.shelf.texts == there

    running(main())


def test_a_link_in_its_place_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "z.md").write_text("of somebody else")

    async def main() -> None:
        async with desk.runs() as watching:
            await watching.begin(str(desk.folder))
            await desk.state("watched")
            there = dict(desk.shelf.texts)
            desk.folder.rename(tmp_path / "was")
            desk.folder.symlink_to(outside)
            (tmp_path / "was" / "a.md").write_text("changed")  # which is still told of
            row = await desk.state("missing")
            assert "kept" in row["problem"] and desk.shelf.texts == there
        desk.fresh()
        async with desk.runs():
            await desk.state("missing")
            assert desk.shelf.texts == there

    running(main())


def test_what_cannot_be_watched_is_said(desk: Desk) -> None:
    async def main() -> None:
        async with desk.runs() as watching:
            with pytest.raises(InvalidInput, match="is not a folder"):
                await watching.begin(str(desk.folder / "a.md"))
            with pytest.raises(InvalidInput, match="absent"):
                await watching.begin(str(desk.folder / "absent"))
            for none in (str(desk.folder), "a\0b"):
                with pytest.raises(NotFound, match="is not watched"):
                    await watching.end(none)
            with pytest.raises(InvalidInput, match=r"a\?b cannot be read"):
                await watching.begin("a\0b")
            await watching.begin(str(desk.folder))
            assert len(await watching.list()) == 1
            assert (await watching.begin(str(desk.folder)))["path"] == str(desk.folder), "once more changes nothing"
            for other in (desk.folder / "sub", desk.folder.parent):
                with pytest.raises(InvalidInput, match="is watched already"):
                    await watching.begin(str(other))

    running(main())
