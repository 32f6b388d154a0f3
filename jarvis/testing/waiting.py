"""Waiting in a test's own loop for what happens elsewhere: in sockets, in other tasks, in the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WITHIN_S = 20.0
LOOK_EVERY_S = 0.005


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Wait for what nothing here can signal. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)
