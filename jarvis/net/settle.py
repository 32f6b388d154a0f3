"""Which of two links to the same peer stays. Both sides decide alone, from numbers both hold, and come to the same
answer, so that no link is dropped by both. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

INSTANCE_BYTES = 8
_TEXT = re.compile(r"[0-9a-f]{16}\.[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One side's mark on one link."""

    instance: bytes
    """8 random bytes for one life of that side's connector."""
    number: int
    """From one rising counter of that connector, drawn when it starts to dial and when it accepts. So it tells
    whether a side dialled a link before or after it knew of another."""

    def to_text(self) -> str:
        return f"{self.instance.hex()}.{self.number}"

    @classmethod
    def from_text(cls, text: str) -> Ticket | None:
        """None for anything that `to_text` does not write."""
        if not _TEXT.fullmatch(text):
            return None
        instance, _, number = text.partition(".")
        return cls(bytes.fromhex(instance), int(number))


@dataclass(frozen=True, slots=True)
class Mark:
    """What settling needs to know of a link, seen from one side."""

    dialled: bool
    mine: Ticket
    theirs: Ticket


def new_one_stays(new: Mark, old: Mark, *, mine_is_lower: bool) -> bool:
    """Whether `new` replaces `old`; `mine_is_lower` compares the two node ids.

    - A side that restarted has nothing left of the old link.
    - A side dials only while it has no link that it knows to be alive. So a link whose dialler already had the
      other one when it dialled says that the other one is dead, in whatever order they are looked at.
    - Links of one round of dialling (several addresses of one peer) have the dialler's same number: the one that
      was accepted first stays.
    - Otherwise both dialled at the same time, and the link dialled by the lower id stays.
    """
    if new.theirs.instance != old.theirs.instance or new.mine.instance != old.mine.instance:
        return True
    if new.dialled == old.dialled:
        if _dialler(new) != _dialler(old):
            return _dialler(new) > _dialler(old)
        return _acceptor(new) < _acceptor(old)
    # Each number compared here was drawn by one counter: that side's dialling of one, and accepting of the other.
    if _dialler(new) > _acceptor(old):
        return True
    if _dialler(old) > _acceptor(new):
        return False
    return new.dialled == mine_is_lower


def _dialler(mark: Mark) -> int:
    return mark.mine.number if mark.dialled else mark.theirs.number


def _acceptor(mark: Mark) -> int:
    return mark.theirs.number if mark.dialled else mark.mine.number
