"""`/api/v2/events`: what happens in the node, as it happens, one JSON object a WebSocket message. The first says
`subscribed`: what a caller does after it is seen. Who reads too slowly loses the oldest and is told how many."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSCloseCode, web

from jarvis.api.face import NodeFace
from jarvis.core.errors import Overloaded
from jarvis.core.events import Subscription
from jarvis.core.time import Clock

HEARTBEAT_S = 20.0
MAX_LISTENERS = 32
"""A dashboard or two, a script, a demo; each holds up to a queue of events."""
INCOMING_BYTES = 1_024
"""Nothing is expected from a listener."""


class EventSockets:
    """Every open listener of one server."""

    def __init__(self, node: NodeFace, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._open: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        if len(self._open) >= MAX_LISTENERS:
            raise Overloaded(f"{MAX_LISTENERS} listeners are connected already.", fix="Close one of them.")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=INCOMING_BYTES)
        self._open.add(socket)
        try:
            await socket.prepare(request)
            with self._node.events.subscribe() as events:
                await socket.send_json({"event": "subscribed", "at_ms": self._clock.mono_ms(), "turn": ""})
                async with asyncio.TaskGroup() as group:
                    telling = group.create_task(_tell(socket, events))
                    async for _ in socket:  # nothing a listener says is used; it ends when the listener leaves
                        pass
                    telling.cancel()
        finally:
            self._open.discard(socket)
        return socket

    async def close(self) -> None:
        for socket in [one for one in self._open if one.prepared]:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the node stops")


async def _tell(socket: web.WebSocketResponse, events: Subscription) -> None:
    """Ends when the listener has left."""
    told_lost = 0
    try:
        async for event in events:
            if events.lost > told_lost:
                await socket.send_json({"event": "lost", "count": events.lost - told_lost, "turn": ""})
                told_lost = events.lost
            await socket.send_str(json.dumps(event.as_dict(), default=str))
    except ConnectionError:
        return
