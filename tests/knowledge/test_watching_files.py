"""The system tells what changes in a folder, at once and without being asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import StoreFailed
from jarvis.knowledge.files.watching import changes


def test_what_appears_changes_moves_and_goes_is_told(tmp_path: Path) -> None:
    folder, other = tmp_path / "papers", tmp_path / "other"
    for one in (folder, other):
        one.mkdir()

    async def main() -> None:
        stop, seen, told = asyncio.Event(), set[Path](), asyncio.Event()

        async def watch() -> None:
            async with contextlib.aclosing(changes([folder], stop)) as found:
                async for paths in found:
                    seen.update(paths)
                    told.set()

        async def until(path: Path) -> None:
            async with asyncio.timeout(20):
                while path not in seen:
                    told.clear()
                    await told.wait()

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)  # it watches from its first step on
        (folder / "a.md").write_text("words")
        (other / "b.md").write_text("words")
        await until(folder / "a.md")
        seen.clear()
        (other / "b.md").rename(folder / "b.md")
        (folder / "a.md").unlink()
        await until(folder / "b.md")
        await until(folder / "a.md")
        assert all(path.is_relative_to(folder) for path in seen)
        stop.set()
        async with asyncio.timeout(10):
            await watching

    asyncio.run(main())


def test_a_system_that_watches_no_more_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def awatch(*folders: Path, **_: Any) -> AsyncGenerator[set[Any], None]:
        raise OSError("OS file watch limit reached.")
        yield set()

    monkeypatch.setattr("watchfiles.awatch", awatch)

    async def main() -> None:
        async with contextlib.aclosing(changes([tmp_path], asyncio.Event())) as found:
            await anext(found)

    with pytest.raises(StoreFailed, match="watch limit reached") as error:
        asyncio.run(main())
    assert "max_user_watches" in error.value.fix
