"""Pictures that got no caption get it later: when somebody sees, not more often than they may, and only as they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jarvis.knowledge.chunks import Chunk
from jarvis.knowledge.files.reading import ReadFile
from jarvis.node.library import describing, shelf
from jarvis.node.library.describing import Describing
from jarvis.node.library.shelf import Shelf
from jarvis.testing.waiting import until
from tests.node import test_added_again as added
from tests.node.test_timers import Kept


class Eyes(added.Reading):
    """Reads pictures; sees them while `why` is empty, and says `told` of them."""

    def __init__(self) -> None:
        self.why, self.told = "Nobody sees.", "a boat"
        self.shown: list[str] = []

    async def hindrance(self) -> str:
        return self.why

    async def read(self, path: Path) -> ReadFile:
        chunks = (Chunk("Picture.", "", 0),)
        if not self.why:
            self.shown.append(path.name)
            if self.told:
                return ReadFile(path.name, "image", (*chunks, Chunk(self.told, "described by eyes", 1)))
        return ReadFile(path.name, "image", chunks, "Without a caption.", True)


class Desk:
    """A shelf with its describing; `pictures` were added while nobody saw."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.kept, self.eyes = folder, Kept(), Eyes()
        monkeypatch.setattr(added, "Reading", lambda: self.eyes)
        self.shelf: Shelf = added.shelf(self.kept)
        self.wakes: list[Callable[[], None]] = []
        self.describing = Describing(self.shelf, lambda: self.eyes, self.wakes.append)  # type: ignore[arg-type, return-value]

    async def add(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)
            assert await added.add(self.shelf, self.folder / name) == ["added"]

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[Callable[[], None]]:
        running = asyncio.create_task(self.describing.run())
        try:
            yield self.wakes[0]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def running(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_captions_come_when_somebody_sees(desk: Desk) -> None:
    async def main() -> None:
        await desk.add("a.md", "b.md", "c.md")
        (desk.folder / "b.md").write_text("another")
        (desk.folder / "c.md").unlink()
        async with desk.runs() as wake:
            desk.eyes.why = ""
            wake()
            await until(lambda: added.texts(desk.kept) == [*["Picture."] * 3, "a boat"])
            wake()
            await desk.shelf.follow()
        assert desk.eyes.shown == ["a.md"], "another file, and none, are left to whoever adds them"
        assert len(await desk.shelf.list()) == 3
        assert await added.add(desk.shelf, desk.folder / "a.md") == ["unchanged"] and desk.eyes.shown == ["a.md"]

    running(main())


def test_what_nobody_describes_is_left_alone(desk: Desk) -> None:
    async def main() -> None:
        names = [f"{letter}.md" for letter in "abcdefgh"]
        await desk.add(*names)
        desk.eyes.why = desk.eyes.told = ""
        async with desk.runs() as wake:
            await until(lambda: len(desk.eyes.shown) == describing.MAX_FAILED)

            def tried() -> bool:
                wake()
                return not desk.shelf.undescribed()

            await until(tried)
        assert sorted(desk.eyes.shown) == sorted(names * shelf.CAPTION_TRIES)

    running(main())
