"""The engine of the ears worker: for each stream of sound the front end, the wake word and the voice detector, and
Smart Turn for all. The node's own process loads none of them. It keeps no sound beyond the last unfinished frame.

A stream is known by a name its owner made up. An unknown name is a new stream: so it goes on after a restart, and
whoever leaves need not say so. Times are told as "so long before the end of this block", which no restart shifts.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput
from jarvis.voice.hearing.frontend import Canceller
from jarvis.voice.hearing.loudness import Loudness
from jarvis.voice.hearing.turn import SmartTurn
from jarvis.voice.hearing.vad import VoiceActivity
from jarvis.voice.hearing.wake import Sign, Wake, WakeDetector

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

TARGET = "jarvis.voice.hearing.ears_engine:EarsEngine"
RATE_HZ = 16_000
MAX_STREAMS = 16
"""About 3 MB each. A house has one microphone a node, a few clients, a few files at once; the stalest one goes."""
MAX_BLOCK_S = 30
"""Of one call: sound comes in pieces of 20 to 80 ms, and after a pause of the node a few seconds at once."""


class EarsEngine:
    """Audio is 16 kHz mono int16 bytes."""

    def __init__(self) -> None:
        import numpy as np

        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._turn = SmartTurn()
        self._turn.finished(np.zeros(RATE_HZ, np.float32))  # the first one allocates; nobody should wait for that

    def hear(self, stream: str, audio: bytes, far: bytes | None, speech: bool) -> dict[str, Value]:
        """The next block of `stream`; `far` is what our loudspeaker plays meanwhile, of the same length, None while it
        is silent or cannot be taken out. {clean, wakes, speech}:

        clean: the block without `far`, b"" when it is as it was; wakes: [[stage, score, ago_ms, snr_db]];
        speech: a probability for each 32 ms that this completes, when asked for.
        """
        return self._stream(stream).hear(_samples(audio), None if far is None else _samples(far), speech)

    def speech(self, stream: str, audio: bytes) -> list[Value]:
        """Probabilities for sound that was heard before anybody asked; `hear` goes on from there."""
        return self._stream(stream).speech_in(_samples(audio))

    def finished(self, audio: bytes) -> float:
        """The probability, 0 to 1, that the speaker has finished."""
        import numpy as np

        return self._turn.finished(_samples(audio, whole=True).astype(np.float32) / 32768.0)

    def _stream(self, name: str) -> _Stream:
        known = self._streams.pop(name, None) or _Stream()
        self._streams[name] = known
        if len(self._streams) > MAX_STREAMS:
            self._streams.popitem(last=False)
        return known


class _Stream:
    def __init__(self) -> None:
        self._wakes = _Wakes()
        self._loudness = Loudness()
        self._voice: VoiceActivity | None = None
        self._canceller: Canceller | None = None
        self._cancelling = False
        self._asked = False

    def hear(self, raw: Samples, far: Samples | None, speech: bool) -> dict[str, Value]:
        self._loudness.feed(raw)
        clean = self._clean(raw, far)
        signs = self._wakes.feed(raw, clean if far is not None else None)
        wakes: list[Value] = [
            [sign.stage, sign.wake.score, sign.wake.claimed_ms, self._loudness.snr_db(sign.wake.claimed_ms)]
            for sign in signs
        ]
        if speech and not self._asked:
            self._detector().reset()  # what it remembers was long ago
        self._asked = speech
        probabilities: list[Value] = [*self._detector().feed(clean)] if speech else []
        return {"clean": b"" if clean is raw else clean.tobytes(), "wakes": wakes, "speech": probabilities}

    def speech_in(self, samples: Samples) -> list[Value]:
        detector = self._detector()
        detector.reset()
        self._asked = True
        return [*detector.feed(samples)]

    def _clean(self, raw: Samples, far: Samples | None) -> Samples:
        if far is not None:
            self._canceller = self._canceller or Canceller()
            self._cancelling = True
            return self._canceller.clean(raw, far)
        if self._cancelling and self._canceller is not None:
            import numpy as np

            self._cancelling = False
            return np.concatenate([self._canceller.flush(), raw])
        return raw

    def _detector(self) -> VoiceActivity:
        self._voice = self._voice or VoiceActivity()
        return self._voice


class _Wakes:
    """One wake word out of two detectors: while we play, echo hides it from one and cancelling spoils it for the
    other. 10 of 15 wakes over speech were found by either, 6 by one."""

    def __init__(self) -> None:
        self._raw = WakeDetector()
        self._clean: WakeDetector | None = None
        self._claims: set[str] = set()

    def feed(self, raw: Samples, clean: Samples | None) -> list[Sign]:
        """`claimed_ms` of what it gives counts backwards from the end of the block."""
        signs = self._by("raw", self._raw, raw)
        if clean is not None:
            self._clean = self._clean or WakeDetector()
            signs += self._by("clean", self._clean, clean)
        elif "clean" in self._claims:
            signs += self._joined("clean", Sign("refuse", Wake(0.0, 0.0)))
        return signs

    def _by(self, who: str, detector: WakeDetector, samples: Samples) -> list[Sign]:
        found = []
        for sign in detector.signs(samples):
            ago_ms = max(detector.fed_ms - sign.wake.claimed_ms, 0.0)
            found += self._joined(who, Sign(sign.stage, Wake(sign.wake.score, ago_ms)))
        return found

    def _joined(self, who: str, sign: Sign) -> list[Sign]:
        """A claim counts once, a confirmation ends both, a refusal is one when nobody else still hopes."""
        others = bool(self._claims - {who})
        if sign.stage == "claim":
            self._claims.add(who)
            return [] if others else [sign]
        if sign.stage == "refuse":
            self._claims.discard(who)
            return [] if others else [sign]
        self._claims.clear()
        for detector in (self._raw, self._clean):
            if detector is not None:
                detector.rest()
        return [sign]


def _samples(audio: bytes, *, whole: bool = False) -> Samples:
    """Raises InvalidInput for half a sample or, unless it is a `whole` utterance, more than half a minute."""
    import numpy as np

    if len(audio) % 2:
        raise InvalidInput("The audio ends in half a sample.", fix="Give 16-bit samples.")
    if not whole and len(audio) > MAX_BLOCK_S * RATE_HZ * 2:
        raise InvalidInput(f"The block is longer than {MAX_BLOCK_S} s.", fix="Give it in pieces.")
    return np.frombuffer(audio, np.int16)
