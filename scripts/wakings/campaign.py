"""Counts: chimes where nobody said the wake phrase, and wakes that were missed, over stated variants.

What is fed is what a node's microphone would give, block by block, into the node's own detector. One synthetic voice
made to sound different is not many people: the recordings are told apart for that reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.voice import wav
from jarvis.voice.hearing.wake import WakeDetector
from jarvis.voice.streams import BLOCK_SAMPLES, RATE_HZ
from wakings.sound import Variant, varied
from wakings.texts import near_misses, sentences
from wakings.voices import Voices

EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 1.001)
"""Of the histogram of peaks; 0.97 claims, 0.99 chimes."""
SNRS_DB = (None, 20.0, 15.0, 10.0, 5.0, 0.0)
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)
LEVELS_DB = (-30.0, -18.0, -6.0, 0.0)
PHRASE = "Hey Jarvis!"
SOUND_SUFFIXES = (".wav", ".flac")


class Ear(WakeDetector):
    """The node's detector, and the highest score it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0.0

    def hears(self, sound: Any) -> bool:
        """Whether it chimes at any time in this; `peak` is this sound's."""
        self.peak, chimed = 0.0, False
        for start in range(0, len(sound), BLOCK_SAMPLES):
            chimed = self.feed(sound[start : start + BLOCK_SAMPLES]) is not None or chimed
        return chimed

    def _judge(self, score: float, now_ms: float) -> Any:
        self.peak = max(self.peak, score)
        return super()._judge(score, now_ms)


@dataclass(slots=True)
class Heard:
    """What a detector made of a kind of sound."""

    clips: int = 0
    seconds: float = 0.0
    """Of speech."""
    chimes: int = 0
    peaks: list[float] = field(default_factory=list)
    calls: int = 0
    """Clips that begin as the phrase does: "Hey Travis, ..."."""
    called: int = 0
    """How many of those chimed."""
    near: list[tuple[float, str]] = field(default_factory=list)
    """(peak, what it was) of those that at least claimed."""

    def add(self, ear: Ear, chimed: bool, seconds: float, what: str) -> None:
        self.clips += 1
        self.seconds += seconds
        self.chimes += chimed
        self.peaks.append(ear.peak)
        if what.startswith("Hey "):
            self.calls += 1
            self.called += chimed
        if ear.peak >= EDGES[-3]:
            self.near.append((round(ear.peak, 4), what))

    @property
    def histogram(self) -> list[int]:
        return [int(count) for count in np.histogram(self.peaks, EDGES)[0]]


def speech_without_wake(voices: Voices, seconds: float, noise: Any | None, seed: int = 1) -> Heard:
    """Distinct sentences for so many seconds of speech, each said differently in another room, as one stream."""
    heard, ear, rng = Heard(), Ear(), np.random.default_rng(seed)
    for text in sentences(seed):
        clip = voices.say(text, float(rng.choice((0.85, 1.0, 1.2))))
        variant = Variant(
            pitch=float(rng.choice((0.85, 0.92, 1.0, 1.08, 1.18))),
            level_db=float(rng.uniform(-30, 0)),
            snr_db=(None, 30.0, 20.0, 10.0, 5.0)[rng.integers(5)],
            echo_s=float(rng.choice((0.0, 0.2, 0.5))),
        )
        said_s = len(clip) / RATE_HZ / variant.pitch
        heard.add(ear, ear.hears(varied(clip, variant, rng, noise)), said_s, text)
        if heard.seconds >= seconds:
            return heard
    raise AssertionError("there is always another sentence")


def phrases_alike(voices: Voices, noise: Any | None, phrases: Iterable[str] = (), seed: int = 2) -> Heard:
    """Each near miss four times: plainly, slower and lower, faster and higher, and in a noisy room."""
    ways = (
        (1.0, Variant()),
        (0.85, Variant(pitch=0.9, echo_s=0.2)),
        (1.2, Variant(pitch=1.1, level_db=-18)),
        (1.0, Variant(snr_db=10.0, echo_s=0.4)),
    )
    heard, rng = Heard(), np.random.default_rng(seed)
    for phrase in phrases or near_misses():
        for take, (pace, variant) in enumerate(ways):
            ear, clip = Ear(), voices.say(f"{phrase[0].upper()}{phrase[1:]}.", pace, take)
            heard.add(ear, ear.hears(varied(clip, variant, rng, noise)), len(clip) / RATE_HZ, phrase)
    return heard


def recordings_without_wake(
    folder: Path,
    seed: int = 3,
    pitches: Sequence[float] = (0.85, 0.92, 1.08, 1.18),
    echoes_s: Sequence[float] = (0.0, 0.3),
) -> Heard:
    """Every recording whose name says nothing of the phrase, as it is and varied."""
    heard, rng = Heard(), np.random.default_rng(seed)
    for path in _recordings(folder, "jarvis", wanted=False):
        clip, ear = wav.read(path), Ear()
        heard.add(ear, ear.hears(clip), len(clip) / RATE_HZ, path.name)
        for pitch, echo_s in itertools.product(pitches, echoes_s):
            ear, variant = Ear(), Variant(pitch, -6, None, echo_s)
            heard.add(ear, ear.hears(varied(clip, variant, rng)), len(clip) / RATE_HZ / pitch, path.name)
    return heard


@dataclass(slots=True)
class Missed:
    """How many of the wakes of one kind were missed."""

    spoken: int = 0
    missed: int = 0
    unsure: int = 0
    """Of those missed, how many claimed and were not confirmed."""


Grid = dict[tuple[str, str], Missed]
"""By (what was varied, its value); `usual` is with speech at least 10 dB over the noise and louder than -30 dB."""


def wakes_made(
    voices: Voices, noise: Any | None, takes: int = 3, seed: int = 4, speeds: Sequence[float] = SPEEDS
) -> Grid:
    """The phrase in Piper's voice, over every speed, noise and level."""

    def clips() -> Iterator[tuple[float, Any]]:
        for speed, take in itertools.product(speeds, range(takes)):
            yield speed, voices.say(PHRASE, speed, take)

    return _missed(clips(), noise, seed, lambda speed, variant: variant)


def wakes_recorded(
    folder: Path, noise: Any | None, seed: int = 5, speeds: Sequence[float] = SPEEDS
) -> tuple[Grid, list[str]]:
    """The same over the recordings of the phrase, whose speed and pitch change together; and their names."""
    paths = _recordings(folder, "jarvis", wanted=True)
    clips = [(speed, wav.read(path)) for path, speed in itertools.product(paths, speeds)]
    grid = _missed(
        clips,
        noise,
        seed,
        lambda speed, variant: Variant(speed, variant.level_db, variant.snr_db),
    )
    return grid, [path.name for path in paths]


def _missed(clips: Iterable[tuple[float, Any]], noise: Any | None, seed: int, made: Any) -> Grid:
    grid: Grid = {}
    rng = np.random.default_rng(seed)
    for speed, clip in clips:
        for snr_db, level_db in itertools.product(SNRS_DB, LEVELS_DB):
            ear = Ear()
            heard = ear.hears(varied(clip, made(speed, Variant(level_db=level_db, snr_db=snr_db)), rng, noise))
            snr = "quiet" if snr_db is None else f"{snr_db:g} dB"
            keys = [("all", ""), ("noise", snr), ("level", f"{level_db:g} dB"), ("speed", f"{speed:g}")]
            if (snr_db is None or snr_db >= 10) and level_db > -30:
                keys.append(("usual", ""))
            for key in keys:
                one = grid.setdefault(key, Missed())
                one.spoken += 1
                one.missed += not heard
                one.unsure += not heard and ear.peak >= EDGES[-3]
    return grid


def room_noise(folder: Path) -> Any | None:
    path = folder / "background_noise.wav"
    return wav.read(path) if path.is_file() else None


def _recordings(folder: Path, word: str, *, wanted: bool) -> Sequence[Path]:
    if not folder.is_dir():
        return []
    sounds = sorted(path for path in folder.iterdir() if path.suffix.lower() in SOUND_SUFFIXES)
    return [path for path in sounds if (word in path.name.lower()) == wanted]
