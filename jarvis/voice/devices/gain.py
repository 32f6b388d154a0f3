"""How loud a loudspeaker plays: the room's volume and the ducking under somebody who speaks, as one gain. It changes
along a ramp, because a step is heard as a click. Pure: samples in, samples out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

RAMP_MS = 20.0
"""From silence to full volume: too short to be noticed, long enough not to click."""
FADE_MS = 8.0
"""To silence, when somebody has said stop."""


class Gain:
    """`percent` is the room's volume; 100 is the sound as it was made, 0 is silence."""

    def __init__(self, percent: int = 100) -> None:
        self._volume, self._duck, self._faded = volume(percent), 1.0, False
        self._now = self._volume

    def volume(self, percent: int) -> None:
        self._volume = volume(percent)

    def duck(self, db: float) -> None:
        """Quieter by so many decibels; 0 ends it."""
        self._duck = 10 ** (-max(db, 0.0) / 20)

    def fade(self) -> None:
        """Down to silence, until `restore`."""
        self._faded = True

    def restore(self) -> None:
        """What comes next begins at full gain: it is no longer the sound that was faded."""
        self._faded = False
        self._now = self.target

    @property
    def now(self) -> float:
        """As a factor, after the last block."""
        return self._now

    @property
    def silent(self) -> bool:
        return self._now == 0.0

    @property
    def target(self) -> float:
        return 0.0 if self._faded else self._volume * self._duck

    def apply(self, samples: Samples, rate_hz: int) -> Samples:
        """A block at the present gain, on its way to the wanted one."""
        import numpy as np

        target, now = self.target, self._now
        if now == target:
            return samples if target == 1.0 else (samples * np.float32(target)).astype(np.int16)
        step = 1000.0 / ((FADE_MS if self._faded else RAMP_MS) * rate_hz)
        steps = np.arange(1, len(samples) + 1, dtype=np.float32) * (step if target > now else -step)
        ramp = np.clip(now + steps, min(now, target), max(now, target))
        moved = len(samples) * step
        self._now = target if abs(target - now) < moved + step else now + math.copysign(moved, target - now)
        ramped: Samples = (samples * ramp).astype(np.int16)
        return ramped


def volume(percent: int) -> float:
    """A slider's position as a factor. Cubic, as loudness is heard: half way sounds half as loud (-18 dB)."""
    return float((min(max(percent, 0), 100) / 100) ** 3)
