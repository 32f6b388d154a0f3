"""The sounds that are no words: I am listening, that is done, that did not work.

Made by arithmetic, so nothing has to be stored or licensed. They are soft, short, and pure tones with a slow beginning,
so that a voice detector or a wake word never takes one for speech.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

Kind = Literal["listening", "done", "error"]
KINDS: tuple[Kind, ...] = ("listening", "done", "error")

_LEVEL = 0.12
"""Of full scale, about -18 dB: heard across a room, and it startles nobody at night."""
_ATTACK_S, _RELEASE_S = 0.012, 0.06
_NOTES: dict[str, tuple[tuple[float, float, float], ...]] = {
    # (Hz, begins at s, lasts s): upwards asks, downwards closes, twice the same low one says no.
    "listening": ((1174.7, 0.0, 0.09), (1568.0, 0.07, 0.13)),
    "done": ((1568.0, 0.0, 0.09), (1174.7, 0.07, 0.13)),
    "error": ((523.3, 0.0, 0.14), (523.3, 0.2, 0.16)),
}


@lru_cache(maxsize=16)
def chime(kind: Kind, rate_hz: int) -> Samples:
    """The sound of `kind` as int16 mono at `rate_hz`, read-only, at most 0.4 s. Raises KeyError for another kind."""
    import numpy as np

    notes = _NOTES[kind]
    sound = np.zeros(int(max(begins + lasts for _, begins, lasts in notes) * rate_hz) + 1)
    for pitch_hz, begins_s, lasts_s in notes:
        t = np.arange(int(lasts_s * rate_hz)) / rate_hz
        rise = np.sin(np.clip(t / _ATTACK_S, 0, 1) * np.pi / 2) ** 2
        fall = np.sin(np.clip((lasts_s - t) / _RELEASE_S, 0, 1) * np.pi / 2) ** 2
        at = int(begins_s * rate_hz)
        sound[at : at + len(t)] += np.sin(2 * np.pi * pitch_hz * t) * rise * fall
    peak = float(np.abs(sound).max())
    samples = np.round(sound / max(peak, 1.0) * _LEVEL * 32_767).astype(np.int16)
    samples.flags.writeable = False
    return samples
