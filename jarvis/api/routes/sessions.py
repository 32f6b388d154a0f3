"""Conversations, from every room of the home."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class NewSession(Fields):
    title: str | None = Field(None, max_length=200)
    private: bool = False
    """It never leaves this node."""


class Which(Fields):
    archived: bool = False
    """Those that were put away, instead of those in use."""


class Change(Fields):
    title: str | None = Field(None, min_length=1, max_length=200)
    archived: bool | None = None


class Export(Fields):
    format: Literal["json", "md"] = "json"


async def sessions(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.sessions.list(archived=call.query.archived)


async def new(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.sessions.new(call.body.title, private=call.body.private)


async def show(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.sessions.show(call.path["session"])


async def change(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.sessions.change(call.path["session"], title=call.body.title, archived=call.body.archived)


async def delete(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.sessions.delete(call.path["session"])


async def export(node: NodeFace, call: Call) -> dict[str, Any]:
    text = await node.sessions.export(call.path["session"], call.query.format)
    return {"format": call.query.format, "text": text}


_ROW = ("session_id", "title", "room", "turns", "updated_at", "archived", "private")
_SHOWN = ("session_id", "title", "archived", "private", "turns")
_CHANGED = ("session_id", "title", "archived", "private")
_BASE = "/api/v2/sessions"

ROUTES = (
    Route("GET", _BASE, "List the sessions.", sessions, _ROW, many=True, query=Which),
    Route("POST", _BASE, "Begin a session.", new, ("session_id",), body=NewSession),
    Route("GET", _BASE + "/{session}", "One session with its turns.", show, _SHOWN),
    Route("PATCH", _BASE + "/{session}", "Rename a session, or put it away.", change, _CHANGED, body=Change),
    Route("DELETE", _BASE + "/{session}", "Delete a session for good.", delete, ("session_id", "deleted")),
    Route("GET", _BASE + "/{session}/export", "A session as text.", export, ("format", "text"), query=Export),
)
