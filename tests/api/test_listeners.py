"""Closing the server while a listener is just coming in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from jarvis.api.events import EventSockets
from jarvis.core.time import SystemClock
from tests.api.double import ScriptedNode


def test_a_listener_that_is_not_in_yet_keeps_nobody_from_closing(tmp_path: Path) -> None:
    async def main() -> None:
        sockets = EventSockets(ScriptedNode(tmp_path), SystemClock())
        sockets._open.add(web.WebSocketResponse())  # its request was read, its answer is not on the way
        await sockets.close()

    asyncio.run(main())
