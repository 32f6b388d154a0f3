"""What whoever listens must know of the room it hears, and tell it: a base that knows of nobody else and plays nothing,
for files. `conversation` is the one of a microphone.
"""

from __future__ import annotations

from jarvis.voice.arbitration.arbiter import Bid
from jarvis.voice.hearing.ears import WakeSign


class Room:
    @property
    def playing(self) -> bool:
        """Our loudspeaker sounds, or is about to."""
        return False

    def deaf(self) -> bool:
        """A wake word heard now is a loudspeaker's: ours, or another room's."""
        return False

    def bid(self, sign: WakeSign) -> Bid | None:
        """The wake word may have been said: claim it. None where nobody else could."""
        return None

    def woken(self, bid: Bid | None) -> None:
        """It was: whatever we were saying ends."""

    def somebody_speaks(self) -> None:
        """While we do: play quieter."""

    def was_not_for_us(self) -> None:
        """They spoke to each other: the volume returns."""

    def spoken_to(self) -> None:
        """It is for us, though without the wake word: what we were saying ends."""

    def for_us(self, text: str) -> bool:
        """Whether `text`, heard while we speak, is for us and not our own voice."""
        return False

    def echoes(self, text: str) -> bool:
        """Whether `text`, heard without the wake word, comes from another room's loudspeaker."""
        return False
