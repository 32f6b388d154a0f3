"""The hybrid logical clock: 64 bits, 48 of milliseconds since 1970 and 16 of counter.

It orders concurrent writes in a way close to wall time. It never authorises and never prunes. The caller reads
the wall clock and passes it in; the last stamp is stored with every commit, so a clock set back, or a board
that boots in 1970, still moves forward.

Source: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots", 2014.
"""

from __future__ import annotations

COUNTER_BITS = 16
MAX_STAMP = 2**64 - 1
MAX_AHEAD_MS = 60_000
"""A stamp further ahead of our wall clock than this is applied but never enters our clock: one node with a
wrong clock must not drag the home into the future."""


def stamp(ms: int, counter: int = 0) -> int:
    return (ms << COUNTER_BITS) | counter


def ms_of(value: int) -> int:
    """Milliseconds since 1970 of a stamp."""
    return value >> COUNTER_BITS


class HybridClock:
    """Gives stamps that only rise. Not thread-safe: it lives in the store's writer thread with the replica."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def tick(self, now_ms: int) -> int:
        """A new stamp, above every stamp given or observed before."""
        self.last = max(self.last + 1, stamp(max(now_ms, 0)))
        return self.last

    def observe(self, value: int, now_ms: int) -> None:
        """Take in a peer's stamp, unless it is too far ahead of our wall clock. Ours alone counts: measured from
        the highest stamp known, a peer could walk us ahead a minute at a time."""
        if value > self.last and ms_of(value) <= now_ms + MAX_AHEAD_MS:
            self.last = value
