"""What others have added to this node, and whether it is on."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Wanted(Fields):
    enabled: bool


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.plugins.list()


async def info(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.plugins.info(call.path["plugin"])


async def change(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.plugins.set(call.path["plugin"], call.body.enabled)


_ROW = ("name", "version", "summary", "source", "place", "enabled", "state", "problem", "faults", "gives")
_PLUGIN = "/api/v2/plugins/{plugin}"

ROUTES = (
    Route("GET", "/api/v2/plugins", "List the plugins.", listing, _ROW, many=True),
    Route("GET", _PLUGIN, "One plugin.", info, _ROW),
    Route("PUT", _PLUGIN, "Switch a plugin on or off.", change, _ROW, body=Wanted),
)
