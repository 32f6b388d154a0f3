"""Sound files in and out. Whatever a file holds becomes 16 kHz mono int16, or one clear sentence says why not.

A file is measured by its header before its samples are read, and read in blocks that become 16 kHz mono at once: two
megabytes of FLAC can hold seven gigabytes of silence in eight channels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jarvis.core.errors import InvalidInput, Missing, StoreFailed, not_installed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

RATE_HZ = 16_000
MAX_SECONDS = 600.0
"""Ten minutes, 19 MB as samples: longer than anybody speaks to an assistant."""
MAX_FILE_BYTES = 512 * 1024 * 1024
"""Ten minutes of eight channels of 32 bits at 48 kHz is 0.9 GB, which no microphone in a room makes."""
MAX_CHANNELS, MIN_RATE_HZ, MAX_RATE_HZ = 8, 4_000, 384_000
_BLOCK_SAMPLES = 64 * 1024
"""Read at once, of all channels together: 256 KiB of float32."""
_DC_OFFSET = 0.01
"""Part of full scale from which a constant offset is removed: detectors trained without one hear it as sound."""


def read(path: Path | str) -> Samples:
    """The file as 16 kHz mono int16. Raises InvalidInput: absent, empty, not sound, over ten minutes, odd format."""
    path = Path(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", fix="Check the path.") from None
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file.", fix="Give a WAV or FLAC file.")
    if size == 0:
        raise InvalidInput(f"{path} is empty.", fix="Record it again.")
    if size > MAX_FILE_BYTES:
        raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB.", fix="Cut it into pieces.")
    try:
        with path.open("rb") as stream:
            return _read(stream, str(path))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", fix="Check its permissions.") from None


def read_bytes(data: bytes, name: str = "The audio") -> Samples:
    """Like `read`, of a file's bytes that came in a request."""
    if not data:
        raise InvalidInput(f"{name} is empty.", fix="Record it again.")
    return _read(io.BytesIO(data), name)


def _read(stream: BinaryIO, name: str) -> Samples:
    import numpy as np

    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(stream) as file:
            _measure(file, name)
            mono = np.concatenate([np.zeros(0, np.float32), *_mono_blocks(file)])
    except soundfile.SoundFileError:
        raise InvalidInput(f"{name} is not a sound file that can be read.", fix="Give a WAV or FLAC file.") from None
    if not len(mono):
        raise InvalidInput(f"{name} holds no samples.", fix="Record it again.")
    offset = float(mono.mean())
    if abs(offset) > _DC_OFFSET:
        mono -= offset
    return to_int16(mono)


def _mono_blocks(file: Any) -> Iterator[Any]:
    """The whole file at 16 kHz, mono float32, block by block."""
    import numpy as np

    convert = None if file.samplerate == RATE_HZ else resampler(file.samplerate, RATE_HZ, "float32")
    # Not `frames` of the header: a truncated file holds fewer, and a lying one must not make us read on.
    left = int(MAX_SECONDS * file.samplerate)
    while left > 0:
        sound = file.read(min(left, _BLOCK_SAMPLES // file.channels), dtype="float32", always_2d=True)
        if not len(sound):
            break
        left -= len(sound)
        mono = np.nan_to_num(sound.mean(axis=1), nan=0.0, posinf=1.0, neginf=-1.0)
        yield mono if convert is None else convert.resample_chunk(mono)
    if convert is not None:
        yield convert.resample_chunk(np.zeros(0, np.float32), last=True)


def _measure(file: Any, name: str) -> None:
    if not (1 <= file.channels <= MAX_CHANNELS and MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ):
        raise InvalidInput(
            f"{name} has {file.channels} channels at {file.samplerate} Hz.",
            fix=f"Give up to {MAX_CHANNELS} channels at {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz.",
        )
    seconds = file.frames / file.samplerate
    if seconds > MAX_SECONDS:
        minutes, rest = divmod(math.ceil(seconds), 60)
        raise InvalidInput(
            f"{name} lasts {minutes} min {rest} s; the limit is {MAX_SECONDS / 60:g} minutes.",
            fix="Cut it into pieces.",
        )


def resample(samples: Any, from_hz: int, to_hz: int) -> Any:
    """Mono float32 at another rate; the samples themselves when it is the same."""
    return samples if from_hz == to_hz else _soxr().resample(samples, from_hz, to_hz)


def resampler(from_hz: int, to_hz: int, dtype: str) -> Any:
    """Mono at another rate, block by block without a seam: `resample_chunk(block, last=False)`."""
    return _soxr().ResampleStream(from_hz, to_hz, 1, dtype=dtype)


def to_int16(samples: Any) -> Samples:
    """Floats of -1 to 1 as int16; what lies beyond is clipped."""
    import numpy as np

    scaled: Samples = (np.clip(samples, -1.0, 1.0) * 32767).round().astype(np.int16)
    return scaled


def write(path: Path | str, samples: Samples, rate_hz: int) -> None:
    """A 16-bit mono WAV. Raises StoreFailed when the disk refuses."""
    data = to_bytes(samples, rate_hz)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise StoreFailed(f"{path} cannot be written: {error.strerror}.", fix="Choose another place.") from None


def to_bytes(samples: Samples, rate_hz: int) -> bytes:
    """The same file in memory."""
    import wave

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError:
        raise not_installed("soundfile", "voice") from None
    except OSError:
        raise Missing("The system library libsndfile is missing.", fix="Run `apt install libsndfile1`.") from None
    return soundfile


def _soxr() -> Any:
    try:
        import soxr
    except ImportError:
        raise not_installed("soxr", "voice") from None
    return soxr
