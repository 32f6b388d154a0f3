"""From a request to a checked Call. Bodies are counted while they arrive and given up at their limit, whatever the
Content-Length claimed; fields are checked against the route's own model."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from jarvis.api.problems import TooLarge
from jarvis.api.route import Call, Fields, Route
from jarvis.core.errors import DeadlineExceeded, InvalidInput

AUDIO_BYTES = 32 * 1024 * 1024
"""Ten minutes, the longest a node hears, are 19 MB at 16 kHz mono."""
BODY_DEADLINE_S = 30.0
"""A caller on this machine sends 32 MiB in under a second."""


async def call_of(route: Route, request: web.Request) -> Call:
    """Raises InvalidInput, TooLarge or DeadlineExceeded."""
    query = _checked(route.query, dict(request.query))
    body: Any = None
    if route.audio:
        body = await read_body(request, AUDIO_BYTES)
        if not body:
            raise InvalidInput("No sound came with the request.", fix="Send a WAV or FLAC file as the body.")
    elif route.body is not None:
        body = _checked_json(route.body, await read_body(request, route.body_bytes))
    return Call(dict(request.match_info), query, body)


async def read_body(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise DeadlineExceeded("The request's body did not arrive in time.", fix="Try again.") from None
    return bytes(data)


def _too_large(limit: int) -> TooLarge:
    size = f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
    return TooLarge(f"The request is over the limit of {size}.", fix="Send less.")


def _checked(model: type[Fields], fields: dict[str, str]) -> Fields:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _refused(error) from None


def _checked_json(model: type[Fields], data: bytes) -> Fields:
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise _refused(error) from None


def _refused(error: ValidationError) -> InvalidInput:
    """Names the field and the rule, never the value: it may be what somebody said."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return InvalidInput("The request's body is not valid JSON.", fix="See /openapi.json.")
    what = f"The field {where!r}" if where else "The request"
    return InvalidInput(f"{what} is not valid: {first['msg']}.", fix="See /openapi.json.")
