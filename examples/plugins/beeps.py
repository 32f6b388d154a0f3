"""An engine: a voice that beeps once a word, for who wants to hear that something was said and not what. It runs in a
process of its own, as every engine does."""

from __future__ import annotations

import array
import math

from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import EngineOffer, Metadata

PLUGIN = Metadata(name="beeps", version="1.0", summary="A voice that beeps.")

RATE_HZ = 16_000
BEEP_S, PAUSE_S = 0.08, 0.06
MAX_WORDS = 200
"""A sentence has twenty."""


class Beeps:
    """The methods of the built-in voice: `synthesize`."""

    def __init__(self, pitch_hz: int = 880) -> None:
        beep = (math.sin(2 * math.pi * pitch_hz * one / RATE_HZ) for one in range(int(RATE_HZ * BEEP_S)))
        self._beep = array.array("h", (round(8_000 * one) for one in beep)).tobytes()
        self._pause = bytes(2 * int(RATE_HZ * PAUSE_S))

    def synthesize(self, text: str) -> dict[str, object]:
        """{audio: int16 mono bytes, rate_hz, voice: its name, synthesis_ms}."""
        words = min(len(text.split()), MAX_WORDS)
        audio = (self._beep + self._pause) * words
        return {"audio": audio, "rate_hz": RATE_HZ, "voice": "beeps", "synthesis_ms": 0.0}


@hookimpl
def jarvis_engines() -> list[EngineOffer]:
    return [EngineOffer("beeps", "tts", ":Beeps", {"pitch_hz": 660})]
