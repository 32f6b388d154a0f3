"""Folders that the library follows: what is new or changed in them is added again, what is gone from them is removed.

A folder that is not there, or all at once empty, is taken for one that is not mounted: nothing is removed for it. Which
folders are followed is this node's own business and stays in its store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidInput, JarvisError, NotFound
from jarvis.knowledge.files.walking import Refused, files_in, given, inside, kind_of
from jarvis.knowledge.files.watching import changes
from jarvis.node.records.journal import Journal
from jarvis.node.texts import iso_time

KEY = "library/watched"
"""Where the paths lie in the store."""
MAX_FOLDERS = 32
MAX_PENDING = 2_000
"""Changed paths that wait; with more the folders are read as a whole."""
MAX_REASONS = 20
"""Refused files told of a folder; `knowledge add` tells all."""
LOOK_S = 60.0
"""So often it is looked whether folders came or went as a whole, which the system does not tell."""

log = structlog.get_logger()
Row = dict[str, Any]


class Documents(Protocol):
    """What is used of the library's shelf."""

    async def settled(self) -> None:
        """Until it is known which documents there are."""

    def sources(self) -> dict[str, str]:
        """The path of each document that was read from a file here, and its id."""

    def suffixes(self) -> frozenset[str]: ...
    def add_files(self, files: Sequence[Path | Refused]) -> AsyncGenerator[Row, None]: ...
    async def add_project(self, folder: Path, files: Sequence[Path | Refused]) -> Row | None: ...
    async def remove(self, wanted: str) -> Row: ...


@dataclass(slots=True)
class _Folder:
    path: Path
    state: str = "waiting"
    """waiting, reading, watched or missing."""
    done: int = 0
    files: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    """Why, by path."""
    problem: str = ""
    read_ms: int = 0

    def holds(self, source: str | Path) -> bool:
        return Path(source).is_relative_to(self.path)


class _Missing(InvalidInput):
    """A watched folder is not there, or empty."""


def _missing(folder: Path) -> _Missing:
    return _Missing("It is not there, or empty. What was read of it is kept.", fix=f"Is {folder} mounted?")


class Watching:
    def __init__(self, journal: Journal, documents: Documents, wall_ms: Callable[[], int]) -> None:
        self._journal, self._documents, self._wall_ms = journal, documents, wall_ms
        self._folders: dict[Path, _Folder] = {}
        self._loaded = asyncio.Event()
        self._choosing = asyncio.Lock()
        self._stop = asyncio.Event()
        """Set when other folders are to be watched than now."""
        self._pending: set[Path] = set()
        self._news = asyncio.Event()

    # --- what people do -------------------------------------------------------------------------------------------

    async def list(self) -> list[Row]:
        await self._loaded.wait()
        sources = self._documents.sources()
        return [self._row(one, sources) for one in self._folders.values()]

    async def begin(self, path: str) -> Row:
        """Follow a folder from now on. Raises InvalidInput for what is none, or lies in one that is followed."""
        folder = await asyncio.to_thread(given, path)
        if kind_of(folder) != "folder":
            raise InvalidInput(f"{folder} is not a folder.", fix="Add a single file with `jarvis knowledge add`.")
        await self._loaded.wait()
        async with self._choosing:
            for other in self._folders:
                if folder != other and (folder.is_relative_to(other) or other.is_relative_to(folder)):
                    fix = f"`jarvis knowledge unwatch {other}` ends that."
                    raise InvalidInput(f"{other} is watched already.", fix=fix)
            if folder not in self._folders:
                if len(self._folders) >= MAX_FOLDERS:
                    raise InvalidInput(f"No more than {MAX_FOLDERS} folders are watched.")
                await self._keep([*self._folders, folder])
        return self._row(self._folders[folder], self._documents.sources())

    async def end(self, path: str) -> Row:
        """What was read of it stays. Raises NotFound."""
        await self._loaded.wait()
        try:
            folder = await asyncio.to_thread(lambda: Path(path).resolve())
        except (OSError, RuntimeError, ValueError):  # a loop, or what is no path at all
            raise NotFound("That is not watched.", fix="`jarvis knowledge watched` shows which are.") from None
        async with self._choosing:
            if folder not in self._folders:
                raise NotFound(f"{folder} is not watched.", fix="`jarvis knowledge watched` shows which are.")
            row = self._row(self._folders[folder], self._documents.sources())
            await self._keep([one for one in self._folders if one != folder])
        return row | {"state": "ended"}

    async def _keep(self, folders: Sequence[Path]) -> None:
        await self._journal.change_local(lambda tx: tx.put(KEY, pack([str(one) for one in folders])))
        self._take(folders)
        self._stop.set()
        self._news.set()

    def _take(self, folders: Iterable[Path]) -> None:
        self._folders = {one: self._folders.get(one) or _Folder(one) for one in folders}

    def _row(self, one: _Folder, sources: dict[str, str]) -> Row:
        return {
            "path": str(one.path),
            "state": one.state,
            "done": one.done,
            "files": one.files,
            "documents": sum(map(one.holds, sources)),
            "refused": [{"path": path, "reason": why} for path, why in one.refused.items()],
            "problem": one.problem,
            "read_at": iso_time(one.read_ms) if one.read_ms else None,
        }

    # --- following ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        stored = await self._journal.read(lambda tx, _: tx.get(KEY))
        self._take(Path(one) for one in (unpack(stored) if stored else ()))
        self._loaded.set()
        await self._documents.settled()
        while True:
            self._stop, self._news = asyncio.Event(), asyncio.Event()
            self._pending.clear()
            there = [one for one in self._folders if kind_of(one) == "folder"]
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(there, self._stop), name="watch")
                await self._follow(there, self._stop)
                self._stop.set()
                watching.cancel()

    async def _watch(self, folders: Sequence[Path], stop: asyncio.Event) -> None:
        if not folders:
            return
        try:
            async with contextlib.aclosing(changes(folders, stop)) as told:
                async for paths in told:
                    if len(self._pending) <= MAX_PENDING:
                        self._pending |= paths
                    self._news.set()
        except JarvisError as error:
            log.warning("folders are not watched", reason=type(error).__name__)
            for folder in self._folders.values():
                folder.problem = f"{error} {error.fix}".strip()

    async def _follow(self, there: Sequence[Path], stop: asyncio.Event) -> None:
        """Read all of the folders, then what changes, until other folders are to be watched or are there."""
        await self._read_all(stop)
        while not stop.is_set() and there == [one for one in self._folders if kind_of(one) == "folder"]:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            self._news.clear()
            paths, self._pending = self._pending, set()
            if len(paths) > MAX_PENDING:
                await self._read_all(stop)
            elif paths:
                await self._read_some(paths)

    async def _read_all(self, stop: asyncio.Event) -> None:
        for folder in list(self._folders.values()):
            if not stop.is_set():
                await self._tried(folder, self._read_folder(folder, stop))

    async def _read_some(self, paths: set[Path]) -> None:
        for folder in list(self._folders.values()):
            some = {path for path in paths if folder.holds(path)}
            if some:
                await self._tried(folder, self._read_changes(folder, some))

    async def _tried(self, folder: _Folder, work: Awaitable[None]) -> None:
        """A folder that cannot be read hinders no other; it says why."""
        try:
            await work
            folder.read_ms = self._wall_ms()
        except _Missing as error:
            folder.state, folder.problem = "missing", str(error)
        except JarvisError as error:
            folder.state, folder.problem = "waiting", f"{error} {error.fix}".strip()
            log.warning("a watched folder was not read", reason=type(error).__name__)

    async def _read_folder(self, folder: _Folder, stop: asyncio.Event) -> None:
        if not await asyncio.to_thread(_holds_anything, folder.path):
            raise _missing(folder.path)
        suffixes = self._documents.suffixes()
        files = await asyncio.to_thread(lambda: list(files_in(folder.path, suffixes)))
        folder.problem = ""
        folder.refused.clear()
        await self._add(folder, files, stop)
        if not stop.is_set():
            await self._documents.add_project(folder.path, files)
            await self._remove_gone(folder, {folder.path})
            folder.state = "watched"

    async def _read_changes(self, folder: _Folder, paths: set[Path]) -> None:
        suffixes = self._documents.suffixes()

        def look() -> list[Path | Refused]:
            found: list[Path | Refused] = []
            for path in sorted(paths):
                if path == folder.path or not inside(folder.path, path):
                    continue
                if kind_of(path) == "folder":
                    found += files_in(path, suffixes)
                elif path.suffix.lower() in suffixes and kind_of(path) == "file":
                    found.append(path)
            return found

        if not await asyncio.to_thread(_holds_anything, folder.path):
            raise _missing(folder.path)
        for path in paths:
            folder.refused.pop(str(path), None)
        await self._add(folder, await asyncio.to_thread(look), self._stop)
        await self._remove_gone(folder, paths)
        folder.state = "watched"

    async def _add(self, folder: _Folder, files: Sequence[Path | Refused], stop: asyncio.Event) -> None:
        folder.state, folder.done, folder.files = "reading", 0, len(files)
        async with contextlib.aclosing(self._documents.add_files(files)) as rows:
            async for row in rows:
                folder.done += 1
                if row["state"] == "refused" and len(folder.refused) < MAX_REASONS:
                    folder.refused[row["path"]] = row["reason"]
                if stop.is_set():
                    return

    async def _remove_gone(self, folder: _Folder, below: Set[Path]) -> None:
        """Documents of files at or under these paths that are there no more. None when the folder itself has gone since
        it was looked at: reading it may have taken an hour."""
        sources = self._documents.sources()
        for source in await asyncio.to_thread(lambda: [one for one in sources if _is_below(Path(one), below)]):
            if await asyncio.to_thread(_is_gone, folder.path, Path(source)):
                if not await asyncio.to_thread(_holds_anything, folder.path):
                    raise _missing(folder.path)
                with contextlib.suppress(NotFound):  # somebody else was quicker
                    await self._documents.remove(sources[source])


def _is_below(path: Path, places: Set[Path]) -> bool:
    """At or under one of them: thousands of files may change at once, in a library of thousands."""
    return path in places or not places.isdisjoint(path.parents)


def _holds_anything(folder: Path) -> bool:
    """And is itself: a link in its place leads to somebody else's files."""
    try:
        return folder.resolve() == folder and any(folder.iterdir())
    except (OSError, RuntimeError):  # a loop
        return False


def _is_gone(folder: Path, path: Path) -> bool:
    """Not there, or no longer what is read in there. What only cannot be looked at is still there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return not inside(folder, path)
