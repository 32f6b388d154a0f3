"""A route as data: the router, the checks of what comes in, and openapi.json are all made from the same table, so that
none of them can tell a different story. Handlers get checked values and give JSON; they never see HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from jarvis.api.face import NodeFace

BODY_BYTES = 64 * 1024
"""The longest text most routes take is 16 KiB."""


class Fields(BaseModel):
    """What a caller may send. Strangers among the fields are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Fields):
    """No fields at all."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked."""

    path: dict[str, str]
    query: Any
    """An instance of the route's `query`."""
    body: Any
    """An instance of the route's `body`; bytes when the route takes audio; None without one."""


Handler = Callable[[NodeFace, Call], Awaitable[Any]]
"""Gives the answer; of a route that streams, the async generator of its lines."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    """With `{name}` for each part that varies."""
    summary: str
    handler: Handler
    gives: tuple[str, ...] = ()
    """The fields that every answer has, or every member of it when `many`. More may come with them."""
    many: bool = False
    query: type[Fields] = Nothing
    body: type[Fields] | None = None
    body_bytes: int = BODY_BYTES
    audio: bool = False
    """The body is a sound file."""
    streams: bool = False
    """One JSON object a line, until the caller leaves."""
    open: bool = field(default=False)
    """Needs no token. Such a route tells nothing but that something is alive."""
