"""An asyncio loop whose time jumps to the next timer as soon as nothing else is to be done: minutes of waiting pass in
microseconds, always in the same order. For code without real sockets, threads or processes: it would not wait for
them."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where asyncio would sleep until the next timer, time jumps there."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise RuntimeError("Nothing is left that could happen: every task waits for another.")
        self.now_s += max(timeout, 0.0)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Begins at 0 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_virtual(main: Callable[[], Awaitable[T]], within_s: float = 3_600.0) -> T:
    """Run `main()` to its end in virtual time; TimeoutError after `within_s` virtual seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(within_s):
            return await main()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(bounded())
