"""How long to stop listening to a peer that was caught lying: the more often, the longer, so that what costs us work
costs it time. It decides about our own links only; what others bring of that peer's records is taken as ever, and
nothing here may change what counts."""

from __future__ import annotations

from dataclasses import dataclass

FREE_OFFENCES = 32
"""An honest disk that was restored or cloned forks a few times, and whoever forwards another's lies may not know it."""
PAUSE_MS = 50.0
MAX_PAUSE_MS = 2_000.0
"""Each offence beyond those that are free makes the pause longer by PAUSE_MS, up to this: its heartbeat holds."""
FORGET_EVERY_MS = 5_000.0
"""One offence is forgotten."""


@dataclass(slots=True)
class _Offences:
    count: float
    at_ms: float


class Patience:
    """Of one node, with every peer that ever offended: members only."""

    def __init__(self) -> None:
        self._peers: dict[bytes, _Offences] = {}

    def lost(self, peer: bytes, offences: int, now_ms: float) -> float:
        """The peer offended so many times more: for how many milliseconds nothing more is taken from it."""
        if not offences:
            return 0.0
        known = self._peers.setdefault(peer, _Offences(0.0, now_ms))
        known.count = max(0.0, known.count - (now_ms - known.at_ms) / FORGET_EVERY_MS) + offences
        known.at_ms = now_ms
        return min(max(0.0, known.count - FREE_OFFENCES) * PAUSE_MS, MAX_PAUSE_MS)
