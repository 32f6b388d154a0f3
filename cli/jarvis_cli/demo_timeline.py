"""What happens in the demo's nodes, told live: both rooms' events in one list, with milliseconds since the sound began.
All processes of a machine share its monotonic clock, so their times compare."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jarvis.api.client import Client
from jarvis.core.errors import Unreachable
from jarvis_cli.output import plain

SUBSCRIBE_S = 10.0
EVENT_BYTES = 1024 * 1024
"""Of one event. The longest holds a transcript."""
MAX_ROWS = 60
"""One utterance tells about ten things; a file of ten minutes must not fill the screen."""

_TOLD: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "wake": ("wake", lambda event: f"the wake word, score {event['score']:.3f}"),
    "endpoint": ("endpoint", lambda event: f"{event['reason']}, after {event['silence_ms']:.0f} ms of silence"),
    "stt": ("text", lambda event: f"“{event['text']}” in {event['decode_ms']:.0f} ms"),
    "decision": ("decision", lambda event: f"{event['intent'] or 'no intent'}, answered by {event['provider']}"),
    "turn.committed": ("saved", lambda event: f"the turn is durable and on its way ({event['status']})"),
    "tts": ("first audio", lambda event: f"the first sentence took {event['synthesis_ms']:.0f} ms"),
    "closed": ("closed", lambda event: f"quietly: {event['reason']}"),
    "problem": ("problem", lambda event: event["message"]),
    "documents.changed": ("knows", lambda event: "what was asked has arrived in its own store"),
}
"""Event -> (its name in the timeline, its sentence)."""


@dataclass(frozen=True, slots=True)
class Row:
    at_ms: float
    room: str
    name: str
    told: str


@dataclass
class Timeline:
    """Rows since the sound began, drawn by rich as they come."""

    began_ms: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def add(self, room: str, event: dict[str, Any]) -> None:
        told = _TOLD.get(event.get("event", ""))
        if told is None or len(self.rows) >= MAX_ROWS:
            return
        if event["event"] == "documents.changed" and (not _brought_a_turn(event) or self.first("knows") is not None):
            return
        if event["event"] == "wake" and self.first("wake") is None:
            # Models load before the sound starts; where in it the wake word was tells when that was.
            self.began_ms = event["at_ms"] - event["stream_ms"]
        self.rows.append(Row(event["at_ms"] - self.began_ms, room, told[0], plain(told[1](event))))

    def begin(self) -> None:
        """The sound starts now, as far as is known."""
        self.began_ms = time.monotonic() * 1000

    @contextmanager
    def live(self, screen: Console) -> Iterator[Callable[[], None]]:
        """Shown as it grows, or once at the end where nobody watches; gives what to call when there is more."""
        if not screen.is_terminal:
            yield lambda: None
            screen.print(self)
            return
        with Live(self, console=screen, auto_refresh=False) as shown:
            yield shown.refresh

    def first(self, name: str) -> float | None:
        """When something first happened, in milliseconds."""
        return next((round(row.at_ms, 1) for row in self.rows if row.name == name), None)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"at_ms": round(row.at_ms, 1), "room": row.room, "name": row.name, "detail": row.told} for row in self.rows
        ]

    def __rich__(self) -> Table:
        drawn = Table(box=None, pad_edge=False, show_header=False)
        for style, justify in (("cyan", "right"), ("dim", "left"), ("bold", "left"), ("", "left")):
            drawn.add_column(style=style, justify=justify)  # type: ignore[arg-type]
        for row in sorted(self.rows, key=lambda row: row.at_ms):
            drawn.add_row(f"{row.at_ms:,.0f} ms", row.room, row.name, Text(row.told))
        return drawn


def _brought_a_turn(event: dict[str, Any]) -> bool:
    return bool(event["from_peer"]) and any(name.startswith("session/") for name in event["documents"])


@asynccontextmanager
async def following(client: Client, room: str, timeline: Timeline, changed: Callable[[], None]) -> AsyncIterator[None]:
    """While inside, what happens in that node goes into the timeline. Entered once the node has subscribed us; raises
    Unreachable when it does not."""
    headers = {"Authorization": f"Bearer {client.runtime.token}"}
    async with aiohttp.ClientSession(client.runtime.api_url, headers=headers) as session:
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                socket = await session.ws_connect("/api/v2/events", max_msg_size=EVENT_BYTES)
                await socket.receive_json()
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError):
            raise Unreachable(f"The {room} does not tell what happens in it.", fix="Run the demo again.") from None
        # No task group: it would wrap the errors of what runs inside, which are for the caller as they are.
        reading = asyncio.create_task(_read(socket, room, timeline, changed))
        try:
            yield
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):
                await reading
            await socket.close()


async def _read(
    socket: aiohttp.ClientWebSocketResponse, room: str, timeline: Timeline, changed: Callable[[], None]
) -> None:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            timeline.add(room, json.loads(message.data))
            changed()
