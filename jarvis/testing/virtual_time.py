"""An asyncio loop whose time jumps to the next timer as soon as nothing else is to be done: minutes of waiting pass in
microseconds, always in the same order. For code without real sockets, threads or processes: it would not wait for
them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Begins at 0 s. `time()` moves only when every ready callback has run."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0

    def time(self) -> float:
        return self._virtual_s

    def _run_once(self) -> None:
        # asyncio has no hook for this; `_ready` and `_scheduled` have been what they are since Python 3.4.
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._virtual_s = max(self._virtual_s, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run_virtual(main: Callable[[], Awaitable[T]], within_s: float = 3_600.0) -> T:
    """Run `main()` to its end in virtual time; TimeoutError after `within_s` virtual seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(within_s):
            return await main()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(bounded())
