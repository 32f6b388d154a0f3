"""What a microphone gives, in figures and in one sentence for a person; and whether it hears the loudspeaker. Pure: it
opens nothing, and of the sound it keeps a histogram only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvis.voice.streams import RATE_HZ

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

FRAME_SAMPLES = RATE_HZ // 10
"""Loudness is judged by tenths of a second: about a syllable."""
FLOOR_DB = -96.0
"""Below one step of 16 bits: nothing at all."""
FULL_SCALE = 32_767
CLIPPED = 32_700
"""Samples this near to full scale were cut off: a sound that reaches it by chance does not stay there."""
MANY_CLIPPED = 0.001
MOST_OFFSET = 0.02
LOUD_NOISE_DB, QUIET_SPEECH_DB, LEAST_SNR_DB = -40.0, -45.0, 12.0
"""The wake word is found down to about 10 dB over the noise; speech below -45 dBFS drowns in a microphone's own."""
TONE_S = 0.7
LIKE = 0.25
"""A room changes a sound on its way; what has nothing to do with it is below 0.1 alike."""


def db(amplitude: float) -> float:
    """Of full scale."""
    return max(20 * math.log10(amplitude / FULL_SCALE), FLOOR_DB) if amplitude > 0 else FLOOR_DB


@dataclass(frozen=True, slots=True)
class Levels:
    seconds: float
    peak_db: float
    noise_db: float
    """Of the quietest tenth of the time."""
    loud_db: float
    """Of the loudest tenth: whoever spoke."""
    clipped: float
    """Part of all samples."""
    offset: float
    """A constant one, as part of full scale."""


class Meter:
    """Fed block by block, at 16 kHz; as much memory for an hour as for a second."""

    def __init__(self) -> None:
        self._count = self._clipped = self._sum = self._peak = 0
        self._frames = [0] * (int(-FLOOR_DB) + 1)
        self._frame_samples, self._frame_power = 0, 0.0
        self.now_db = FLOOR_DB
        """Of the last block."""

    def feed(self, block: Samples) -> None:
        import numpy as np

        if not len(block):
            return
        wide = block.astype(np.int64)
        size = np.abs(wide)
        self._count += len(block)
        self._sum += int(wide.sum())
        self._clipped += int((size >= CLIPPED).sum())
        self._peak = max(self._peak, int(size.max()))
        offset = self._sum / self._count
        power = float(((wide - offset) ** 2).sum())
        self.now_db = db(math.sqrt(power / len(block)))
        self._frame_samples += len(block)
        self._frame_power += power
        if self._frame_samples >= FRAME_SAMPLES:
            self._frames[int(-db(math.sqrt(self._frame_power / self._frame_samples)))] += 1
            self._frame_samples, self._frame_power = 0, 0.0

    def levels(self) -> Levels:
        count = max(self._count, 1)
        return Levels(
            round(self._count / RATE_HZ, 2),
            round(db(self._peak), 1),
            self._quantile(0.9),
            self._quantile(0.1),
            round(self._clipped / count, 5),
            round(abs(self._sum) / count / FULL_SCALE, 4),
        )

    def _quantile(self, part: float) -> float:
        """The level that `part` of the frames reach."""
        wanted, reached = part * sum(self._frames), 0
        for below, frames in enumerate(self._frames):
            reached += frames
            if frames and reached >= wanted:
                return float(-below)
        return FLOOR_DB


@dataclass(frozen=True, slots=True)
class Verdict:
    ok: bool
    sentence: str
    fix: str = ""


def judge(levels: Levels) -> Verdict:
    """The worst that is wrong with it."""
    if not levels.seconds:
        return Verdict(False, "The microphone gave no sound at all.", "Is it still connected?")
    if levels.peak_db <= FLOOR_DB:
        return Verdict(
            False, "The microphone gives nothing but zeros.", "Is it switched off, or muted in the system's settings?"
        )
    if levels.clipped > MANY_CLIPPED:
        return Verdict(
            False,
            f"The microphone is too loud: {levels.clipped:.1%} of its sound is cut off.",
            "Lower its gain, for example in alsamixer, or stand back.",
        )
    if levels.offset > MOST_OFFSET:
        return Verdict(
            False,
            f"The microphone has a constant offset of {levels.offset:.0%}: its sound card is not well.",
            "Try another port or another card.",
        )
    if levels.noise_db > LOUD_NOISE_DB:
        return Verdict(
            False,
            f"The room is loud: the quietest it gets is {levels.noise_db:.0f} dB.",
            "Lower the gain, or move the microphone away from what hums.",
        )
    if levels.loud_db - levels.noise_db < LEAST_SNR_DB:
        return Verdict(
            False, "Nobody was heard over the noise.", "Run it again and speak, from where you usually will."
        )
    if levels.loud_db < QUIET_SPEECH_DB:
        return Verdict(
            False,
            f"You are heard very quietly, at {levels.loud_db:.0f} dB.",
            "Raise the gain, for example in alsamixer, or come nearer.",
        )
    snr_db = levels.loud_db - levels.noise_db
    return Verdict(True, f"You are heard well: {snr_db:.0f} dB over the noise, and nothing is cut off.")


def tone(rate_hz: int = RATE_HZ) -> Samples:
    """A sweep from 300 to 3,400 Hz: unlike a steady tone it tells when it was heard."""
    import numpy as np

    seconds = np.arange(int(TONE_S * rate_hz)) / rate_hz
    sweep = np.sin(2 * np.pi * (300 * seconds + (3_400 - 300) / (2 * TONE_S) * seconds**2))
    edge = np.minimum(1.0, np.minimum(seconds, TONE_S - seconds) / 0.02).clip(0)
    samples: Samples = (sweep * edge * 0.3 * FULL_SCALE).astype(np.int16)
    return samples


@dataclass(frozen=True, slots=True)
class Loopback:
    heard: bool
    delay_ms: float
    """From the beginning of `sound` to the tone in it."""
    likeness: float
    """0 to 1."""


def find_tone(sound: Samples) -> Loopback:
    """The test tone in what the microphone heard, at 16 kHz."""
    import numpy as np

    wanted = tone().astype(float)
    if len(sound) < len(wanted):
        return Loopback(False, 0.0, 0.0)
    heard = sound - sound.mean()
    size = 1 << (len(heard) + len(wanted)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)))[: len(heard) - len(wanted) + 1]
    place = int(np.argmax(np.abs(match)))
    there = heard[place : place + len(wanted)]
    power = float(np.sqrt((there**2).sum() * (wanted**2).sum()))
    likeness = abs(float(match[place])) / power if power else 0.0
    return Loopback(likeness >= LIKE, round(place * 1000 / RATE_HZ, 1), round(likeness, 2))
