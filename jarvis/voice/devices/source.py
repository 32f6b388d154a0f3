"""The microphone as a source. What our own loudspeaker plays meanwhile is told in step with what is heard: both come
from the devices' threads through one queue, so that a busy loop shifts neither against the other."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import structlog

from jarvis.core.errors import EngineFailed
from jarvis.voice import wav
from jarvis.voice.devices import audio
from jarvis.voice.streams import RATE_HZ

if TYPE_CHECKING:
    from jarvis.voice.devices.sink import DeviceSink
    from jarvis.voice.wav import Samples

QUEUE_PIECES = 375
"""15 s of sound, 3 s with what is played meanwhile: longer than any pause of the event loop that leaves an utterance
usable. When full, the oldest go."""
MOST_SLIP_S = 0.08
"""Two blocks: further apart, the two devices did not simply begin at another moment."""
SILENT_DEVICE_S = 3.0
"""A microphone gives a block every 40 ms; without any for this long it was unplugged."""

log = structlog.get_logger()


class DeviceSource:
    """The microphone called `name`, the system's own without one. Opens when it is first read, closes when the reader
    leaves, so one that was lost is read anew. `sink` is the loudspeaker that it may hear."""

    realtime = True

    def __init__(self, name: str = "", sink: DeviceSink | None = None) -> None:
        self._name, self._sink = name, sink
        self.xruns = 0
        """How often the device lost sound before it came to us."""
        self.dropped = 0
        """Pieces lost because nobody read."""

    async def blocks(self) -> AsyncIterator[Samples]:
        """Raises Unreachable where there is no such device, EngineFailed when it stops giving sound."""
        inbox = Inbox(asyncio.get_running_loop())
        while True:
            async with contextlib.aclosing(self._from_one_stream(inbox)) as blocks:
                async for block in blocks:
                    yield block
            await audio.renew()
            inbox.renewed()

    async def _from_one_stream(self, inbox: Inbox) -> AsyncGenerator[Samples, None]:
        """Until the list of devices must be made anew."""
        stream = await audio.open_input(self._name, inbox.heard, inbox.ended)
        inbox.begin(stream.rate_hz)
        convert, sink = Converter(stream.rate_hz, RATE_HZ), self._sink
        if sink is not None:
            sink.heard_by(inbox, stream.device)
        try:
            while not inbox.renewing:
                await inbox.wait()
                self._count(inbox)
                for played, samples in inbox.take():
                    if played:
                        assert sink is not None
                        sink.tell(samples)
                    elif len(block := convert(samples)):
                        yield block
        finally:
            if sink is not None:
                sink.heard_by(None)
            await asyncio.shield(stream.close(drop=True))
            self._count(inbox)
            if self.xruns or self.dropped:
                log.info("sound was lost", by_device=self.xruns, by_us=self.dropped)

    def _count(self, inbox: Inbox) -> None:
        self.xruns += inbox.xruns
        self.dropped += inbox.dropped
        inbox.xruns = inbox.dropped = 0


class Inbox:
    """What the devices' threads leave for the loop, in the order in which they left it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._arrived = loop, asyncio.Event()
        self._pieces: deque[tuple[bool, Samples]] = deque(maxlen=QUEUE_PIECES)
        self._told = self._over = False
        self.rate_hz = RATE_HZ
        """The microphone's."""
        self._heard_s = self._told_s = 0.0  # by the microphone's samples: heard, and to be taken until then
        self._anchor_s = math.inf  # from the loudspeaker's time to that
        self.renewing: asyncio.Future[None] | None = None
        """Somebody waits for a new list of devices."""
        self._last_s = time.monotonic()
        self.xruns = self.dropped = 0

    def heard(self, samples: Samples, lost: bool) -> None:
        """On the microphone's thread."""
        self._last_s = time.monotonic()
        self.xruns += lost
        self._heard_s += len(samples) / self.rate_hz
        self._put(False, samples)

    def played(self, samples: Samples, at_s: float) -> None:
        """On the loudspeaker's thread: what is about to be played, 16 kHz, and when, by the count of its samples.

        Whoever takes it takes as much as is heard, so its place is a count too. The echo keeps its lag from sentence to
        sentence, whenever in a block they begin: what begins later is preceded by silence, what comes late is cut."""
        import numpy as np

        cursor_s = max(self._told_s, self._heard_s)
        slip_s = at_s + self._anchor_s - cursor_s
        if abs(slip_s) > MOST_SLIP_S:  # the first of a stream, or sound was lost
            self._anchor_s, slip_s = cursor_s - at_s, 0.0
        slip = round(slip_s * RATE_HZ)
        placed = np.concatenate([np.zeros(slip, np.int16), samples]) if slip > 0 else samples[-slip:]
        self._told_s = cursor_s + len(placed) / RATE_HZ
        if len(placed):
            self._put(True, placed)

    def ended(self) -> None:
        """On the microphone's thread: it stopped by itself."""
        self._over = True
        self._tell()

    def _put(self, played: bool, samples: Samples) -> None:
        self.dropped += len(self._pieces) == QUEUE_PIECES
        self._pieces.append((played, samples))
        self._tell()

    def _tell(self) -> None:
        """Once for all that waits: a loop that is busy must not be left a call for each block."""
        if self._told:
            return
        self._told = True
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the loop is closed, and with it everybody who could listen
            self._over = True

    def begin(self, rate_hz: int) -> None:
        """A stream was opened."""
        self._last_s, self._over, self.rate_hz = time.monotonic(), False, rate_hz

    async def renewal(self) -> None:
        """Have the microphone closed for a moment, so that the library can be started anew. On the loop."""
        if not self.renewing:
            self.renewing = asyncio.get_running_loop().create_future()
            self._arrived.set()
        await asyncio.shield(self.renewing)

    def renewed(self) -> None:
        if self.renewing is not None:
            self.renewing.set_result(None)
            self.renewing = None

    async def wait(self) -> None:
        """Until something is there. Raises EngineFailed when the microphone is gone, or silent for too long."""
        while True:
            left_s = self._last_s + SILENT_DEVICE_S - time.monotonic()
            if self._over and not self._pieces:
                raise EngineFailed("The microphone went away.", fix="Is it still connected?")
            if left_s <= 0:
                raise EngineFailed("The microphone stopped giving sound.", fix="Is it still connected?")
            if self._arrived.is_set():
                break
            try:
                async with asyncio.timeout(left_s):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        self._arrived.clear()
        self._told = False

    def take(self) -> list[tuple[bool, Samples]]:
        """(whether we play it, mono: at 16 kHz if we do, else at the microphone's rate), all there is."""
        pieces = []
        while self._pieces:
            pieces.append(self._pieces.popleft())
        return pieces


class Converter:
    """Mono int16 at another rate, block by block, without a seam between blocks."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resampler: Any = None if from_hz == to_hz else wav.resampler(from_hz, to_hz, "int16")

    def __call__(self, samples: Samples) -> Samples:
        converted: Samples = samples if self._resampler is None else self._resampler.resample_chunk(samples)
        return converted
