"""What time it is, as well as this node can know: its own clock, or a peer's where its own was never set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jarvis.core.errors import InvalidInput
from jarvis.core.time import EARLIEST_WALL_MS, Clock


class KnownTime:
    """`offsets` says how far the clock of each linked peer is ahead of ours."""

    def __init__(self, clock: Clock, offsets: Callable[[], Mapping[bytes, int | None]]) -> None:
        self._clock = clock
        self._offsets = offsets

    def wall_ms(self) -> int | None:
        """Milliseconds since 1970; None when neither this node nor a peer knows."""
        own_ms = self._clock.wall_ms()
        if own_ms >= EARLIEST_WALL_MS:
            return own_ms
        theirs = sorted(one for one in self.walls().values() if one is not None and one >= EARLIEST_WALL_MS)
        return theirs[len(theirs) // 2] if theirs else None

    def known_ms(self) -> int:
        """Raises InvalidInput when nobody knows."""
        now_ms = self.wall_ms()
        if now_ms is None:
            raise InvalidInput(
                "I don't know what time it is: this device's clock has not been set.",
                fix="Set it, or connect this node to one that knows the time.",
            )
        return now_ms

    def walls(self) -> dict[bytes, int | None]:
        """What each linked peer's clock shows now, None where it is not known."""
        own_ms = self._clock.wall_ms()
        return {peer: None if ahead is None else own_ms + ahead for peer, ahead in self._offsets().items()}
