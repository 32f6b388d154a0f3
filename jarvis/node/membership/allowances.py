"""How often each member may ask for something: so many times at once, and so many more each second (a token bucket). It
only counts; whoever is asked says what is too much of it. Kept in memory: a restart fills it again."""

from __future__ import annotations

from jarvis.core.time import Clock


class Allowances:
    """Of members, by their node ids: so there are at most as many as the home has nodes."""

    def __init__(self, clock: Clock, burst: float, per_s: float) -> None:
        self._clock, self._burst, self._per_s = clock, burst, per_s
        self._left: dict[bytes, tuple[float, float]] = {}
        """Times left, and when that was so (milliseconds of the monotonic clock)."""

    def has(self, peer: bytes) -> bool:
        """Whether it may ask once more."""
        return self._now(peer) >= 1

    def take(self, peer: bytes) -> bool:
        """Whether it may, and if so, it has."""
        left = self._now(peer)
        if left < 1:
            return False
        self._left[peer] = left - 1, self._clock.mono_ms()
        return True

    def _now(self, peer: bytes) -> float:
        now = self._clock.mono_ms()
        left, at_ms = self._left.get(peer, (self._burst, now))
        return min(self._burst, left + (now - at_ms) / 1000 * self._per_s)
