"""What our loudspeaker has been given to play, handed out at the microphone's pace: the echo canceller's second input.

A sink tells of each piece just before it sounds, from whichever thread writes to the device; the microphone's reader
takes as many samples as it has just heard. Holds two seconds at most.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

RATE_HZ = 16_000
MAX_SAMPLES = 2 * RATE_HZ
"""A device takes at most a few hundred milliseconds ahead; a sink that tells of more lets the oldest be lost."""
TAIL_SAMPLES = RATE_HZ // 2
"""The room still sounds for so long after the last piece."""
LATE_SAMPLES = RATE_HZ // 10
"""A piece that comes later than the microphone's block by less than this is late; by more, there was a pause."""


class Played:
    def __init__(self) -> None:
        self._pieces: deque[Samples] = deque()
        self._held = 0
        self._silent = TAIL_SAMPLES  # samples handed out since the last piece ended
        self._lock = threading.Lock()

    def __call__(self, samples: Samples) -> None:
        """A piece begins to play: 16 kHz mono int16."""
        with self._lock:
            if 0 < self._silent < LATE_SAMPLES:
                # Silence stood in for its beginning. Handing that out now would shift everything after it.
                samples = samples[self._silent :]
            self._silent = 0
            self._pieces.append(samples)
            self._held += len(samples)
            while self._held > MAX_SAMPLES:
                self._held -= len(self._pieces.popleft())

    @property
    def sounding(self) -> bool:
        """Whether the room may still hear us."""
        return self._silent < TAIL_SAMPLES

    def take(self, count: int) -> Samples | None:
        """The next `count` samples, silence where nothing plays; None when the room has long been silent."""
        import numpy as np

        with self._lock:
            if not self._held:
                self._silent = min(self._silent + count, TAIL_SAMPLES)
                return np.zeros(count, np.int16) if self.sounding else None
            taken = np.zeros(count, np.int16)
            filled = 0
            while self._pieces and filled < count:
                piece = self._pieces.popleft()
                part = piece[: count - filled]
                taken[filled : filled + len(part)] = part
                filled += len(part)
                if len(part) < len(piece):
                    self._pieces.appendleft(piece[len(part) :])
            self._held -= filled
            self._silent = count - filled
            return taken

    def clear(self) -> None:
        """It was stopped: what had not sounded never will."""
        with self._lock:
            self._pieces.clear()
            self._held = 0
