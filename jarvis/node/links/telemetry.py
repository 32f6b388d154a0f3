"""What a node counts about itself: how long commits take, how many records come, how far each peer lags, what goes over
each link. Bounded windows and plain sums in memory, nothing durable. It must never hold, or show in a label, anything a
person said, named or set: peers appear by their node id."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.core.time import SystemClock
from jarvis.store.protocol import Head

WINDOW_COMMITS = 1_024
"""Latencies remembered for percentiles: enough for a p99 that ten of them decide."""
RATE_S = 10
"""Records a second are a mean over this long."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Of the commit histogram: an fsync takes 1 ms on a good disk, 100 ms on a memory card."""
MARK_EVERY_MS = 100.0
MAX_MARKS = 1_024
"""Heads remembered with the time they moved: of one busy author 100 s. A peer further behind shows the oldest."""


class Commits:
    """Latencies and sums of one node's commits. `mono_ms` gives monotonic milliseconds."""

    def __init__(self, mono_ms: Callable[[], float] | None = None) -> None:
        self.mono_ms = mono_ms or SystemClock().mono_ms
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.count = 0
        self.sum_ms = 0.0
        self.written = self.accepted = 0
        """Records of our own, and those that came from peers, since the start."""
        self._latest_ms: deque[float] = deque(maxlen=WINDOW_COMMITS)
        self._seconds: deque[list[float]] = deque(maxlen=RATE_S + 1)
        """[second, written, accepted]"""

    def took(self, ms: float) -> None:
        """A commit became durable `ms` after it was asked for."""
        self.count += 1
        self.sum_ms += ms
        self.buckets[bisect_left(BUCKETS_S, ms / 1000)] += 1
        self._latest_ms.append(ms)

    def brought(self, written: int, accepted: int) -> None:
        second = self.mono_ms() // 1000
        self.written += written
        self.accepted += accepted
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += written
        self._seconds[-1][2] += accepted

    def percentile_ms(self, share: float) -> float | None:
        """Nearest rank among the latest commits; None before the first."""
        ordered = sorted(self._latest_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def per_second(self) -> tuple[float, float]:
        """(written, accepted) records a second, over the last RATE_S whole seconds."""
        now = self.mono_ms() // 1000
        recent = [one for one in self._seconds if now - RATE_S <= one[0] < now]
        return sum(one[1] for one in recent) / RATE_S, sum(one[2] for one in recent) / RATE_S

    def as_dict(self) -> dict[str, Any]:
        written, accepted = self.per_second()
        return {
            "commit": {"count": self.count, "p50_ms": _rounded(self.percentile_ms(0.5)),
                       "p99_ms": _rounded(self.percentile_ms(0.99))},
            "records_per_s": {"written": written, "accepted": accepted},
        }  # fmt: skip


class Lags:
    """When heads moved here, and thereby for how long a peer has lacked what we hold."""

    def __init__(self) -> None:
        self._marks: deque[list[Any]] = deque(maxlen=MAX_MARKS)
        """[ms, author, seq], oldest first."""
        self._newest: dict[bytes, list[Any]] = {}

    def moved(self, heads: Mapping[bytes, Head], now_ms: float) -> None:
        for author, head in heads.items():
            mark = self._newest.get(author)
            if mark is not None and head.seq <= mark[2]:
                continue
            if mark is not None and now_ms - mark[0] < MARK_EVERY_MS:
                mark[2] = head.seq  # the mark grows: a lag is overstated by 0.1 s at most, never understated
                continue
            if len(self._marks) == MAX_MARKS:
                oldest = self._marks[0]
                if self._newest.get(oldest[1]) is oldest:
                    del self._newest[oldest[1]]
            self._newest[author] = mark = [now_ms, author, head.seq]
            self._marks.append(mark)

    def of(self, peer: bytes, held: Callable[[bytes], int], now_ms: float) -> float:
        """Milliseconds since the oldest remembered change that the peer does not hold; 0 when it holds them all. Its
        own records do not count."""
        for at_ms, author, seq in self._marks:
            if author[:NODE_ID_BYTES] != peer and held(author) < seq:
                return now_ms - float(at_ms)
        return 0.0


@dataclass(slots=True)
class Traffic:
    """What went over all links with one peer since this node started."""

    bytes_sent: int = 0
    bytes_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0

    def sent(self, size_bytes: int) -> None:
        self.bytes_sent += size_bytes
        self.messages_sent += 1

    def received(self, size_bytes: int) -> None:
        self.bytes_received += size_bytes
        self.messages_received += 1


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
