"""Piper's clips for the campaign, at 16 kHz, kept in the user's cache: a second run synthesises nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import soundfile

from jarvis.voice import wav
from jarvis.voice.speaking.tts import PiperEngine
from jarvis.voice.streams import RATE_HZ

FORMAT = 1
"""Raised when what is made of a text changes."""


class Voices:
    """One engine a pace, loaded when a clip is missing."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(platformdirs.user_cache_dir("jarvis")) / "campaigns" / "clips"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._engines: dict[float, PiperEngine] = {}

    def say(self, text: str, pace: float = 1.0, take: int = 0) -> Any:
        """int16 of the text, `take` by take differently said."""
        name = hashlib.sha256(repr((FORMAT, text, pace, take)).encode()).hexdigest()[:32]
        path = self._folder / f"{name}.flac"
        if path.is_file():
            samples, _ = soundfile.read(path, dtype="int16")
            return samples
        samples = self._made(text, pace)
        half = path.with_suffix(f".{os.getpid()}.part")
        soundfile.write(half, samples, RATE_HZ, format="FLAC")
        half.rename(path)
        return samples

    def _made(self, text: str, pace: float) -> Any:
        if pace not in self._engines:
            self._engines[pace] = PiperEngine(threads=1, pace=pace)
        answer: Any = self._engines[pace].synthesize(text)
        samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32_768
        return wav.to_int16(wav.resample(samples, answer["rate_hz"], RATE_HZ))
