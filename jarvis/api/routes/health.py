"""Is it alive, can it work, and how well."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Route


async def alive(node: NodeFace, call: Call) -> dict[str, Any]:
    return {"alive": True}


async def health(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.status()


ROUTES = (
    Route("GET", "/healthz", "The process is alive.", alive, ("alive",), open=True),
    Route("GET", "/api/v2/health", "Health of the node and its parts.", health, ("health", "components", "uptime_s")),
)
