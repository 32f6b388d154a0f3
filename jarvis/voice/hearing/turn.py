"""Has the speaker finished, by the sound of it? Smart Turn, about 30 ms for a verdict. It hears melody, not meaning:
"Set a timer for" scores 0.99, so it alone never ends an utterance.

Source: github.com/pipecat-ai/smart-turn, v3.2, and the pre-processing of its own inference code.
"""

from __future__ import annotations

from typing import Any

from jarvis.models import cache
from jarvis.voice.hearing.mel import RATE_HZ, log_mel

MODEL = "smart-turn-v3"
WINDOW_S = 8


class SmartTurn:
    """Lives in the ears worker."""

    def __init__(self, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it would keep the largest moment's memory for ever
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # ears are idle all day
        path = next(cache.locate(MODEL).glob("*.onnx"))
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def finished(self, samples: Any) -> float:
        """Probability that the speaker has finished. float32 samples, 16 kHz; the last 8 s count, silence fills up
        the front."""
        import numpy as np

        window = np.zeros(WINDOW_S * RATE_HZ, np.float32)
        recent = samples[-len(window) :]
        if len(recent):
            window[-len(recent) :] = recent
        window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
        return float(np.ravel(self._session.run(None, {self._input: log_mel(window)[np.newaxis]})[0])[0])
