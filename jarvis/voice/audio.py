"""The only module that touches a sound device, through sounddevice (PortAudio). Nothing else here is imported from
elsewhere in this room but the two protocols of `streams`.

PortAudio calls from a thread of its own: that thread copies a block and hands it to the event loop, nothing more.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import structlog

from jarvis.core.errors import EngineFailed, Missing, not_installed
from jarvis.voice import wav
from jarvis.voice.streams import BLOCK_SAMPLES, RATE_HZ, QuietSink

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

log = structlog.get_logger()

QUEUE_BLOCKS = 250
"""5 s of sound: longer than any pause of the event loop that leaves an utterance usable. When full, the oldest go."""
SILENT_DEVICE_S = 3.0
"""A microphone gives a block every 20 ms; without any for this long it was unplugged."""
_WRITE_MS = 50
"""Sound is handed to the loudspeaker in such pieces, so that stopping takes no longer."""


def _sounddevice() -> Any:
    """Raises Missing: the Python package, or Debian's libportaudio2, is not there."""
    try:
        import sounddevice
    except ImportError:
        raise not_installed("sounddevice", "voice") from None
    except OSError:
        raise Missing("The system library libportaudio2 is missing.", fix="Run `apt install libportaudio2`.") from None
    return sounddevice


def find_device(kind: str, name: str = "") -> dict[str, Any]:
    """PortAudio's description of the `input` or `output` device called `name`, or the default one. Raises Missing."""
    sounddevice = _sounddevice()
    try:
        return dict(sounddevice.query_devices(name or None, kind))
    except (ValueError, sounddevice.PortAudioError):
        what = "microphone" if kind == "input" else "loudspeaker"
        which = f" called {name!r}" if name else ""
        raise Missing(
            f"There is no {what}{which} on this machine.", fix="Connect one, or run with `--audio none`."
        ) from None


class DeviceSource:
    """The microphone. Opens when it is first read, closes when the reader leaves."""

    realtime = True

    def __init__(self, name: str = "") -> None:
        self._device = find_device("input", name)

    async def blocks(self) -> AsyncIterator[Samples]:
        """Raises EngineFailed when the device stops giving sound."""
        sounddevice = _sounddevice()
        rate_hz = self._rate(sounddevice)
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        queue: deque[bytes] = deque(maxlen=QUEUE_BLOCKS)

        def take(data: bytes) -> None:
            queue.append(data)
            arrived.set()

        def callback(indata: Any, frames: int, time: Any, status: Any) -> None:
            loop.call_soon_threadsafe(take, bytes(indata))

        try:
            stream = sounddevice.RawInputStream(
                samplerate=rate_hz,
                blocksize=BLOCK_SAMPLES * rate_hz // RATE_HZ,
                device=self._device["index"],
                channels=1,
                dtype="int16",
                callback=callback,
            )
        except sounddevice.PortAudioError as error:
            raise Missing(f"The microphone cannot be opened: {error}.", fix="Is another program using it?") from None
        convert = _Converter(rate_hz)
        with stream:
            while True:
                try:
                    async with asyncio.timeout(SILENT_DEVICE_S):
                        await arrived.wait()
                except TimeoutError:
                    raise EngineFailed("The microphone stopped giving sound.", fix="Is it still connected?") from None
                arrived.clear()
                while queue:
                    yield convert(queue.popleft())

    def _rate(self, sounddevice: Any) -> int:
        """16 kHz where the device can, else its own."""
        try:
            sounddevice.check_input_settings(self._device["index"], channels=1, dtype="int16", samplerate=RATE_HZ)
        except sounddevice.PortAudioError:
            return int(self._device["default_samplerate"])
        return RATE_HZ


class _Converter:
    """Blocks at the device's rate to 16 kHz, without a seam between blocks."""

    def __init__(self, rate_hz: int) -> None:
        self._resampler = None if rate_hz == RATE_HZ else wav.resampler(rate_hz, RATE_HZ, "int16")

    def __call__(self, data: bytes) -> Samples:
        import numpy as np

        samples = np.frombuffer(data, np.int16)
        converted: Samples = samples if self._resampler is None else self._resampler.resample_chunk(samples)
        return converted


class DeviceSink(QuietSink):
    """The loudspeaker. One stream a sentence: its rate is the voice's."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self._device = find_device("output", name)
        self._stopped = threading.Event()

    async def play(self, samples: Samples, rate_hz: int) -> None:
        """Returns when the sound has been heard. Raises EngineFailed when the device refuses."""
        stopped = self._stopped = threading.Event()
        playing = asyncio.ensure_future(asyncio.to_thread(self._write, samples, rate_hz, stopped))
        try:
            await asyncio.shield(playing)
        finally:
            stopped.set()
            await asyncio.wait({playing})

    def stop(self) -> None:
        self._stopped.set()

    def _write(self, samples: Samples, rate_hz: int, stopped: threading.Event) -> None:
        sounddevice = _sounddevice()
        rate = rate_hz
        try:
            sounddevice.check_output_settings(self._device["index"], channels=1, dtype="int16", samplerate=rate)
        except sounddevice.PortAudioError:
            rate = int(self._device["default_samplerate"])
            samples = wav.to_int16(wav.resample(samples / 32767.0, rate_hz, rate))
        step = rate * _WRITE_MS // 1000
        try:
            with sounddevice.RawOutputStream(
                samplerate=rate, device=self._device["index"], channels=1, dtype="int16"
            ) as stream:
                for start in range(0, len(samples), step):
                    if stopped.is_set():
                        stream.abort()
                        return
                    stream.write(samples[start : start + step].tobytes())
        except sounddevice.PortAudioError as error:
            raise EngineFailed(f"The loudspeaker failed: {error}.", fix="Is it still connected?") from None
