"""The home itself: what it is, and who owns it."""

from __future__ import annotations

from typing import Any

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Route

_BASE = "/api/v2/home"
_INFO = ("home_id", "home_name", "owner_node", "owner_name", "term", "members", "entries")


async def info(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.info()


ROUTES = (Route("GET", _BASE, "The home, and which node owns it.", info, _INFO),)
