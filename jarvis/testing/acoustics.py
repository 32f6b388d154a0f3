"""A room that is arithmetic: a loudspeaker, a microphone that hears it late, echoing, clipped and by another clock, and
people who speak at a stated ratio to it. It stands in for a real one, where nothing can be repeated, and says nothing
about any real one: figures from here are labelled simulated.

    sink -> delay -> impulse response -> clipping -> drift -> + people -> + noise -> source

All time is the microphone's own. It stands still while nobody reads the source, so a slow machine changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jarvis.voice import wav
from jarvis.voice.streams import QuietSink

RATE_HZ = 16_000
BLOCK = 320


@dataclass(frozen=True, slots=True)
class Acoustics:
    delay_ms: float = 80.0
    """From the sink's being told to play to the direct sound at the microphone: buffers, mostly."""
    reverberation_s: float = 0.3
    """Until the echo is 60 dB weaker; a furnished living room."""
    level_db: float = -12.0
    """Of everything at the microphone, against what is played: nobody sets a gain so that talking over it clips."""
    clip: float = 1.0
    """The echo's peaks are cut at this share of full scale, before that: a small loudspeaker turned up."""
    drift_ppm: float = 100.0
    """How much faster the microphone's clock runs: the worst of usual crystals."""
    noise_rms: float = 10.0
    """Of the room itself, in steps of a sample; about -70 dB of full scale."""
    seed: int = 0


def impulse_response(reverberation_s: float, seed: int, direct: float = 0.7) -> Any:
    """The direct sound, then noise that dies away: `direct` is the direct sound's share of the energy, which is 1."""
    rng = np.random.default_rng(seed)
    taps = np.arange(max(int(reverberation_s * RATE_HZ), 64))
    late = rng.normal(size=len(taps)) * 10 ** (-3.0 * taps / (reverberation_s * RATE_HZ))
    late[: int(0.002 * RATE_HZ)] = 0.0  # nothing is nearer than the first wall
    late *= np.sqrt((1.0 - direct) / np.square(late).sum())
    late[0] = np.sqrt(direct)
    return late


class Sink(QuietSink):
    """The loudspeaker: plays in step with the room's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.stops: list[float] = []
        self.ducks: list[tuple[float, float]] = []
        """(room's time in ms, dB)"""
        self.now_ms = 0.0
        self.one_clock = True
        """The microphone's too: then it tells what it plays."""
        self._gain = 1.0
        self._queue: Any = np.zeros(0, np.int16)
        self._silent = asyncio.Event()
        self._over = False

    @property
    def playing(self) -> bool:
        return len(self._queue) > 0

    async def play(self, samples: Any, rate_hz: int) -> None:
        self.played_ms = 0.0
        if self._over:
            return
        self._silent.clear()
        self._queue = wav.to_int16(wav.resample(samples / 32768.0, rate_hz, RATE_HZ))
        try:
            await self._silent.wait()
        finally:
            self._queue = self._queue[:0]

    def stop(self) -> None:
        self.stops.append(self.now_ms)
        self._queue = self._queue[:0]
        self._silent.set()

    def duck(self, db: float) -> None:
        self.ducks.append((self.now_ms, db))
        self._gain = 10 ** (-db / 20)

    def end(self) -> None:
        """The room's time has come to its end: whoever plays is done."""
        self._over = True
        self._silent.set()

    def step(self) -> Any:
        """The next 20 ms as they leave for the loudspeaker."""
        piece, self._queue = self._queue[:BLOCK], self._queue[BLOCK:]
        self.played_ms += len(piece) * 1000 / RATE_HZ
        if len(piece) and self.one_clock and self.reference is not None:
            self.reference((piece * self._gain).astype(np.int16))
        sound = np.zeros(BLOCK)
        sound[: len(piece)] = piece * self._gain
        if len(piece) and not len(self._queue):
            self._silent.set()
        return sound


@dataclass(slots=True)
class _Voice:
    samples: Any
    at_ms: float
    after_playing: bool


@dataclass(slots=True)
class Room:
    """`source` and `sink` are for a pipeline; `people` speak when their time has come."""

    acoustics: Acoustics = field(default_factory=Acoustics)
    sink: Sink = field(default_factory=Sink)
    realtime: bool = False
    lasts_ms: float = 60_000.0
    began_ms: float | None = None
    """When the loudspeaker first sounded."""
    now_ms: float = 0.0
    _voices: list[_Voice] = field(default_factory=list)

    def person(self, samples: Any, *, at_ms: float, after_playing: bool = False) -> None:
        """Somebody speaks: at `at_ms`, or so long after the loudspeaker first sounds. `samples` as they arrive, without
        the room."""
        answer = impulse_response(self.acoustics.reverberation_s, self.acoustics.seed + 1)
        sound = np.convolve(np.asarray(samples, float), answer)
        self._voices.append(_Voice(sound, at_ms, after_playing))

    async def blocks(self) -> AsyncIterator[Any]:
        """What the microphone hears, 20 ms at a time."""
        room = self.acoustics
        rng = np.random.default_rng(room.seed)
        answer = impulse_response(room.reverberation_s, room.seed)
        spectrum_size = 1 << (len(answer) + BLOCK).bit_length()
        spectrum = np.fft.rfft(answer, spectrum_size)
        blocks = int(self.lasts_ms / 20)
        history = np.zeros((blocks + 2) * BLOCK)  # of what was played, by the loudspeaker's clock
        for number in range(blocks):
            self.now_ms = self.sink.now_ms = number * 20.0
            if self.sink.playing and self.began_ms is None:
                self.began_ms = self.now_ms
            history[number * BLOCK : (number + 1) * BLOCK] = self.sink.step()
            # By the microphone's clock the loudspeaker is late by the delay, and ever more by the drift.
            here = np.arange(number * BLOCK - len(answer) + 1, (number + 1) * BLOCK)
            there = here * (1 - room.drift_ppm * 1e-6) - room.delay_ms * RATE_HZ / 1000
            window = np.arange(max(int(there[0]), 0), max(int(there[-1]) + 2, 1))
            heard = np.interp(there, window, history[window], left=0.0)
            echo = np.fft.irfft(np.fft.rfft(heard, spectrum_size) * spectrum, spectrum_size)
            echo = np.clip(echo[len(answer) - 1 : len(answer) - 1 + BLOCK], -room.clip * 32_767, room.clip * 32_767)
            block = (echo + self._people(number * BLOCK)) * 10 ** (room.level_db / 20) + rng.normal(
                size=BLOCK
            ) * room.noise_rms
            await asyncio.sleep(0)
            yield np.clip(np.round(block), -32_768, 32_767).astype(np.int16)
        self.sink.end()

    def _people(self, at: int) -> Any:
        mixed = np.zeros(BLOCK)
        for voice in self._voices:
            if voice.after_playing and self.began_ms is None:
                continue
            begins_ms = voice.at_ms + (self.began_ms or 0.0 if voice.after_playing else 0.0)
            start = at - int(begins_ms * RATE_HZ / 1000)
            piece = voice.samples[max(start, 0) : max(start + BLOCK, 0)]
            offset = max(-start, 0)
            mixed[offset : offset + len(piece)] += piece
        return mixed


def at_ratio(samples: Any, over: Any, db: float) -> Any:
    """`samples` made `db` louder than `over`, by the power of what is not silence in either."""
    return np.asarray(samples, float) * (10 ** (db / 20) * loudness(over) / loudness(samples))


def loudness(samples: Any) -> float:
    """RMS of the louder half of all 20 ms: pauses do not count."""
    whole = np.asarray(samples[: len(samples) // BLOCK * BLOCK], float).reshape(-1, BLOCK)
    powers = np.sort(np.square(whole).mean(axis=1))
    return float(np.sqrt(powers[len(powers) // 2 :].mean())) or 1.0
