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


class Played:
    def __init__(self) -> None:
        self._pieces: deque[Samples] = deque()
        self._held = 0
        self._silent = TAIL_SAMPLES  # samples handed out since the last piece ended
        self._lock = threading.Lock()

    def __call__(self, samples: Samples) -> None:
        """A piece begins to play: 16 kHz mono int16."""
        with self._lock:
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
            filled = min(self._held, count)
            # What begins to play begins in the middle of a block, and goes on to its end. Where it runs short instead,
            # its next piece is late: a canceller bears being told late, so everything after it stays as late.
            at = count - filled if self._silent else 0
            taken = np.zeros(count, np.int16)
            taken[at : at + filled] = self._first(filled)
            self._silent = 0 if at else count - filled
            return taken

    def _first(self, count: int) -> Samples:
        import numpy as np

        together = np.concatenate(list(self._pieces))
        self._pieces.clear()
        self._pieces.append(together[count:])
        self._held -= count
        return together[:count]

    def clear(self) -> None:
        """It was stopped: what had not sounded never will."""
        with self._lock:
            self._pieces.clear()
            self._held = 0
