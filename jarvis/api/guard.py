"""What every request passes before a handler sees it: it must name this machine (a page on the web that rebinds its
own name to loopback does not), and it must carry the token. What goes wrong behind it leaves as a problem, never as a
traceback, and nothing a person said goes into the log."""

from __future__ import annotations

import hmac
import traceback
from collections.abc import Awaitable, Callable, Container
from typing import Any

import structlog
from aiohttp import web

from jarvis.api import problems
from jarvis.core.errors import JarvisError, NotAllowed

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def refusal(error: JarvisError, status: int | None = None) -> web.Response:
    body = problems.problem(error, status)
    return web.json_response(body, status=body["status"], content_type=problems.CONTENT_TYPE)


@web.middleware
async def errors_become_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except JarvisError as error:
        return refusal(error)
    except web.HTTPException as error:
        return web.json_response(_plain_problem(error.status, error.reason), **_as_problem(error.status))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        log.error("request failed", error=type(error).__name__, file=at.filename, line=at.lineno)
        log.debug("request failed", exc_info=True)
        return web.json_response(_plain_problem(500, "The node met an error it did not expect."), **_as_problem(500))


def _plain_problem(status: int, detail: str) -> dict[str, Any]:
    fix = "Look at the node's log." if status >= 500 else "See /openapi.json."
    return {"type": "about:blank", "title": detail, "status": status, "detail": detail, "fix": fix, "retry": False}


def _as_problem(status: int) -> dict[str, Any]:
    return {"status": status, "content_type": problems.CONTENT_TYPE}


@web.middleware
async def only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.headers.get("Host", "")
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    if name.lower() not in _HOSTS:
        raise NotAllowed("This API answers to localhost only.", fix="Use the address that `jarvis node info` shows.")
    return await handler(request)


def only_with_token(token: str, open_paths: Container[str]) -> Any:
    """A middleware that lets through who bears the token; it compares in constant time."""
    expected = token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in open_paths:
            return await handler(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
        if scheme.lower() != "bearer" or not same:
            answer = refusal(
                NotAllowed("This needs the node's token.", fix="Send it as `Authorization: Bearer TOKEN`."), 401
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return await handler(request)

    return check
