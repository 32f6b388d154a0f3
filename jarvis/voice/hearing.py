"""The engine of the hearing worker: what was said (Whisper) and whether that was all (Smart Turn), side by side.

One process for both, because both need the same front end and both are asked about the same audio.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from jarvis.core.codec import Value
from jarvis.voice.stt import WhisperEngine
from jarvis.voice.turn import SmartTurn

TARGET = "jarvis.voice.hearing:Hearing"


class Hearing(WhisperEngine):
    """Takes the settings of WhisperEngine. Audio is 16 kHz mono int16 bytes."""

    def __init__(self, model: str = "whisper-tiny.en", language: str = "en", threads: int = 1) -> None:
        super().__init__(model, language, threads)
        self._turn = SmartTurn()
        self._side = ThreadPoolExecutor(1)  # both models release the GIL
        self.judge(bytes(2 * 16_000))

    def judge(self, audio: bytes) -> dict[str, Value]:
        """What `transcribe` gives, and `finished`: the probability, 0 to 1, that the speaker has finished."""
        verdict = self._side.submit(self.finished, audio)
        return {**self.transcribe(audio), "finished": verdict.result()}

    def finished(self, audio: bytes) -> float:
        import numpy as np

        return self._turn.finished(np.frombuffer(audio, np.int16).astype(np.float32) / 32768.0)
