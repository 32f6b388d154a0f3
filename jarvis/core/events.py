"""What happens in a node, told to whoever subscribed: the dashboard, the CLI, tests. Events are frozen
dataclasses; a subscriber who falls behind loses the oldest ones, counted, and never slows the publisher."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

QUEUE_EVENTS = 1_024
"""A subscriber's bound: a turn emits about ten events, so this is a hundred turns behind."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all. `at_ms` is monotonic milliseconds of this process; `turn` ties a turn's events together."""

    name: ClassVar[str] = "event"
    at_ms: float
    turn: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"event": self.name, **dataclasses.asdict(self)}


class Subscription:
    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_EVENTS)
        self.lost = 0

    def put(self, event: Event) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.lost += 1
        self._queue.put_nowait(event)

    async def get(self) -> Event:
        return await self._queue.get()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self._queue.get()


class EventBus:
    """One per node, on its event loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @property
    def listened(self) -> bool:
        """Whether anybody would hear."""
        return bool(self._subscriptions)

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
