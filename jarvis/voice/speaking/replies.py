"""Sentences that were said before, as sound: by voice and text, in this process's memory, never on a disk.

What is prepared stays, so that the replies a home hears every day cost nothing and an apology can still be spoken when
the voice has failed. The rest gives way, oldest first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

PREPARED_BYTES = 6 * 1024 * 1024
"""Two and a half minutes at 22 kHz: about a hundred short sentences."""
SAID_BYTES = 2 * 1024 * 1024
CHARACTERS = 80
"""Longer sentences are seldom said twice."""


@dataclass(frozen=True, slots=True)
class Sound:
    samples: Samples
    """int16 mono."""
    rate_hz: int

    @property
    def ms(self) -> float:
        return len(self.samples) * 1000 / self.rate_hz


class Replies:
    def __init__(self, *, prepared_bytes: int = PREPARED_BYTES, said_bytes: int = SAID_BYTES) -> None:
        self.voice = ""
        """Whose sound is given out: the one that spoke last."""
        self._prepared: dict[tuple[str, str], Sound] = {}
        self._said: OrderedDict[tuple[str, str], Sound] = OrderedDict()
        self._prepared_left, self._said_left = prepared_bytes, said_bytes

    def find(self, text: str) -> Sound | None:
        key = (self.voice, text)
        if key in self._said:
            self._said.move_to_end(key)
        return self._prepared.get(key) or self._said.get(key)

    def keep(self, voice: str, text: str, sound: Sound) -> None:
        """Remember what was just made, if it is short."""
        self.voice, key = voice, (voice, text)
        if len(text) > CHARACTERS or key in self._prepared or key in self._said:
            return
        self._said[key] = sound
        self._said_left -= sound.samples.nbytes
        while self._said_left < 0:
            _, dropped = self._said.popitem(last=False)
            self._said_left += dropped.samples.nbytes

    def prepare(self, voice: str, text: str, sound: Sound) -> bool:
        """Remember it for good; False when there is no room left."""
        self.voice, key = voice, (voice, text)
        if key in self._prepared:
            return True
        if sound.samples.nbytes > self._prepared_left:
            return False
        self._prepared[key] = sound
        self._prepared_left -= sound.samples.nbytes
        return True
