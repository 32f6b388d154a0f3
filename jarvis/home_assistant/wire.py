"""Home Assistant's WebSocket protocol as data: where it is spoken, what a message is, what an error in it means, as
developers.home-assistant.io/docs/api/websocket describes it. Pure; every message is measured before it is parsed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from jarvis.core.errors import (
    BadConfiguration,
    DeadlineExceeded,
    EngineFailed,
    InvalidBytes,
    JarvisError,
    NotAllowed,
)

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""A home of 5,000 entities sends a registry of three megabytes in one message."""
MAX_SAID_CHARS = 160
"""Of Home Assistant's own words in one of our sentences."""


def socket_url(url: str) -> str:
    """Where the protocol is spoken at `http://HOST:8123`. Raises BadConfiguration for what is no such address."""
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises for a port that is none
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.username
    except ValueError:
        sound = False
    if not sound:
        raise BadConfiguration(
            "home_assistant.url is no address of a Home Assistant.", fix="It is like http://homeassistant.local:8123."
        )
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/websocket"


def is_address(url: str) -> bool:
    """Whether `socket_url` takes it."""
    try:
        socket_url(url)
    except BadConfiguration:
        return False
    return True


def messages(text: str) -> list[dict[str, Any]]:
    """What one frame holds: a message, or several where the server joins what it sends at once. Raises InvalidBytes."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise InvalidBytes("Home Assistant sent a message that is too long.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidBytes("Home Assistant sent something that is not its protocol.") from None
    several = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in several):
        raise InvalidBytes("Home Assistant sent something that is not its protocol.")
    return several


def refusal(error: Any, hidden: str = "") -> JarvisError:
    """The `error` of a result without success, as ours: in its words, unless they hold `hidden`. What is answered is
    kept, and goes to every room."""
    code = error.get("code") if isinstance(error, dict) else ""
    said = error.get("message") if isinstance(error, dict) else ""
    if hidden and hidden in str(said):
        said = ""
    words = "".join(one for one in str(said or "")[:MAX_SAID_CHARS] if one.isprintable()).strip().rstrip(".")
    because = f": {words}" if words else ""
    if code == "unauthorized":
        return NotAllowed(
            "Home Assistant does not allow that.", fix="Give its user the right to, or use another's token."
        )
    if code == "timeout":
        return DeadlineExceeded("Home Assistant did not get it done in time.")
    if code in ("not_found", "invalid_format", "service_validation_error", "not_supported"):
        return EngineFailed(f"Home Assistant can't do that{because}.")
    return EngineFailed(f"Home Assistant could not do it{because}.")
