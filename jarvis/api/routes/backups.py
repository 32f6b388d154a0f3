"""A backup of the home, sealed by the node before it leaves: nothing readable crosses this border."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route


class Seal(Fields):
    passphrase: str | None = Field(None, max_length=1_024)
    """Without it the backup is sealed to the home's recovery key."""


async def make(node: NodeFace, call: Call) -> AsyncGenerator[dict[str, Any], None]:
    return node.backups.make(call.body.passphrase)


_PIECE = ("data", "records", "of", "done")

ROUTES = (Route("POST", "/api/v2/backups", "Make a backup.", make, _PIECE, body=Seal, streams=True),)
