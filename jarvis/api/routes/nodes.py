"""This node, the home's nodes, and the invitation of one more."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Invitation(Fields):
    name: str | None = Field(None, max_length=200)
    room: str | None = Field(None, max_length=200)


class Naming(Fields):
    name: str | None = Field(None, max_length=200)
    room: str | None = Field(None, max_length=200)


async def info(node: NodeFace, call: Call) -> dict[str, Any]:
    return node.info()


async def nodes(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.nodes()


async def invite(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.invite(call.body.name, call.body.room)


async def remove(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.remove_node(call.path["node"])


async def rename_self(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.rename(None, call.body.name, call.body.room)


async def rename(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.rename(call.path["node"], call.body.name, call.body.room)


async def quarantine(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.quarantine()


_SELF = (
    "node_id", "name", "room", "home_id", "home_name", "roles", "version", "api_url", "peer_port", "data_dir",
    "incarnation",
)  # fmt: skip
_ROW = ("node_id", "name", "room", "roles", "online", "last_seen", "rtt_ms")
_NAMED = ("node_id", "name", "room")
_ASIDE = ("author", "seq", "reason", "document", "content")
_BASE = "/api/v2/nodes"

ROUTES = (
    Route("GET", _BASE, "List the home's nodes.", nodes, _ROW, many=True),
    Route("GET", _BASE + "/self", "This node.", info, _SELF),
    Route("POST", _BASE + "/invitations", "Make a code.", invite, ("code", "expires_at"), body=Invitation),
    Route("PATCH", _BASE + "/self", "Name this node, or its room.", rename_self, _NAMED, body=Naming),
    Route("PATCH", _BASE + "/{node}", "Name a node, or its room.", rename, _NAMED, body=Naming),
    Route("DELETE", _BASE + "/{node}", "Remove a node for good.", remove, ("node_id", "removed")),
    Route("GET", "/api/v2/quarantine", "What is kept and does not count.", quarantine, _ASIDE, many=True),
)
