"""The loudspeaker as a sink: one stream that stays open from sentence to sentence, filled by the device's own thread,
so that volume, ducking and stopping act on the next 10 ms and not on what waits in a queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from jarvis.core.errors import EngineFailed, Overloaded, Unreachable
from jarvis.voice import wav
from jarvis.voice.devices import audio
from jarvis.voice.devices.gain import Gain
from jarvis.voice.devices.source import Inbox
from jarvis.voice.streams import MAX_SINK_SECONDS, RATE_HZ, QuietSink

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

IDLE_S = 5.0
"""The device is let go so long after the last sound: the next sentence finds it open, other programs find it free."""
AHEAD_S = 0.1
"""What is played is told so long before the device takes it: a microphone may give two blocks at once, and whoever
cancels the echo must never hear it before it was told."""
SETTLE_S, SETTLED_S = 0.06, 0.3
"""A device that was just opened swallows its first moment: it is given silence until it has not run dry for so long,
at most so long in all."""
SILENT_DEVICE_S = 3.0
"""A loudspeaker takes a block every 10 ms; one that takes none for this long was unplugged."""
SLOW_FACTOR, SLOW_S = 2.0, 5.0
"""A sentence that takes longer than this times its length, and these seconds, is not being played."""
RENEW_S = 30.0
"""A loudspeaker that is not there may interrupt the microphone so often, for the tenth of a second that looking for it
takes."""
LONG_LATENCY_S, FAST_S = 0.1, 0.3
"""Where the usual latency does not do; and how far ahead of hearing a device may take sound besides it."""
CRACKLES = 3
"""So often in one sentence and the usual latency does not do on this machine."""
REPLUG = "Plug it out and in again."
FADE_S = 0.04
"""The most a stop waits for the sound to fade before it is cut."""

log = structlog.get_logger()


class DeviceSink(QuietSink):
    """The loudspeaker called `name`, the system's own without one; `volume` in percent."""

    def __init__(self, name: str = "", volume: int = 100) -> None:
        super().__init__()
        self.name = name
        """May be changed; it counts when the device is opened next."""
        self._gain = Gain(volume)
        self._stream: audio.Stream | None = None
        self._piece: _Piece | None = None
        self._one = asyncio.Lock()
        self._inbox: Inbox | None = None
        self._microphone: audio.Device | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._renewed_s = -RENEW_S
        self._latency_s = audio.LATENCY_S
        self._settled, self._dry_s = False, 0.0
        self._stops = 0
        self._frames = 0  # that the open stream has taken
        self.xruns = 0
        """How often the device ran dry."""

    @property
    def played_ms(self) -> float:  # type: ignore[override]
        return 0.0 if self._piece is None else self._piece.heard_ms

    def volume(self, percent: int) -> None:
        self._gain.volume(percent)

    def duck(self, db: float) -> None:
        self._gain.duck(db)

    async def play(self, samples: Samples, rate_hz: int) -> None:
        """Returns when the sound was heard. Raises Unreachable where there is no such device, EngineFailed when it
        refuses, goes away or takes sound slower than it is played, Overloaded for more than ten minutes."""
        if len(samples) > MAX_SINK_SECONDS * rate_hz:
            raise Overloaded(f"The reply is longer than {MAX_SINK_SECONDS // 60} minutes.")
        stops = self._stops
        async with self._one:
            try:
                if not await self._played(samples, rate_hz, stops):
                    log.info("the loudspeaker took sound faster than it is heard; once more with a longer queue")
                    await self._close(drop=True)
                    self._latency_s = LONG_LATENCY_S
                    if not await self._played(samples, rate_hz, stops):
                        raise EngineFailed("The loudspeaker takes sound and does not play it.", fix=REPLUG)
            except EngineFailed:
                await self._close(drop=True)
                raise
            finally:
                self._close_when_idle()

    async def _played(self, samples: Samples, rate_hz: int, stops: int) -> bool:
        """False when the device took it in less time than hearing it takes: after a crackle some never wait again. What
        was stopped before it began is not played."""
        self._piece = None
        stream, xruns = await self._opened(), self.xruns
        told = await _at(samples, rate_hz, RATE_HZ) if self.reference is not None else samples[:0]
        samples = await _at(samples, rate_hz, stream.rate_hz)
        if self._stops != stops:
            return True
        self._gain.restore()
        piece = self._piece = _Piece(samples, told, stream.rate_hz, stream.latency_s, asyncio.get_running_loop())
        try:
            await self._until_heard(piece)
        finally:
            if not piece.done.is_set():
                await asyncio.shield(self._cut(piece))
        if self.xruns - xruns >= CRACKLES and self._latency_s < LONG_LATENCY_S:
            log.info("the loudspeaker crackled; from now on with a longer queue", times=self.xruns - xruns)
            self._latency_s = LONG_LATENCY_S
            await self._close(drop=False)
        return not piece.ran_away

    def stop(self) -> None:
        self._stops += 1
        piece = self._piece
        if piece is not None and not piece.done.is_set():
            piece.stopped = True
            self._gain.fade()

    def tell(self, samples: Samples) -> None:
        """What is being played, on its way to whoever cancels the echo."""
        if self.reference is not None:
            self.reference(samples)

    def heard_by(self, inbox: Inbox | None, microphone: audio.Device | None = None) -> None:
        """The microphone that hears this loudspeaker tells from now on when it was played; None: there is none."""
        self._inbox, self._microphone = inbox, microphone

    async def aclose(self) -> None:
        await self._close(drop=True)

    async def _opened(self) -> audio.Stream:
        if self._idle is not None:
            self._idle.cancel()
        if self._closing is not None:
            await asyncio.shield(self._closing)
            self._closing = None
        if self._stream is None:
            self._loop, self._piece = asyncio.get_running_loop(), None
            self._settled = False
            self._stream = await self._open()
            await self._settle()
        return self._stream

    async def _settle(self) -> None:
        began_s = self._dry_s = time.monotonic()
        while (now_s := time.monotonic()) < min(self._dry_s + SETTLE_S, began_s + SETTLED_S):  # noqa: ASYNC110 - a thread tells
            await asyncio.sleep(min(self._dry_s + SETTLE_S, began_s + SETTLED_S) - now_s)
        self._settled = True

    async def _open(self) -> audio.Stream:
        """One that was plugged in while the microphone listens is found when that pauses for a moment."""
        try:
            return await audio.open_output(self.name, self._fill, self._ended, self._latency_s)
        except (Unreachable, EngineFailed):
            now_s = time.monotonic()
            if self._inbox is None or now_s - self._renewed_s < RENEW_S:
                raise
            self._renewed_s = now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENT_DEVICE_S):
                    await self._inbox.renewal()
        return await audio.open_output(self.name, self._fill, self._ended, self._latency_s)

    async def _until_heard(self, piece: _Piece) -> None:
        deadline_s = time.monotonic() + piece.seconds * SLOW_FACTOR + SLOW_S
        while not piece.done.is_set():
            now_s = time.monotonic()
            if piece.lost:
                raise EngineFailed("The loudspeaker went away.", fix="Is it still connected?")
            if now_s - piece.asked_s > SILENT_DEVICE_S:
                raise EngineFailed("The loudspeaker stopped taking sound.", fix="Is it still connected?")
            if now_s > deadline_s:
                raise EngineFailed("The loudspeaker plays far too slowly.", fix=REPLUG)
            piece.news.clear()
            try:
                async with asyncio.timeout(min(deadline_s - now_s, SILENT_DEVICE_S / 4) + 0.01):
                    await piece.news.wait()
            except TimeoutError:
                continue
        if not piece.stopped and not piece.ran_away:
            await asyncio.sleep(piece.latency_s)  # it was taken; now it is heard
            piece.heard = True

    async def _cut(self, piece: _Piece) -> None:
        """Fade, then drop what the device still holds if that is more than a moment."""
        piece.stopped = True
        self._gain.fade()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FADE_S):
                await piece.done.wait()
        if self._stream is not None and (not piece.done.is_set() or piece.latency_s > FADE_S):
            await self._close(drop=True)
        piece.end()

    def _fill(self, frames: int, ran_dry: bool) -> Samples:
        """On the device's thread: the next samples, at the present gain, and silence where there are none."""
        import numpy as np

        piece = self._piece
        block = np.zeros(frames, np.int16)
        if ran_dry:
            self._dry_s = time.monotonic()
            self.xruns += self._settled
        if piece is not None and not piece.done.is_set():
            if not piece.at:
                piece.began_at = self._frames
            taken = piece.take(frames)
            block[: len(taken)] = self._gain.apply(taken, piece.rate_hz)
            self._tell_played(piece)
            if piece.at >= len(piece.samples) or piece.ran_away or (piece.stopped and self._gain.silent):
                piece.finish()
        self._frames += frames
        return block

    def _tell_played(self, piece: _Piece) -> None:
        """In step with the microphone where one listens, else at once."""
        import numpy as np

        inbox, loop, stream = self._inbox, self._loop, self._stream
        if self.reference is None or loop is None or stream is None:
            return
        at_s, told = piece.tell()
        if not len(told):
            return
        samples = (told * np.float32(self._gain.now)).astype(np.int16)
        if inbox is None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(self.tell, samples)
        elif self._microphone is None or audio.one_clock(self._microphone, stream.device):
            inbox.played(samples, at_s)

    def _ended(self) -> None:
        """On the device's thread: the stream stopped, by us or by itself."""
        piece = self._piece
        if piece is not None:
            piece.lose()

    def _close_when_idle(self) -> None:
        if self._stream is None:
            return

        def close() -> None:
            if not self._one.locked():
                self._closing = asyncio.ensure_future(self._close(drop=False))

        self._idle = asyncio.get_running_loop().call_later(IDLE_S, close)

    async def _close(self, *, drop: bool) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            await asyncio.shield(stream.close(drop=drop))
        except EngineFailed as error:
            log.warning("the loudspeaker was not closed", reason=str(error))


class _Piece:
    """One sentence on its way out. The device's thread takes from it; the loop waits for its end."""

    def __init__(
        self, samples: Samples, told: Samples, rate_hz: int, latency_s: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        """`told` is the same at 16 kHz, for whoever cancels the echo."""
        self.samples, self.rate_hz, self.latency_s, self._loop = samples, rate_hz, latency_s, loop
        self._told, self._told_at = told, 0
        self.at = self.began_at = 0
        self.began_s = self.asked_s = time.monotonic()
        self.done, self.news = asyncio.Event(), asyncio.Event()
        self.stopped = self.lost = self.heard = self.ran_away = False

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate_hz

    @property
    def heard_ms(self) -> float:
        waiting = 0.0 if self.heard else self.latency_s * 1000
        return max(self.at * 1000 / self.rate_hz - waiting, 0.0)

    def take(self, count: int) -> Samples:
        self.asked_s = time.monotonic()
        taken = self.samples[self.at : self.at + count]
        self.at += len(taken)
        self.ran_away = self.at / self.rate_hz > self.asked_s - self.began_s + self.latency_s + FAST_S
        return taken

    def tell(self) -> tuple[float, Samples]:
        """What is to be told after the last `take`: as far as that, and a little ahead; and when it is played, by the
        stream's samples."""
        begin, self._told_at = self._told_at, int((self.at / self.rate_hz + AHEAD_S) * RATE_HZ)
        return self.began_at / self.rate_hz + begin / RATE_HZ, self._told[begin : self._told_at]

    def finish(self) -> None:
        self._call(self.end)

    def lose(self) -> None:
        self.lost = True
        self._call(self.news.set)

    def end(self) -> None:
        self.done.set()
        self.news.set()

    def _call(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what)


async def _at(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """At another rate, beside the loop."""
    if from_hz == to_hz:
        return samples
    return await asyncio.to_thread(lambda: wav.to_int16(wav.resample(samples / 32767.0, from_hz, to_hz)))
