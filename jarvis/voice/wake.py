"""Has somebody said "hey Jarvis"? microWakeWord on every 10 ms, at 0.2 % of a core, all day long.

It claims at a mean of 0.97 and confirms when the peak reaches 0.99 within the next 200 ms: real and synthetic wakes
peaked at 0.995 and more, "Hey Travis" at 0.979. It never looks at a transcript: Whisper hears the phrase as "Nature."

Source: github.com/kahrendt/microWakeWord, model hey_jarvis v2 through pymicro-wakeword.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvis.core.errors import not_installed

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

CLAIM, CONFIRM = 0.97, 0.99
CONFIRM_MS = 200.0
STEP_MS = 10.0


@dataclass(frozen=True, slots=True)
class Wake:
    score: float
    """Peak."""
    claimed_ms: float
    """When the score first reached CLAIM, in milliseconds of the audio fed so far: the phrase has just ended."""


class WakeDetector:
    def __init__(self) -> None:
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
        except ImportError:
            raise not_installed("pymicro-wakeword", "voice") from None
        self._model = MicroWakeWord.from_builtin(Model.HEY_JARVIS)
        self._features = MicroWakeWordFeatures()
        self._steps = 0
        self._claimed_ms: float | None = None
        self._peak = 0.0

    def feed(self, samples: Samples) -> Wake | None:
        """A confirmed wake, if these samples complete one; blocks of any size. Starts afresh after each."""
        for features in self._features.process_streaming(samples.tobytes()):
            self._steps += 1
            wake = self._judge(float(self._model.process_streaming_prob(features) or 0.0), self._steps * STEP_MS)
            if wake is not None:
                self.rest()
                return wake
        return None

    @property
    def claimed(self) -> bool:
        """Heard something like it, not yet confirmed: hold on to the audio."""
        return self._claimed_ms is not None

    def rest(self) -> None:
        """Forget what was heard, so that the same phrase is not found twice. The noise estimate and time go on."""
        self._model.reset()
        self._claimed_ms, self._peak = None, 0.0

    def _judge(self, score: float, now_ms: float) -> Wake | None:
        if self._claimed_ms is None:
            if score < CLAIM:
                return None
            self._claimed_ms, self._peak = now_ms, score
        self._peak = max(self._peak, score)
        if self._peak >= CONFIRM:
            return Wake(self._peak, self._claimed_ms)
        if now_ms - self._claimed_ms >= CONFIRM_MS and score < CLAIM:
            self._claimed_ms = None
        return None
