"""Timers that run."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Route


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.timers.list()


async def cancel(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.timers.cancel(call.path["timer"])


_ROW = ("timer_id", "name", "remaining_s", "rings_at", "node_id")

ROUTES = (
    Route("GET", "/api/v2/timers", "List the timers.", listing, _ROW, many=True),
    Route("DELETE", "/api/v2/timers/{timer}", "Cancel a timer.", cancel, ("timer_id", "cancelled")),
)
