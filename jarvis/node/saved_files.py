"""Files that people save while the node runs: looked at every two seconds, and whoever reads them is told once they are
others than before. For some dozen files a look is cheaper than being told by the system, and works on every disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

LOOK_S = 2.0
"""How long after a file was saved what it says may still be unknown."""

Seen = tuple[tuple[Path, int, int, int], ...]
"""(file, when it was changed, bytes, inode) of each: an inode, since a clock may stand still between two saves."""


class SavedFiles:
    """`find` gives the files of now, which need not all be there; `take_up` is awaited with those that are when one was
    changed, came or went, and at the beginning."""

    def __init__(
        self, find: Callable[[], Iterable[Path]], take_up: Callable[[Sequence[Path]], Awaitable[None]]
    ) -> None:
        self._find, self._take_up = find, take_up
        self._turn = asyncio.Lock()
        self._again = asyncio.Event()
        self._again.set()
        self._seen: Seen = ()

    def look_again(self) -> None:
        """Something else that counts has changed: take them up whether or not they were saved."""
        self._again.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.refresh()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._again.wait()
            except TimeoutError:
                pass

    async def refresh(self) -> None:
        """Look now."""
        async with self._turn:
            seen = await asyncio.to_thread(self._look)
            if seen == self._seen and not self._again.is_set():
                return
            self._again.clear()
            self._seen = seen
            await self._take_up([path for path, *_ in seen])

    def _look(self) -> Seen:
        found = []
        for path in self._find():
            try:
                state = path.stat()
            except OSError:
                continue  # it is not there, or went away just now
            found.append((path, state.st_mtime_ns, state.st_size, state.st_ino))
        return tuple(found)
