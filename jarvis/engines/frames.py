"""What a worker and its parent say to each other: a four-byte length, then one value of core.codec.

Both ends are this program, but the child runs native code that may be damaged or hostile by way of a model file,
so the parent measures what comes back like any other bytes. Never blocks and never touches a file descriptor.

Parent to child: `{settings}` once, then `{id, do: "call"|"stream", method, args}` and `{id, do: "cancel"}`.
Child to parent: `{id: 0, value}` when loaded, then `{id, value}`, `{id, item}` ..., `{id, end}`, `{id, error}`.
"""

from __future__ import annotations

import struct

from jarvis.core import errors
from jarvis.core.codec import Limits, Value, pack, unpack

HEADER = struct.Struct(">I")
LIMITS = Limits(size_bytes=64 * 1024 * 1024, depth=10, items=262_144)
"""Ten minutes of 16 kHz mono int16, the longest audio anybody may hand in, is 19 MB; float32 twice that."""


def encode(message: dict[str, Value]) -> bytes:
    """Length and body. Raises InvalidInput when it is over the limit, so that the other end need not refuse it."""
    body = pack(message)
    if len(body) > LIMITS.size_bytes:
        raise errors.InvalidInput(f"{len(body)} bytes are too many for one engine request ({LIMITS.size_bytes}).")
    return HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Bytes that follow the header. Raises InvalidBytes when they would be too many."""
    (length,) = HEADER.unpack(header)
    if length > LIMITS.size_bytes:
        raise errors.InvalidBytes(f"A frame of {length} bytes is over the limit of {LIMITS.size_bytes}.")
    return int(length)


def decode(body: bytes) -> dict[str, Value]:
    """The message. Raises InvalidBytes on anything but a map."""
    message = unpack(body, LIMITS)
    if not isinstance(message, dict):
        raise errors.InvalidBytes("A frame must be a map.")
    return message


def error_to_value(error: BaseException) -> Value:
    """An error as it crosses the pipe. Only our own carry their sentence: others may quote what was said."""
    if isinstance(error, errors.JarvisError):
        return {"kind": type(error).__name__, "message": str(error), "fix": error.fix}
    return {"kind": "EngineFailed", "message": f"it raised {type(error).__name__}", "fix": ""}


def error_from_value(value: Value, engine: str) -> errors.JarvisError:
    """The error a child reported, as one of core.errors; what is not one of them becomes EngineFailed."""
    if not isinstance(value, dict):
        return errors.EngineFailed(f"The {engine} engine reported an error without saying which.")
    kind = getattr(errors, str(value.get("kind")), None)
    message, fix = str(value.get("message", "")), str(value.get("fix", ""))
    if not (isinstance(kind, type) and issubclass(kind, errors.JarvisError)) or kind is errors.EngineFailed:
        return errors.EngineFailed(f"The {engine} engine failed: {message}.", fix=fix)
    return kind(message, fix=fix)
