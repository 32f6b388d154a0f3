"""The only module that touches a sound device, through sounddevice (PortAudio): which devices there are, and streams
into and out of them. Who hears and who plays is `device_source` and `device_sink`.

PortAudio is one library with one state for the whole process and is not made for threads, so every call goes through
one thread of its own. Its device list is made once and never changes, so that a device which was plugged in later is
found by starting the library anew: only while no stream is open, because that would end them all.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from jarvis.core.errors import EngineFailed, JarvisError, Missing, Unreachable, not_installed
from jarvis.voice.streams import RATE_HZ

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

T = TypeVar("T")
Heard = Callable[["Samples", bool], None]
"""Given a block of the microphone, mono, and whether sound was lost before it; on the device's own thread."""
Fill = Callable[[int, bool], "Samples"]
"""Asked for so many samples, mono, and told whether the loudspeaker ran dry before; on the device's own thread."""

IN_BLOCK_MS, OUT_BLOCK_MS = 40, 10
"""Each block wakes Python: a microphone that gives one every 20 ms costs 2 % of a core day and night, every 40 ms half
of that, and hears an end 10 ms later. A loudspeaker is open only while it speaks, and obeys within a block."""
LATENCY_S = 0.03
"""Between us and the device, each way: what was handed over is heard so much later, also after a stop. Below that, a
loop that is busy for a moment is heard as a crackle."""
CALL_S = 10.0
"""For one call of the library. Opening takes milliseconds; a driver that hangs must not take the node with it."""
USUAL_RATES = (48_000, 44_100, 16_000)

_one_at_a_time = ThreadPoolExecutor(1, "portaudio")
_open: set[Stream] = set()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    kind: str
    """`input` or `output`."""
    index: int
    """PortAudio's, until the list is made anew."""
    rate_hz: int
    """Its own."""
    channels: int


@dataclass(eq=False)
class Stream:
    """One open direction of one device, mono to us."""

    device: Device
    rate_hz: int
    raw: Any
    """sounddevice's."""

    @property
    def latency_s(self) -> float:
        return float(self.raw.latency)

    async def close(self, *, drop: bool = False) -> None:
        """`drop` forgets what the device has not played yet. Errors of a device that is gone are no news."""

        def close() -> None:
            _open.discard(self)
            try:
                (self.raw.abort if drop else self.raw.stop)()
            except _sounddevice().PortAudioError:
                pass
            finally:
                self.raw.close(ignore_errors=True)

        await _call(close)


def _sounddevice() -> Any:
    """Raises Missing: the Python package, or Debian's libportaudio2, is not there."""
    try:
        import sounddevice
    except ImportError:
        raise not_installed("sounddevice", "voice") from None
    except OSError:
        raise Missing("The system library libportaudio2 is missing.", fix="Run `apt install libportaudio2`.") from None
    return sounddevice


def what(kind: str) -> str:
    return "microphone" if kind == "input" else "loudspeaker"


def list_devices(kind: str) -> list[Device]:
    """Those the library knows; a name may occur twice, once for each system it is reached through."""
    found = [dict(one) for one in _sounddevice().query_devices()]
    return [_device(one, kind) for one in found if one[f"max_{kind}_channels"] > 0]


def _device(found: dict[str, Any], kind: str) -> Device:
    return Device(
        str(found["name"]),
        kind,
        int(found["index"]),
        int(found["default_samplerate"]),
        int(found[f"max_{kind}_channels"]),
    )


def find_device(kind: str, name: str = "") -> Device:
    """The `input` or `output` device called `name` or by all the words of it, in any case; without a name the
    system's default. Raises Unreachable, with what there is instead, and Missing without the library."""
    sounddevice, devices = _sounddevice(), list_devices(kind)
    if not devices:
        raise Unreachable(f"There is no {what(kind)} on this machine.", fix="Connect one, or run with `--audio none`.")
    if not name:
        try:
            return _device(dict(sounddevice.query_devices(None, kind)), kind)
        except (ValueError, sounddevice.PortAudioError):  # devices, but none of them is the default
            return devices[0]
    wanted, names = name.casefold(), list(dict.fromkeys(one.name for one in devices))
    exact = [one for one in devices if one.name.casefold() == wanted]
    partly = [one for one in devices if all(word in one.name.casefold() for word in wanted.split())]
    found = exact or partly
    if not found:
        raise Unreachable(
            f"There is no {what(kind)} called {name!r}; there are: {', '.join(names)}.", fix=_name_it(kind)
        )
    several = list(dict.fromkeys(one.name for one in found))
    if len(several) > 1:
        raise Unreachable(
            f"{name!r} may be any {what(kind)} of these: {', '.join(several)}.", fix="Give more of the name."
        )
    return found[0]


def _name_it(kind: str) -> str:
    return f"Connect it, or run `jarvis config set audio.{kind} NAME`."


async def open_input(name: str, heard: Heard, ended: Callable[[], None]) -> Stream:
    """Start the microphone called `name`, at 16 kHz where it can. `ended` is called, on the device's thread, when it
    stops by itself. Raises Unreachable, Missing, EngineFailed."""
    import numpy as np

    def start() -> Stream:
        sounddevice, device = _sounddevice(), find_device("input", name)
        rate_hz, channels = _accepted(sounddevice.check_input_settings, device, (RATE_HZ, device.rate_hz))

        def take(data: Any, frames: int, time: Any, status: Any) -> None:
            samples = np.frombuffer(bytes(data), np.int16)
            if channels > 1:
                samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
            heard(samples, bool(status))

        return _start(sounddevice.RawInputStream, device, rate_hz, channels, IN_BLOCK_MS, take, ended, LATENCY_S)

    return await _call(lambda: _twice(start))


async def open_output(name: str, fill: Fill, ended: Callable[[], None], latency_s: float = LATENCY_S) -> Stream:
    """Start the loudspeaker called `name`, at its own rate. Otherwise as `open_input`."""
    import numpy as np

    def start() -> Stream:
        sounddevice, device = _sounddevice(), find_device("output", name)
        rate_hz, channels = _accepted(sounddevice.check_output_settings, device, (device.rate_hz, *USUAL_RATES))

        def give(data: Any, frames: int, time: Any, status: Any) -> None:
            samples = fill(frames, bool(status))
            data[:] = (np.repeat(samples, channels) if channels > 1 else samples).tobytes()

        return _start(sounddevice.RawOutputStream, device, rate_hz, channels, OUT_BLOCK_MS, give, ended, latency_s)

    return await _call(lambda: _twice(start))


async def renew() -> bool:
    """Make the list of devices anew; False while a stream is open."""
    return await _call(look_again)


def one_clock(microphone: Device, loudspeaker: Device) -> bool:
    """Whether both run at the same pace. Two sound cards do not, and an echo canceller fails slowly on them; a sound
    server (PipeWire, PulseAudio) keeps what it hands out in step."""
    cards = [re.search(r"\(hw:(\d+)", one.name) for one in (microphone, loudspeaker)]
    return cards[0] is None or cards[1] is None or cards[0][1] == cards[1][1]


def _twice(start: Callable[[], Stream]) -> Stream:
    """A device that was unplugged meanwhile is in the list and fails; one that was plugged in is not in it."""
    try:
        return start()
    except (Unreachable, EngineFailed):
        if not look_again():
            raise
    return start()


def look_again() -> bool:
    """What `renew` does, on the library's thread or where it is used for nothing else."""
    if _open:
        return False
    sounddevice = _sounddevice()
    sounddevice._terminate()
    sounddevice._initialize()
    return True


def _accepted(check: Callable[..., None], device: Device, rates: tuple[int, ...]) -> tuple[int, int]:
    """The first rate the device takes, mono or, if it has nothing less, stereo. PortAudio converts neither."""
    sounddevice = _sounddevice()
    for rate_hz in dict.fromkeys(rates):
        for channels in (1, 2):
            try:
                check(device=device.index, channels=channels, dtype="int16", samplerate=rate_hz)
            except (ValueError, sounddevice.PortAudioError):
                continue
            return rate_hz, channels
    return device.rate_hz, 1  # opening says why it does not work


def _start(
    make: Any,
    device: Device,
    rate_hz: int,
    channels: int,
    block_ms: int,
    callback: Callable[..., None],
    ended: Callable[[], None],
    latency_s: float,
) -> Stream:
    sounddevice = _sounddevice()
    try:
        raw = make(
            samplerate=rate_hz,
            blocksize=rate_hz * block_ms // 1000,
            device=device.index,
            channels=channels,
            dtype="int16",
            latency=latency_s,
            callback=callback,
            finished_callback=ended,
        )
        raw.start()
    except sounddevice.PortAudioError as error:
        reason = str(error.args[0] if error.args else error).strip(".")
        raise EngineFailed(
            f"The {what(device.kind)} {device.name!r} cannot be opened: {reason}.",
            fix="Is it connected, and does no other program use it?",
        ) from None
    stream = Stream(device, rate_hz, raw)
    _open.add(stream)
    return stream


async def _call(work: Callable[[], T]) -> T:
    """On the library's thread. Raises EngineFailed when that hangs; what opens later than anybody waits is closed."""
    running: Future[T] = _one_at_a_time.submit(work)
    try:
        async with asyncio.timeout(CALL_S):
            return await asyncio.shield(asyncio.wrap_future(running))
    except (TimeoutError, asyncio.CancelledError) as stopped:
        running.add_done_callback(_let_go)
        if isinstance(stopped, TimeoutError):
            raise EngineFailed("The sound system does not answer.", fix="Plug the device out and in again.") from None
        raise


def _let_go(late: Future[Any]) -> None:
    if late.cancelled() or late.exception() is not None or not isinstance(late.result(), Stream):
        return
    stream: Stream = late.result()
    _open.discard(stream)
    try:
        stream.raw.close(ignore_errors=True)
    except JarvisError as error:
        log.warning("a sound device was not closed", reason=str(error))
