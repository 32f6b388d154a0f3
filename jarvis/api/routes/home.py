"""The home itself: what it is, and who owns it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Nothing, Route

_BASE = "/api/v2/home"
_INFO = ("home_id", "home_name", "owner_node", "owner_name", "term", "members", "entries", "horizon")
_OWNED = ("owner_node", "owner_name", "term")
_COMPACTED = ("declared", "missing", "records_held", "records_below")
_RECOVERED = ("node_id", "owner_node", "term", "recovery_phrase")


class To(Fields):
    node: str = Field(max_length=200)


class Stale(Fields):
    stale: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=64)


class Phrase(Fields):
    phrase: str = Field(max_length=500)


async def info(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.info()


async def hand_over(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.hand_over(call.body.node)


async def recover(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.recover(call.body.phrase)


async def compact(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.compact(call.body.stale)


async def leave(node: NodeFace, call: Call) -> dict[str, Any]:
    return await node.home.leave()


ROUTES = (
    Route("GET", _BASE, "The home, and which node owns it.", info, _INFO),
    Route("POST", _BASE + "/handover", "Make another node the owner's.", hand_over, _OWNED, body=To),
    Route("POST", _BASE + "/recovery", "Become the owner's node by the phrase.", recover, _RECOVERED, body=Phrase),
    Route("POST", _BASE + "/horizon", "Delete what everybody has.", compact, _COMPACTED, body=Stale),
    Route("POST", _BASE + "/departure", "Leave the home; the node ends.", leave, ("node_id", "left"), body=Nothing),
)
