"""Virtual time: what is to happen, in order. Two things at the same instant happen in the order they were planned, so
that one seed is one story."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from jarvis.testing.home import SimClock


class Timeline(SimClock):
    """Begins at 0 ms. Keeps the promise of `jarvis.testing.network.Schedule` too."""

    def __init__(self) -> None:
        super().__init__()
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def call_after(self, delay_ms: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._planned, (self.now_ms + delay_ms, self._count, action))

    def run_until(self, end_ms: float) -> None:
        """Let everything happen that is planned up to then."""
        while self._planned and self._planned[0][0] <= end_ms:
            self.now_ms, _, action = heapq.heappop(self._planned)
            action()
        self.now_ms = max(self.now_ms, end_ms)
