"""How one voice is made to sound like many in many rooms: pitch, level, noise at a ratio, a room's response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jarvis.voice import wav
from jarvis.voice.streams import RATE_HZ

LEAD_S, TAIL_S = 1.5, 0.6
"""Of background before and after: the detector's front end estimates the noise first."""
FLOOR_DB = -72.0
"""Of full scale: a quiet room's noise, where none is added."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How a clip is changed. `pitch` and `speed` are factors, `level_db` the peak against full scale."""

    pitch: float = 1.0
    level_db: float = -6.0
    snr_db: float | None = None
    """Speech over the noise that is added; None for a quiet room."""
    echo_s: float = 0.0
    """How long the room takes to fall by 60 dB."""

    def __str__(self) -> str:
        noise = "quiet" if self.snr_db is None else f"{self.snr_db:g} dB SNR"
        return f"pitch {self.pitch:g}, {noise}, {self.level_db:g} dB, echo {self.echo_s:g} s"


def varied(speech: Any, variant: Variant, rng: np.random.Generator, room_noise: Any | None = None) -> Any:
    """int16 of the clip so changed, with background before and after it. `room_noise` is a recording to take the noise
    from, half of the time; else noise as rooms have it, louder below."""
    sound = speech.astype(np.float64) / 32_768
    if variant.pitch != 1.0:  # as a shorter throat: higher and faster
        sound = np.asarray(wav.resample(sound.astype(np.float32), int(RATE_HZ * variant.pitch), RATE_HZ), np.float64)
    if variant.echo_s:
        sound = _in_room(sound, variant.echo_s, rng)
    sound *= 10 ** (variant.level_db / 20) / max(float(np.abs(sound).max()), 1e-6)
    whole = np.concatenate([np.zeros(int(LEAD_S * RATE_HZ)), sound, np.zeros(int(TAIL_S * RATE_HZ))])
    whole += rng.normal(0, 10 ** (FLOOR_DB / 20), len(whole))
    if variant.snr_db is not None:
        power = float(np.mean(sound**2))
        noise = _noise(len(whole), rng, room_noise)
        whole += noise * np.sqrt(power / 10 ** (variant.snr_db / 10) / max(float(np.mean(noise**2)), 1e-12))
    return np.clip(whole * 32_768, -32_768, 32_767).astype(np.int16)


def _in_room(sound: Any, echo_s: float, rng: np.random.Generator) -> Any:
    """Direct sound, and a decaying hiss of reflections 10 dB below it."""
    t = np.arange(int(echo_s * RATE_HZ)) / RATE_HZ
    tail = rng.normal(0, 1, len(t)) * 10 ** (-3 * t / echo_s)
    tail[: int(0.004 * RATE_HZ)] = 0.0
    response = tail * 10 ** (-10 / 20) / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    size = len(sound) + len(response) - 1
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)


def _noise(count: int, rng: np.random.Generator, recorded: Any | None) -> Any:
    if recorded is not None and rng.random() < 0.5:
        start = int(rng.integers(0, len(recorded)))
        return np.resize(np.roll(recorded, -start).astype(np.float64), count)
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    return np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), count)
