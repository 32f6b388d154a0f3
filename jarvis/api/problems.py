"""Errors as they cross the wire: `application/problem+json` (RFC 9457) with our `fix` and `retry`, and back again, so
that a command ends with the same sentence and exit code as if the node had raised in its own process. Pure."""

from __future__ import annotations

from typing import Any

from jarvis.core import errors
from jarvis.core.errors import JarvisError

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:jarvis:error:"

_STATUS: dict[type[JarvisError], int] = {
    errors.Unreachable: 503,
    errors.DeadlineExceeded: 504,
    errors.Overloaded: 429,
    errors.EngineFailed: 502,
    errors.Temporary: 503,
    errors.NotFound: 404,
    errors.InvalidBytes: 400,
    errors.InvalidInput: 400,
    errors.NotAllowed: 403,
    errors.BadConfiguration: 409,
    errors.Missing: 424,
    errors.PluginFailed: 502,
    errors.StoreFailed: 507,
    errors.StoreFull: 507,
    errors.Permanent: 422,
    JarvisError: 500,
}
_BY_NAME = {kind.__name__: kind for kind in _STATUS}


class TooLarge(errors.InvalidInput):
    """A body over its limit."""


def status_of(error: JarvisError) -> int:
    if isinstance(error, TooLarge):
        return 413
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def problem(error: JarvisError, status: int | None = None) -> dict[str, Any]:
    """The body of an answer that refuses."""
    kind = next(kind for kind in type(error).__mro__ if kind in _STATUS)
    return {
        "type": _TYPE + kind.__name__,
        "title": kind.__name__,
        "status": status or status_of(error),
        "detail": str(error),
        "fix": error.fix,
        "retry": error.retry,
    }


def error_of(body: Any) -> JarvisError | None:
    """The error behind a problem; None when it is none of ours."""
    if not isinstance(body, dict):
        return None
    kind = _BY_NAME.get(str(body.get("type", "")).removeprefix(_TYPE))
    return None if kind is None else kind(str(body.get("detail", "")), fix=str(body.get("fix", "")))
