"""The models at work, each in its own process."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Route


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.engines.list()


async def restart(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.engines.restart(call.path["engine"])


_ROW = ("name", "kind", "state", "pid", "rss_bytes", "restarts", "breaker", "detail")

ROUTES = (
    Route("GET", "/api/v2/engines", "List the engines.", listing, _ROW, many=True),
    Route("POST", "/api/v2/engines/{engine}/restart", "End an engine and load it again.", restart, _ROW),
)
