"""What the home knows: documents given to a node, and passages of them, from any room."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Given(Fields):
    path: str = Field(min_length=1, max_length=4_096, description="A file or a folder on the node's machine.")


class Question(Fields):
    q: str = Field(min_length=1, max_length=1_000)
    k: int = Field(5, ge=1, le=16, description="How many passages at most.")
    here: bool = Field(False, description="Ask this node alone.")


class Where(Fields):
    room: str = Field("here", max_length=200, description='A room of the home; "here" is the one of this node.')


async def listing(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.knowledge.list()


async def add(node: NodeFace, call: Call) -> AsyncGenerator[dict[str, Any], None]:
    return node.knowledge.add(call.body.path)


async def search(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.search(call.query.q, call.query.k, here=call.query.here)


async def remove(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.remove(call.path["document"])


async def reindex(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.reindex()


async def pin(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.pin(call.path["document"], call.body.room)


async def unpin(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.unpin(call.path["document"], call.body.room)


async def watched(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.knowledge.watched()


async def watch(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.watch(call.body.path)


async def unwatch(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.knowledge.unwatch(call.body.path)


_PATH = "/api/v2/knowledge"
_DOCUMENT = (
    "document_id", "title", "holder", "node_id", "online", "chunks", "bytes", "at", "source", "waiting", "copies",
    "outdated", "refused",
)  # fmt: skip
_PINNED = ("document_id", "title", "copies")
_FOLDER = ("path", "state", "done", "files", "documents", "refused", "problem", "read_at")
_FILE = ("path", "state", "document_id", "title", "chunks", "reason")

ROUTES = (
    Route("GET", _PATH, "List the home's documents.", listing, _DOCUMENT, many=True),
    Route("POST", _PATH, "Add a file or a folder to this node's library.", add, _FILE, body=Given, streams=True),
    Route(
        "GET", f"{_PATH}/search", "Find passages, in every room.", search, ("results", "by_meaning", "silent"),
        query=Question,
    ),
    Route("POST", f"{_PATH}/reindex", "Make this node's indexes anew.", reindex, ("documents", "chunks")),
    Route(
        "DELETE", f"{_PATH}/{{document}}", "Erase a document in every room.", remove,
        ("document_id", "title", "removed"),
    ),
    Route("POST", f"{_PATH}/{{document}}/pin", "Let a room keep a copy of a document.", pin, _PINNED, body=Where),
    Route("POST", f"{_PATH}/{{document}}/unpin", "Erase a room's copy of a document.", unpin, _PINNED, body=Where),
    Route("GET", f"{_PATH}/watched", "List the folders that this node follows.", watched, _FOLDER, many=True),
    Route("POST", f"{_PATH}/watch", "Follow a folder from now on.", watch, _FOLDER, body=Given),
    Route("POST", f"{_PATH}/unwatch", "Follow a folder no more; what was read stays.", unwatch, _FOLDER, body=Given),
)  # fmt: skip
