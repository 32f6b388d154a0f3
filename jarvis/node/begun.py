"""Work that begins while its owner runs and ends with it: what other nodes ask for comes at any time, and nothing of it
may outlast the node."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Begun:
    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def begin(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T] | None:
        """None, and nothing is begun, when it does not run."""
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work, name=name)
