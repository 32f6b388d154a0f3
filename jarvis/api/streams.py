"""Answers that go on until somebody leaves: one JSON object a line (`application/x-ndjson`). An empty line every few
seconds says that the node is still there. The first object is awaited before anything is sent, so that what goes wrong
at once is a problem like any other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from jarvis.core.errors import Overloaded

CONTENT_TYPE = "application/x-ndjson"
BEAT_S = 5.0
"""Well under the half minute that a caller waits for a line."""
MAX_STREAMS = 16
"""Somebody watching a few peers. Each holds up to a queue of lines."""


class Streams:
    """Every stream of one server."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()
        self._count = 0

    async def answer(self, request: web.Request, items: AsyncGenerator[Any, None]) -> web.StreamResponse:
        if self._count >= MAX_STREAMS:
            raise Overloaded(f"{MAX_STREAMS} streams are open already.", fix="Close one of them.")
        self._count += 1
        try:
            async with contextlib.aclosing(items):
                return await self._run(request, items)
        finally:
            self._count -= 1

    async def _run(self, request: web.Request, items: AsyncGenerator[Any, None]) -> web.StreamResponse:
        first = await anext(items)
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(_line(first))
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(response, items))
            beating = group.create_task(_beat(response))
            self._open.add(telling)
            telling.add_done_callback(self._open.discard)
            telling.add_done_callback(lambda _: beating.cancel())
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        return response

    async def close(self) -> None:
        """End them all; those who listen see the end of the answer."""
        for task in tuple(self._open):
            task.cancel()


async def _tell(response: web.StreamResponse, items: AsyncGenerator[Any, None]) -> None:
    with contextlib.suppress(ConnectionError):
        async for item in items:
            await response.write(_line(item))


async def _beat(response: web.StreamResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(BEAT_S)
            await response.write(b"\n")


def _line(item: Any) -> bytes:
    return json.dumps(item, default=str).encode() + b"\n"
