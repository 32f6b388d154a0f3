"""A log-mel spectrogram as Whisper's family of models takes it, in numpy alone: importing a whole recogniser for it
costs the ears 37 MB and half a second. It keeps nothing of what it is given.

Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022; mel scale and filter areas
by M. Slaney, "Auditory Toolbox", 1998.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

RATE_HZ = 16_000
WINDOW, HOP = 400, 160
"""25 ms of sound every 10 ms."""
BANDS = 80
_LINEAR_HZ, _LINEAR_MELS = 1_000.0, 15.0
"""The scale is linear up to here, 200/3 Hz a mel; above it, 27 mels are a factor of 6.4."""


def log_mel(samples: Any) -> Any:
    """(80, len(samples) // 160) float32 of float32 samples at 16 kHz, at least 201 of them."""
    import numpy as np

    padded = np.pad(samples, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: len(samples) // HOP]
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    bands = np.log10(np.maximum(_filters() @ power.T, 1e-10))
    return ((np.maximum(bands, bands.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> Any:
    """(80, 201): triangles between neighbouring mels, each of the same area."""
    import numpy as np

    def hertz(mels: Any) -> Any:
        above = _LINEAR_HZ * np.exp(np.log(6.4) / 27.0 * (mels - _LINEAR_MELS))
        return np.where(mels < _LINEAR_MELS, mels * 200.0 / 3.0, above)

    highest = _LINEAR_MELS + 27.0 / np.log(6.4) * np.log(RATE_HZ / 2 / _LINEAR_HZ)
    corners = hertz(np.linspace(0.0, highest, BANDS + 2))[:, np.newaxis]
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    at = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)[np.newaxis]
    rising, falling = (at - low) / (peak - low), (high - at) / (high - peak)
    return (np.maximum(np.minimum(rising, falling), 0.0) * 2.0 / (high - low)).astype(np.float32)
