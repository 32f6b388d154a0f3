"""What waits on one link: frames to leave, work for the store. Bounded, so that a peer which reads nothing, or sends
faster than the disk takes it, costs its own link and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from jarvis.identity.record import SignedRecord
from jarvis.net.link import Link
from jarvis.node.links.tracing import SENT
from jarvis.sync.effects import Effect
from jarvis.sync.messages import Message, encode

MAX_OUTBOX_FRAMES = 1_024
"""Frames that wait for one link. Pushes stop at an unacknowledged window of 512 records, so only ephemeral traffic to
a peer that reads nothing can fill it; then the link is closed and begins again from the frontiers."""
MAX_OUTBOX_BYTES = 4 * 1024 * 1024
"""Beyond it no more wants are answered until some have left: more than a peer's credit, so only who gives too much of
it, and does not read, has to wait."""
IDLE_FRAMES, IDLE_BYTES = 32, 64 * 1024
"""With more than this on its way, partial transcripts stay out: they would be late, and make others late."""
MAX_JOBS = 32
"""Store work that waits for one link, at most 8 MiB of records; a full queue stops reading from the peer."""


class LinkRun:
    """One link's queues. `told` hears of each message: its direction, itself, its bytes."""

    def __init__(self, link: Link, told: Callable[[str, Message, int], None]) -> None:
        self.link = link
        self.told = told
        self.outbox: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTBOX_FRAMES)
        self.jobs: asyncio.Queue[Effect] = asyncio.Queue(MAX_JOBS)
        self.outbox_bytes = 0
        self.room = asyncio.Event()
        """Set while `outbox_bytes` is under its bound."""
        self.room.set()
        self.answered: dict[bytes, int] = {}
        """Up to where each author's records were sent over this link: of held authors only."""
        self.borne_ms = 0.0
        self.ending = asyncio.Event()
        self.reason = ""

    def post(self, message: Message) -> None:
        frame = encode(message)
        self.told(SENT, message, len(frame))
        try:
            self.outbox.put_nowait(frame)
        except asyncio.QueueFull:
            self.end("the peer reads too slowly")
        else:
            self._count(len(frame))

    @property
    def idle(self) -> bool:
        """Whether what matters little may be posted too."""
        return self.outbox_bytes < IDLE_BYTES and self.outbox.qsize() < IDLE_FRAMES

    async def send_next(self) -> None:
        frame = await self.outbox.get()
        await self.link.send(frame)
        self._count(-len(frame))

    def _count(self, size_bytes: int) -> None:
        self.outbox_bytes += size_bytes
        if self.outbox_bytes < MAX_OUTBOX_BYTES:
            self.room.set()
        else:
            self.room.clear()

    def answers_anew(self, author: bytes, found: Sequence[SignedRecord]) -> bool:
        """Whether these are records that were not sent over this link before."""
        if not found:
            return False
        before = self.answered.get(author, 0)
        self.answered[author] = max(before, found[-1].header.seq)
        return found[0].header.seq > before

    def end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.ending.set()
