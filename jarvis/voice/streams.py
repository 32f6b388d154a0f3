"""Where sound comes from and goes to: the two protocols, and the forms that need no sound device.

A source is an async iterator of int16 mono 16 kHz blocks of any size. A sink plays until it is told to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jarvis.core.errors import JarvisError, Overloaded
from jarvis.voice import wav

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

RATE_HZ = wav.RATE_HZ
BLOCK_SAMPLES = 640
"""40 ms, as the microphone gives them: every block wakes the node, and twice as many would cost a percent of a core."""
MAX_BLOCK_SAMPLES = 640
"""Larger blocks would make decisions late."""
MAX_SINK_SECONDS = 600
"""A reply of ten minutes is a fault, not an answer."""


class Source(Protocol):
    realtime: bool
    """Whether sound arrives at the pace it was made. Where it does not, the pipeline may take its time."""

    def blocks(self) -> AsyncIterator[Samples]: ...


Reference = Callable[["Samples"], None]
"""Told of each piece as it is played, 16 kHz mono int16 at the loudness it is heard with: what the echo canceller takes
out of the microphone. A device tells it a little ahead, in step with its microphone's blocks: from the first piece of a
sentence on, as many samples as are heard meanwhile."""


class Sink(Protocol):
    reference: Reference | None
    """Set by whoever cancels the echo of what is played here; None where nobody does."""

    @property
    def played_ms(self) -> float:
        """How much of the last `play` was heard, also when that was cancelled."""

    async def play(self, samples: Samples, rate_hz: int) -> None:
        """Returns when these were heard, or handed over where nobody listens. Cancelling it stops the sound."""

    def stop(self) -> None:
        """Silence at once; what was not played yet is dropped."""

    def duck(self, db: float) -> None:
        """Play quieter by so many decibels from now on; 0 is full volume."""


class QuietSink:
    """What a sink does that nobody hears: a base for those that only take the sound."""

    played_ms = 0.0

    def __init__(self) -> None:
        self.reference: Reference | None = None

    async def play(self, samples: Samples, rate_hz: int) -> None:
        self.played_ms = 0.0
        await asyncio.sleep(0)
        self.played_ms = len(samples) * 1000 / rate_hz

    def stop(self) -> None:
        pass

    def duck(self, db: float) -> None:
        pass


class WavSource:
    """16 kHz mono int16, as a microphone would have heard them."""

    def __init__(self, samples: Samples, *, realtime: bool = False) -> None:
        self.realtime = realtime
        self.samples = samples

    async def blocks(self) -> AsyncIterator[Samples]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for start in range(0, len(self.samples), BLOCK_SAMPLES):
            block = self.samples[start : start + BLOCK_SAMPLES]
            due_s = began + (start + len(block)) / RATE_HZ if self.realtime else 0.0
            # A block is there when its last sample was spoken. Otherwise only let others run.
            await asyncio.sleep(max(due_s - loop.time(), 0.0))
            yield block


class Blocks:
    """A source being read, in blocks of at most 32 ms, with their place in the stream."""

    def __init__(self, source: Source) -> None:
        self.realtime = source.realtime
        self.ended = False
        self.failed = False
        """The source raised: nothing more will come."""
        self._read_samples = 0
        self._muted: Callable[[], bool] = getattr(source, "muted", lambda: False)
        self._source = source.blocks()
        self._rest: Samples | None = None

    async def next(self) -> Samples | None:
        """The next block, None at the end. Waiting here is waiting for sound: only the source bounds it."""
        block = self._rest
        if block is None or not len(block):
            try:
                block = await anext(self._source)
            except StopAsyncIteration:
                self.ended = True
                return None
            except JarvisError:
                self.failed = True
                raise
        block, self._rest = block[:MAX_BLOCK_SAMPLES], block[MAX_BLOCK_SAMPLES:]
        self._read_samples += len(block)
        return block

    @property
    def muted(self) -> bool:
        """It ended because the microphone was muted, which a source may say of itself with `muted()`."""
        return self._muted()

    @property
    def now_ms(self) -> float:
        """The end of the last block, from the stream's beginning."""
        return self._read_samples * 1000 / RATE_HZ

    async def aclose(self) -> None:
        """Let the source go: a device stops recording."""
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


class NullSink(QuietSink):
    """A node without a loudspeaker."""


class WavSink(QuietSink):
    """Keeps what was played, at the rate of the first piece. Raises Overloaded past ten minutes."""

    def __init__(self, sink: Sink | None = None) -> None:
        super().__init__()
        self.rate_hz = 0
        self._pieces: list[Samples] = []
        self._count = 0
        self._next = sink

    async def play(self, samples: Samples, rate_hz: int) -> None:
        if self._next is not None:
            try:
                await self._next.play(samples, rate_hz)
            finally:
                self.played_ms = self._next.played_ms
        else:
            await super().play(samples, rate_hz)
        self.rate_hz = self.rate_hz or rate_hz
        if rate_hz != self.rate_hz:
            samples = wav.to_int16(wav.resample(samples / 32767.0, rate_hz, self.rate_hz))
        if self._count + len(samples) > MAX_SINK_SECONDS * self.rate_hz:
            raise Overloaded(f"The reply is longer than {MAX_SINK_SECONDS // 60} minutes.")
        self._count += len(samples)
        self._pieces.append(samples)

    def stop(self) -> None:
        if self._next is not None:
            self._next.stop()

    def duck(self, db: float) -> None:
        if self._next is not None:
            self._next.duck(db)

    @property
    def samples(self) -> Samples:
        import numpy as np

        nothing: Any = np.zeros(0, np.int16)
        return np.concatenate(self._pieces) if self._pieces else nothing

    def save(self, path: Path | str) -> None:
        """Write the WAV. Raises StoreFailed."""
        wav.write(path, self.samples, self.rate_hz or RATE_HZ)
