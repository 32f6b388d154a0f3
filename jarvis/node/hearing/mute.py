"""Whether this node may hear. Mute is this device's own and never leaves it; it is durable before it is acknowledged,
read before the microphone opens, and acknowledged only once nothing is read from the microphone any more."""

from __future__ import annotations

import asyncio
from typing import Any

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import DeadlineExceeded
from jarvis.core.events import EventBus
from jarvis.core.time import Clock
from jarvis.node.events import MuteChanged
from jarvis.node.records.journal import Journal

KEY = "mute"
CLOSE_S = 6.0
"""A device takes milliseconds to close; one that hangs is given up after three seconds."""


class Mute:
    """`on` is what counts for whoever would read the microphone, and for a claim: a muted node answers nobody."""

    def __init__(self, journal: Journal, events: EventBus, clock: Clock) -> None:
        self._journal, self._events, self._clock = journal, events, clock
        self._changed = asyncio.Condition()
        self._reading = 0
        self.on = False

    async def load(self) -> None:
        """As it was when the node last ran."""
        self.on = await self._journal.read(lambda tx, _: bool(unpack(tx.get(KEY) or pack(False))))

    async def set(self, on: bool) -> dict[str, Any]:
        """Save, then act. Raises DeadlineExceeded when the microphone does not close; what it gives is heard by nobody
        all the same."""
        await self._journal.change_local(lambda tx: tx.put(KEY, pack(on)), lambda _: self._turn(on))
        async with self._changed:
            self._changed.notify_all()
            if on:
                try:
                    async with asyncio.timeout(CLOSE_S):
                        await self._changed.wait_for(lambda: not (self.on and self._reading))
                except TimeoutError:
                    raise DeadlineExceeded(
                        "Nothing is heard any more, but the microphone does not close.", fix="Unplug it."
                    ) from None
        return self.status()

    def status(self) -> dict[str, Any]:
        return {"muted": self.on, "microphone": "open" if self._reading else "closed"}

    def _turn(self, on: bool) -> None:
        if on != self.on:
            self.on = on
            self._events.publish(MuteChanged(at_ms=self._clock.mono_ms(), on=on))

    async def until(self, on: bool) -> None:
        """Returns when it is so."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.on == on)

    def opens(self) -> None:
        """Somebody begins to read the microphone."""
        self._reading += 1

    async def closed(self) -> None:
        """They have let it go."""
        self._reading -= 1
        async with self._changed:
            self._changed.notify_all()
