"""Timers and alarms of the home."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class NewTimer(Fields):
    length: str | None = Field(None, max_length=100, description="As people write it: 10m, 1h30, an hour and a half.")
    at: str | None = Field(None, max_length=100, description="Instead, a time of day: 7:30, 7 pm, every Monday at 8.")
    name: str = Field("", max_length=80)


class Changed(Fields):
    add: str | None = Field(None, max_length=100, description="More time, or less: 5m, -90s.")
    paused: bool | None = Field(None, description="Stop it for a while, or let it go on.")


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.timers.list()


async def make(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.timers.make(call.body.length, call.body.at, call.body.name)


async def change(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.timers.change(call.path["timer"], call.body.add, call.body.paused)


async def cancel(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.timers.cancel(call.path["timer"])


async def stop(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.timers.stop()


_ROW = ("timer_id", "name", "remaining_s", "rings_at", "node_id", "room", "seconds", "kind", "state", "every")
_ONE = "/api/v2/timers/{timer}"

ROUTES = (
    Route("GET", "/api/v2/timers", "List the timers.", listing, _ROW, many=True),
    Route("POST", "/api/v2/timers", "Set a timer or an alarm, to ring here.", make, _ROW, body=NewTimer),
    Route("POST", "/api/v2/timers/stop", "Stop whatever rings, in every room.", stop, ("stopped",)),
    Route("PATCH", _ONE, "Add or take away time, pause a timer or let it go on.", change, _ROW, body=Changed),
    Route("DELETE", _ONE, "Cancel a timer.", cancel, ("timer_id", "cancelled")),
)
