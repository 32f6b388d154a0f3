"""Links to the other rooms, and whether all hold the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Route


async def status(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.peering.status()


async def verify(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.peering.verify()


async def trace(node: NodeFace, call: Call) -> AsyncGenerator[dict[str, Any], None]:
    return node.peering.trace(call.path["peer"])


_VERDICT = ("agree", "digest", "documents", "peers")

ROUTES = (
    Route("GET", "/api/v2/sync", "Links and what is still to be sent.", status, ("peers", "records", "documents")),
    Route("GET", "/api/v2/sync/verification", "Compare digests with every peer.", verify, _VERDICT),
    Route("GET", "/api/v2/sync/peers/{peer}/trace", "Messages as they go.", trace, ("event", "node_id"), streams=True),
)
