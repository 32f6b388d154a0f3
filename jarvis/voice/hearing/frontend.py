"""Our own voice taken out of what the microphone hears, and the room's noise with it: WebRTC's audio processing, as
LiveKit packs it. Only for a device that plays and listens by one clock, and only while it plays. It changes no level.

It takes exactly 10 ms at a time, so blocks of any size are cut and joined here.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import not_installed

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

RATE_HZ = 16_000
STEP_SAMPLES = RATE_HZ // 100


def available() -> bool:
    """Whether echo can be cancelled here at all; loads nothing."""
    return find_spec("livekit") is not None


class Canceller:
    """Remembers the room from one reply to the next: finding the echo's path anew takes it a second."""

    def __init__(self) -> None:
        try:
            from livekit import rtc
        except ImportError:
            raise not_installed("livekit", "voice") from None
        import numpy as np

        self._frame: Any = rtc.AudioFrame
        # Without noise suppression a third fewer of the words said over us were understood. No gain control: rooms
        # compare levels.
        self._module = rtc.AudioProcessingModule(echo_cancellation=True, noise_suppression=True)
        self._near = self._far = np.zeros(0, np.int16)

    def clean(self, near: Samples, far: Samples) -> Samples:
        """The microphone's `near` without the loudspeaker's `far`, equally many samples of the same time, or `far` a
        little earlier. Up to 10 ms stay here until more comes."""
        import numpy as np

        near, far = np.concatenate([self._near, near]), np.concatenate([self._far, far])
        whole = min(len(near), len(far)) // STEP_SAMPLES * STEP_SAMPLES
        self._near, self._far = near[whole:], far[whole:]
        cleaned = [self._step(near[at : at + STEP_SAMPLES], far[at : at + STEP_SAMPLES])
                   for at in range(0, whole, STEP_SAMPLES)]  # fmt: skip
        return np.concatenate(cleaned) if cleaned else near[:0]

    def flush(self) -> Samples:
        """What waited for the rest of its 10 ms, as it was heard: the loudspeaker has become silent."""
        rest, self._near, self._far = self._near, self._near[:0], self._far[:0]
        return rest

    def _step(self, near: Samples, far: Samples) -> Samples:
        import numpy as np

        self._module.process_reverse_stream(self._frame(far.tobytes(), RATE_HZ, 1, STEP_SAMPLES))
        frame = self._frame(bytearray(near.tobytes()), RATE_HZ, 1, STEP_SAMPLES)
        self._module.process_stream(frame)
        cleaned: Samples = np.frombuffer(bytes(frame.data), np.int16)
        return cleaned
