"""Small things said the same way everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jarvis.core.errors import InvalidInput

MAX_NAME_CHARS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_000


def iso_time(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC; a stamp beyond the year 9999 is shown as its last moment."""
    return (_EPOCH + timedelta(milliseconds=min(max(ms, 0), _LAST_MS))).isoformat(timespec="milliseconds")


def parse_time(text: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 time, in UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def check_name(text: str, what: str) -> str:
    """A name as it is kept, with single spaces. Raises InvalidInput."""
    text = " ".join(text.split())
    if not text or len(text) > MAX_NAME_CHARS or not text.isprintable():
        raise InvalidInput(f"A {what} has 1 to {MAX_NAME_CHARS} printable characters.")
    return text
