"""A source of sound as the ears make it out: its blocks, joined while nothing is going on, with their place in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvis.voice.devices.played import Played
from jarvis.voice.hearing.ears import Ear, WakeSign
from jarvis.voice.streams import RATE_HZ, Blocks

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

IDLE_SAMPLES = RATE_HZ * 80 // 1000
"""Asking the worker costs as much as its answer: while only the wake word matters, four blocks of a microphone go at
once. It makes a wake 40 ms later on average, and its claimed time not at all."""
STILL_SAMPLES = 4 * IDLE_SAMPLES
"""In a room where nothing stirs sixteen may go at once: whoever begins to speak ends that with their first sound, and
the wake word is far from over by then."""
STIRRED_SAMPLES = RATE_HZ // 2
"""A pause as short as this belongs to what was said before it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A block and what is in it."""

    clean: Samples
    """Without our own voice, where that can be taken out."""
    wakes: tuple[WakeSign, ...]
    speech: tuple[float, ...]
    end_ms: float
    """In the stream's time."""


class Senses:
    """`played` is told what our loudspeaker sounds, if that goes by the microphone's clock."""

    def __init__(self, blocks: Blocks, ear: Ear, played: Played | None = None) -> None:
        self._blocks, self._ear, self._played = blocks, ear, played
        self._stillness = Stillness()

    @property
    def realtime(self) -> bool:
        return self._blocks.realtime

    @property
    def ended(self) -> bool:
        return self._blocks.ended

    @property
    def failed(self) -> bool:
        """The source itself did: nothing more will come."""
        return self._blocks.failed

    @property
    def muted(self) -> bool:
        """The source ended because nobody wants to be heard any more, not even with what they had begun to say."""
        return self._blocks.muted

    @property
    def now_ms(self) -> float:
        """The end of the last block, from the stream's beginning."""
        return self._blocks.now_ms

    @property
    def cancelling(self) -> bool:
        """Our own voice sounds, and is taken out of what is heard."""
        return self._played is not None and self._played.sounding

    async def next(self, *, speech: bool) -> Moment | None:
        """What comes next, in short blocks where `speech` is asked about; None at the end of the source. Raises what
        the source or the ears raise; the block is lost then."""
        block = await self._block(alone=speech or self.cancelling)
        if block is None:
            return None
        far = None if self._played is None else self._played.take(len(block))
        sensed = await self._ear.hear(block, far=far, speech=speech)
        return Moment(sensed.clean, sensed.wakes, sensed.speech, self.now_ms)

    async def skip(self, ms: float) -> None:
        """Let so much sound pass unheard."""
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms and await self._blocks.next() is not None:
            pass

    async def speech_in(self, samples: Samples) -> list[float]:
        """Probabilities for the last samples, heard before anybody asked."""
        return await self._ear.speech_in(samples)

    async def rest(self) -> list[Samples]:
        """Everything that is still to come, of a source that ends, unheard."""
        pieces = []
        while (block := await self._blocks.next()) is not None:
            pieces.append(block)  # a file is at most ten minutes
        return pieces

    async def _block(self, *, alone: bool) -> Samples | None:
        """The next one, `alone` or together with what follows as long as nothing is going on."""
        import numpy as np

        pieces: list[Samples] = []
        length, enough = 0, 1
        while length < enough:
            block = await self._blocks.next()
            if block is None:
                break
            pieces.append(block)
            length += len(block)
            if not alone:
                enough = STILL_SAMPLES if self._stillness.after(block) else IDLE_SAMPLES
        return np.concatenate(pieces) if pieces else None


class Stillness:
    """Whether nothing stirs, by loudness alone: it may cost a moment, never a word."""

    def __init__(self) -> None:
        self._floor = float("inf")
        self._still_samples = 0

    def after(self, block: Samples) -> bool:
        """Whether it has been still for long enough, this block included."""
        import numpy as np

        # Fifty times a second, all day: the swing costs a tenth of the deviation, and knows no offset either.
        level = int(np.maximum.reduce(block)) - int(np.minimum.reduce(block)) if len(block) else 0
        # Rises within seconds to whatever lasts, such as a fan; falls at once to the quietest moment.
        self._floor = min(level, self._floor * 1.01) + 0.1
        stirs = level > 2 * self._floor + 32
        self._still_samples = 0 if stirs else self._still_samples + len(block)
        return self._still_samples >= STIRRED_SAMPLES
