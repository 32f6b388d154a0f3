"""How far the wake word stood above this room's own noise: what rooms compare when several hear it. Levels themselves
say nothing, since microphones differ; a detector's score saturates. Holds ten seconds of one number each 10 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

STEP_SAMPLES = 160
HISTORY_STEPS = 1_000
"""10 s: longer than most sentences, so that some of it is the room between them."""
PHRASE_STEPS = 70
"""700 ms: "hey Jarvis" as people say it."""
FLOOR_SHARE = 0.2
"""The room is the quietest fifth of what came before the phrase."""
LEAST_POWER = 1.0
"""One step of a sample: digital silence is no quieter than that."""


class Loudness:
    def __init__(self) -> None:
        import numpy as np

        self._powers = np.zeros(0)
        self._rest = np.zeros(0, np.int16)

    def feed(self, samples: Samples) -> None:
        """Blocks of any size."""
        import numpy as np

        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % STEP_SAMPLES
        self._rest = samples[whole:]
        steps = samples[:whole].reshape(-1, STEP_SAMPLES).astype(np.float64)
        # The variance, not the square: a microphone's offset is no sound.
        powers = np.einsum("ij,ij->i", steps, steps) / STEP_SAMPLES - steps.mean(axis=1) ** 2
        self._powers = np.concatenate([self._powers, powers])[-HISTORY_STEPS:]

    def snr_db(self, ago_ms: float) -> float:
        """Of the phrase that ended `ago_ms` before the last sample; 0 when it does not stand out."""
        import numpy as np

        end = max(len(self._powers) - round(ago_ms / 10), 1)
        phrase = np.sort(self._powers[max(end - PHRASE_STEPS, 0) : end])
        room = np.sort(self._powers[: max(end - PHRASE_STEPS, 0)])
        if not len(phrase):
            return 0.0
        # Right after the start there was no room yet: then its quietest moment must do.
        floor = room[int(len(room) * FLOOR_SHARE)] if len(room) else phrase[0]
        floor = max(float(floor), LEAST_POWER)
        loud = float(phrase[len(phrase) // 2 :].mean())  # its louder half: the phrase has gaps
        return float(10 * np.log10(max((loud - floor) / floor, 1.0)))
