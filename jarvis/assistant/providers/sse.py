"""Server-sent events out of bytes as they come (the form is that of the HTML standard, section "Server-sent events").
Pure; a server that sends one endless line is refused before it fills the memory."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.core.errors import InvalidBytes

MAX_EVENT_BYTES = 256 * 1024
"""A piece of an answer has some hundred bytes; arguments of a tool, sent at once, have a few thousand."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    event: str
    """Empty when the server gave it no name."""
    data: str


class ServerEvents:
    """Feed it bytes; it gives the events that are whole. Comments, ids and retry times are left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._held_bytes = 0

    def feed(self, received: bytes) -> list[ServerEvent]:
        """Raises InvalidBytes for an event without end, and for what is no UTF-8."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        found: list[ServerEvent] = []
        for line in lines:
            self._held_bytes += len(line)
            self._check(0)
            event = self._take(line)
            if event is not None:
                found.append(event)
        self._check(len(self._rest))
        return found

    def _check(self, more_bytes: int) -> None:
        if self._held_bytes + more_bytes > MAX_EVENT_BYTES:
            raise InvalidBytes("An event has no end.")

    def _take(self, line: bytes) -> ServerEvent | None:
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise InvalidBytes("An event is no text.") from None
        if not text:
            whole = ServerEvent(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data, self._held_bytes = "", [], 0
            return whole
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None
