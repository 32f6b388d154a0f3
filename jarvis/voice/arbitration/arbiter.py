"""Who answers a wake word that several rooms may have heard: what the pipeline asks, and the answers of a node that is
alone. How rooms agree is told in `claims`; here nothing is sent and nothing is decided between nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WakeClaim:
    """What one room's ears can say of a wake word they have just heard."""

    score: float
    """The detector's, 0 to 1. It saturates and ranks nobody."""
    snr_db: float
    """Of the wake word over this room's own noise floor."""
    engaged: bool = False
    """This room is in a dialogue: its follow-up window is open, or it speaks."""
    speaking: bool = False
    """This room speaks: the wake word interrupts it."""


class Bid(Protocol):
    """One wake word in one room, from its claim to its decision. Every wait in it is bounded."""

    def confirm(self) -> None:
        """The detector is sure. Before that the room does not chime."""

    def withdraw(self, why: str) -> None:
        """It was not the wake word, or nobody spoke after it: whoever else claimed goes on."""

    async def wins(self) -> bool:
        """Whether this room chimes; known within about 600 ms of the claim."""

    async def answers(self, text: str) -> bool:
        """Whether this room answers `text`: at once for the winner; one who lost may still answer, when somebody else
        spoke to it."""


class Arbiter(Protocol):
    def bid(self, claim: WakeClaim) -> Bid:
        """Claim a wake word, on its detection."""

    def deaf(self) -> bool:
        """Whether a wake word heard now is another room's loudspeaker."""

    def echo(self, text: str) -> bool:
        """Whether `text`, heard without a wake word, is what another room has just been saying."""

    def saying(self, text: str, ms: float) -> None:
        """This room is about to say `text`, which takes `ms`."""


class _Sure:
    """The bid of somebody without competitors."""

    def confirm(self) -> None:
        pass

    def withdraw(self, why: str) -> None:
        pass

    async def wins(self) -> bool:
        return True

    async def answers(self, text: str) -> bool:
        return True


class Alone:
    """The arbiter of a source that no other room can hear: a file, a client, a home of one node."""

    def bid(self, claim: WakeClaim) -> Bid:
        return _Sure()

    def deaf(self) -> bool:
        return False

    def echo(self, text: str) -> bool:
        return False

    def saying(self, text: str, ms: float) -> None:
        pass
