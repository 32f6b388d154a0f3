"""How long to stop listening to a peer that was caught lying, or that says much and brings nothing: the more often, the
longer, so that what costs us work costs it time. It decides about our own links only; what others bring of that
peer's records is taken as ever, and nothing here may change what counts."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.sync.messages import Digest, Ephemeral, Fork, Heads, Membership, Message, Ping

FREE_OFFENCES = 128
"""An honest disk that was restored or cloned forks a few times, and whoever forwards another's lies may not know it."""
FORK = 8
"""Offences that a new fork counts as: everybody goes through the records that it may concern."""
PAUSE_MS = 50.0
MAX_PAUSE_MS = 2_000.0
"""Each offence beyond those that are free makes the pause longer by PAUSE_MS, up to this: its heartbeat holds."""
BORNE_MS = 3_000.0
"""Of pauses on one link, then we hang up: behind so much that is unread nobody notices whether it is still there."""
FORGET_EVERY_MS = 1_000.0
"""One offence is forgotten."""
FREE_CHATTER = 1_024
"""Units that a peer may be ahead: a new link's frontier, forks and membership, many times over."""
CHATTER_MS = 10.0
"""One unit is forgotten. An honest peer says some five a second."""
REPEATED = 16
"""Units for an answer that brought nothing new, or is wanted twice: it costs the disk or much of a frame."""


@dataclass(slots=True)
class _Account:
    """A sum that shrinks by one every so often."""

    every_ms: float
    sum: float = 0.0
    at_ms: float = 0.0

    def add(self, more: float, now_ms: float) -> float:
        self.sum = max(0.0, self.sum - (now_ms - self.at_ms) / self.every_ms) + more
        self.at_ms = now_ms
        return self.sum


class Patience:
    """Of one node, with every peer that it ever had a link with: members only."""

    def __init__(self) -> None:
        self._lies: dict[bytes, _Account] = {}
        self._chatter: dict[bytes, _Account] = {}

    def lied(self, peer: bytes, times: int, now_ms: float) -> float:
        """The peer lied so many times more: for how many milliseconds nothing more is taken from it."""
        if not times:
            return 0.0
        known = self._lies.setdefault(peer, _Account(FORGET_EVERY_MS)).add(times, now_ms)
        return min(max(0.0, known - FREE_OFFENCES) * PAUSE_MS, MAX_PAUSE_MS)

    def chatted(self, peer: bytes, units: int, now_ms: float) -> float:
        """The peer said what cost us work and brought nothing. The same."""
        if not units:
            return 0.0
        known = self._chatter.setdefault(peer, _Account(CHATTER_MS)).add(units, now_ms)
        return min(max(0.0, known - FREE_CHATTER) * CHATTER_MS, MAX_PAUSE_MS)


def units_of(message: Message) -> int:
    """What a message counts as chatter when it comes. Of records and wants it shows later whether they were any use."""
    return int(isinstance(message, (Ping, Heads, Digest, Ephemeral, Membership, Fork)))
