"""Ids as people see them: lower-case base32 without padding, accepted by any unambiguous prefix."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from jarvis.core.errors import InvalidInput, NotFound

NODE_ID_BYTES = 16
SESSION_ID_BYTES = 10


def to_text(raw: bytes) -> str:
    """Bytes as lower-case base32: 16 bytes are 26 characters, 10 bytes are 16."""
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def from_text(text: str) -> bytes:
    """The bytes behind `to_text`. Raises InvalidInput on anything else, a second spelling of an id included."""
    padded = text.upper() + "=" * (-len(text) % 8)
    try:
        raw = base64.b32decode(padded)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"{text!r} is not an id.") from None
    if to_text(raw) != text.lower():
        raise InvalidInput(f"{text!r} is not an id.")
    return raw


def by_prefix(wanted: str, known: Iterable[str], what: str) -> str:
    """The one id in `known` that starts with `wanted`. Raises NotFound when there is none, or more than one."""
    wanted = wanted.strip().lower()
    matches = sorted({one for one in known if wanted and one.startswith(wanted)})
    if wanted in matches:
        return wanted
    if not matches:
        raise NotFound(f"There is no {what} {wanted!r}.", fix=f"List them with `jarvis {what} list`.")
    if len(matches) > 1:
        raise NotFound(f"{wanted!r} fits {len(matches)} {what}s.", fix="Give more characters of the id.")
    return matches[0]
