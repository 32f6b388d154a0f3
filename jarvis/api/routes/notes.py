"""Notes and lists, edited together."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route

MAX_BASE_CHARS = 200_000
"""Twice what a note may hold, since two rooms may have filled it at once."""
MAX_EDITS_BYTES = 3 * 2**20
"""That, at twelve bytes for a character that JSON spells as two escapes, and the edits."""


class NewLine(Fields):
    text: str = Field(min_length=1, max_length=10_000)


class Edit(Fields):
    position: int = Field(ge=0, description="In `base`, in Unicode scalar values.")
    delete: int = Field(0, ge=0, description="How many to delete from there on.")
    insert: str = Field("", max_length=10_000, description="What to insert there then.")


class Edits(Fields):
    base: str = Field(max_length=MAX_BASE_CHARS, description="The note's text as it was when the changes were made.")
    edits: list[Edit] = Field(max_length=500, description="Ascending, not overlapping.")


async def notes(node: NodeFace, call: Call) -> list[dict[str, Any]]:
    return await node.notes.list()


async def show(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.notes.show(call.path["note"])


async def add(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.notes.add(call.path["note"], call.body.text)


async def edit(node: NodeFace, call: Call) -> dict[str, Any]:
    edits = [(one.position, one.delete, one.insert) for one in call.body.edits]
    return await node.notes.edit(call.path["note"], call.body.base, edits)


_ROW = ("note_id", "title", "text", "updated_at")
_ONE = "/api/v2/notes/{note}"

ROUTES = (
    Route("GET", "/api/v2/notes", "List the notes.", notes, _ROW, many=True),
    Route("GET", _ONE, "One note.", show, _ROW),
    Route("POST", _ONE, "Add a line to a note, or begin it.", add, _ROW, body=NewLine),
    Route(
        "POST",
        _ONE + "/edits",
        "Change a note; what others changed meanwhile stays.",
        edit,
        _ROW,
        body=Edits,
        body_bytes=MAX_EDITS_BYTES,
    ),
)
