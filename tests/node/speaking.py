"""Sentences as sound, the same at every run: Piper's voice without its variation, in a worker that ends at once."""

from __future__ import annotations

import asyncio
from typing import Any

from jarvis.engines.worker import Worker
from jarvis.models import cache
from jarvis.voice import wav
from jarvis.voice.speaking import tts
from tests.voice.conftest import DEFAULT_AUDIO, absent

MODELS = ("whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium")
WAKE = DEFAULT_AUDIO / "hey_jarvis_1.wav"
_made: dict[str, Any] = {}


def voice_needed() -> None:
    """Skips, or fails in CI, where models or the recorded wake word are absent."""
    for name in MODELS:
        if not cache.installed(name):
            absent(f"The model {name} is not installed; run `jarvis models pull`.")
    if not WAKE.is_file():
        absent(f"The recording {WAKE} is absent (JARVIS_TEST_AUDIO names another folder).")


def spoken(*texts: str) -> list[Any]:
    """Each text as int16 mono, 16 kHz."""
    import numpy as np

    async def speak(missing: list[str]) -> None:
        worker = Worker("tts", tts.TARGET, {"variation": 0.0})
        try:
            for text in missing:
                answer = await worker.call("synthesize", text, deadline_s=60)
                samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32768
                _made[text] = wav.to_int16(wav.resample(samples, answer["rate_hz"], wav.RATE_HZ))
        finally:
            await worker.close()

    missing = [text for text in texts if text not in _made]
    if missing:
        asyncio.run(speak(missing))
    return [_made[text] for text in texts]


def file_of(*sounds: Any) -> bytes:
    """Sounds one after the other, with silence before, between and after them, as a WAV file's bytes."""
    import numpy as np

    silence = np.zeros(wav.RATE_HZ, np.int16)
    pieces = [piece for sound in sounds for piece in (silence[: wav.RATE_HZ // 4], sound)]
    return wav.to_bytes(np.concatenate([silence, *pieces, silence, silence]), wav.RATE_HZ)


def wake() -> Any:
    """The wake word as somebody said it, without the silence after it."""
    return wav.read(WAKE)
