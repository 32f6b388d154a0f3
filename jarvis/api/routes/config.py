"""What the home agreed on, what a node keeps for itself, where two rooms set different values, and this device's own
settings files."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Of(Fields):
    node: str | None = Field(None, max_length=200)
    """As that node sees it: an id, a prefix of one, or a name."""


class Where(Of):
    local: bool = False
    """On this node only, never replicated."""


class Value(Fields):
    value: str = Field(max_length=16_384)
    node: str | None = Field(None, max_length=200)
    local: bool = False


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.config.list(call.query.node)


async def get(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.config.get(call.path["key"], call.query.node)


async def put(node: NodeFace, call: Call) -> dict[str, Any]:
    value: Value = call.body
    return await node.config.set(call.path["key"], value.value, node=value.node, local=value.local)


async def unset(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.config.unset(call.path["key"], node=call.query.node, local=call.query.local)


async def conflicts(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.config.conflicts()


async def settings(node: NodeFace, call: Call) -> dict[str, Any]:
    return node.settings.state()


async def reload(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.settings.reload()


_SETTINGS = ("environment", "files", "problem", "at_next_start")
_ENTRY = ("key", "value", "source", "set_by", "at")
_KEY = "/api/v2/config/{key}"

ROUTES = (
    Route("GET", "/api/v2/config", "List the configuration.", listing, _ENTRY, many=True, query=Of),
    Route("GET", "/api/v2/conflicts", "Keys with several values.", conflicts, ("key", "node", "values"), many=True),
    Route("GET", _KEY, "One key.", get, _ENTRY, query=Of),
    Route("PUT", _KEY, "Set a key.", put, _ENTRY, body=Value),
    Route("GET", "/api/v2/settings", "This device's settings files.", settings, _SETTINGS),
    Route("POST", "/api/v2/settings/reload", "Read them now.", reload, _SETTINGS),
    Route("DELETE", _KEY, "Take a key's value away.", unset, ("key", "unset"), query=Where),
)
