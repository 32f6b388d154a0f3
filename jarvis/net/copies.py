"""Notices that two copies of one node run at the same time: a data directory that was copied, a card that was cloned.
Each life of a node has an instance of its own, so one that greets again after another of the same node has greeted was
alive all along: two run. No clock and no guess is in it; a restart, however quick, never looks like that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

REMEMBERED = 8
"""Instances of one peer; a copy shows within seconds, and a node does not restart eight times in that."""
COPY = "another copy of this node runs"
"""Why a link is closed, told to the copy that is refused."""


@dataclass(slots=True)
class _Lives:
    seen: list[bytes] = field(default_factory=list)
    """In the order of their first greeting."""
    last: bytes = b""
    copies: set[bytes] = field(default_factory=set)


class Copies:
    def __init__(self) -> None:
        self._lives: dict[bytes, _Lives] = {}
        """By node id; of members only."""

    def greeted(self, peer: bytes, instance: bytes) -> bool:
        """A life of that peer said hello, so it was alive then. Whether this shows that two of them run; the one that
        was seen later is the copy from then on."""
        lives = self._lives.setdefault(peer, _Lives())
        before, lives.last = lives.last, instance
        if instance not in lives.seen:
            lives.seen.append(instance)
            if len(lives.seen) > REMEMBERED:
                lives.copies.discard(lives.seen.pop(0))
            return False
        if instance == before or before not in lives.seen:
            return False
        lives.copies.add(max(instance, before, key=lives.seen.index))
        return True

    def refuses(self, peer: bytes, new: bytes, held: bytes) -> bool:
        """Whether a new link is a copy's, while there is a living link to the other one."""
        lives = self._lives.get(peer)
        return lives is not None and new in lives.copies and held not in lives.copies
