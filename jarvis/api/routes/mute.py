"""Whether this node may hear."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Wanted(Fields):
    muted: bool


async def status(node: NodeFace, call: Call) -> dict[str, Any]:
    return node.mute.status()


async def change(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.mute.set(call.body.muted)


_STATE = ("muted", "microphone")

ROUTES = (
    Route("GET", "/api/v2/mute", "Whether this node may hear.", status, _STATE),
    Route("PUT", "/api/v2/mute", "Mute this node, or let it hear.", change, _STATE, body=Wanted),
)
