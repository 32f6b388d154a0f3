"""How far our wall clock has been set since a moment: what was compared with it then is carried on, since comparing
happens once, when a link begins."""

from __future__ import annotations

from jarvis.core.time import Clock


class SetSince:
    """Moments have names: the peers that said hello."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._drifts: dict[bytes, float] = {}
        """Of members only, who alone get a link."""

    def note(self, name: bytes) -> None:
        self._drifts[name] = self._drift_ms()

    def ms(self, name: bytes) -> float:
        """How far ahead our wall clock was set since `note`; 0 where it only went on."""
        return self._drift_ms() - self._drifts.get(name, self._drift_ms())

    def _drift_ms(self) -> float:
        return self._clock.wall_ms() - self._clock.mono_ms()
