"""Has somebody said "hey Jarvis"? microWakeWord on every 10 ms, at 0.3 % of a core, all day long.

It claims at a mean of 0.97 and confirms when the peak reaches 0.99 within the next 200 ms: real and synthetic wakes
peaked at 0.995 and more, "Hey Travis" at 0.979. It never looks at a transcript: Whisper hears the phrase as "Nature."

Source: github.com/kahrendt/microWakeWord, model hey_jarvis v2 through pymicro-wakeword.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jarvis.core.errors import not_installed

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

CLAIM, CONFIRM = 0.97, 0.99
CONFIRM_MS = 200.0
STEP_MS = 10.0
RATE_HZ = 16_000

Stage = Literal["claim", "confirm", "refuse"]


@dataclass(frozen=True, slots=True)
class Wake:
    score: float
    """Peak."""
    claimed_ms: float
    """When the score first reached CLAIM, in milliseconds of the audio fed so far: the phrase has just ended."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A claim, and later its confirmation or refusal; `wake` as known then."""

    stage: Stage
    wake: Wake


class WakeDetector:
    def __init__(self) -> None:
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
        except ImportError:
            raise not_installed("pymicro-wakeword", "voice") from None
        self._model = MicroWakeWord.from_builtin(Model.HEY_JARVIS)
        self._features = MicroWakeWordFeatures()
        self._steps = 0
        self._fed_samples = 0
        self._claimed_ms: float | None = None
        self._peak = 0.0

    def feed(self, samples: Samples) -> Wake | None:
        """The first confirmed wake that these samples complete, if any; blocks of any size."""
        return next((sign.wake for sign in self.signs(samples) if sign.stage == "confirm"), None)

    def signs(self, samples: Samples) -> list[Sign]:
        """What these samples bring to light; blocks of any size. It starts afresh after each confirmation."""
        found: list[Sign] = []
        self._fed_samples += len(samples)
        for features in self._features.process_streaming(samples.tobytes()):
            self._steps += 1
            found += self._judge(float(self._model.process_streaming_prob(features) or 0.0), self._steps * STEP_MS)
        return found

    @property
    def fed_ms(self) -> float:
        """Of audio, so far."""
        return self._fed_samples * 1000 / RATE_HZ

    def rest(self) -> None:
        """Forget what was heard, so that the same phrase is not found twice. The noise estimate and time go on."""
        self._model.reset()
        self._claimed_ms, self._peak = None, 0.0

    def _judge(self, score: float, now_ms: float) -> list[Sign]:
        found: list[Sign] = []
        if self._claimed_ms is None:
            if score < CLAIM:
                return []
            self._claimed_ms, self._peak = now_ms, score
            found.append(Sign("claim", Wake(score, now_ms)))
        self._peak = max(self._peak, score)
        wake = Wake(self._peak, self._claimed_ms)
        if self._peak >= CONFIRM:
            found.append(Sign("confirm", wake))
            self.rest()
        elif now_ms - self._claimed_ms >= CONFIRM_MS and score < CLAIM:
            found.append(Sign("refuse", wake))
            self._claimed_ms = None
        return found
