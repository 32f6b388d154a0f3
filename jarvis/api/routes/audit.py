"""Who did what, and whether the log still holds."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Filter(Fields):
    since: str | None = Field(None, max_length=64)
    action: str | None = Field(None, max_length=200)


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.audit.list(call.query.since, call.query.action)


async def verify(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.audit.verify()


_ROW = ("at", "node_id", "actor", "action", "target", "outcome", "detail")
_VERDICT = ("ok", "records", "problems")

ROUTES = (
    Route("GET", "/api/v2/audit", "List the audit log.", listing, _ROW, many=True, query=Filter),
    Route("GET", "/api/v2/audit/verification", "Check every signature and chain.", verify, _VERDICT),
)
