"""Text to speech with Piper, loaded and called in a worker process: one sentence in, its samples out.

piper-tts is GPL-3.0: it is imported here only, in the child, and installed by an extra.

Source of the model: Kim et al., "Conditional Variational Autoencoder with Adversarial Learning for End-to-End
Text-to-Speech" (VITS), 2021.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, not_installed
from jarvis.models import cache

TARGET = "jarvis.voice.speaking.tts:PiperEngine"
MAX_CHARACTERS = 1_000
"""About a minute of speech. Sentences come one by one and are cut at 200; more is a mistake of the caller."""


class PiperEngine:
    """`model` is a name of the catalogue or the path of a voice's .onnx with its .json beside it. `variation` 1 is
    the voice's own liveliness; with 0 it says the same text always the same way. `pace` 2 is twice as fast."""

    def __init__(
        self, model: str = "piper-en_US-joe-medium", threads: int = 2, variation: float = 1.0, pace: float = 1.0
    ) -> None:
        try:
            import onnxruntime
            from piper.config import PiperConfig, SynthesisConfig
            from piper.voice import PiperVoice
        except ImportError:
            raise not_installed("piper-tts", "voice") from None
        path = Path(model) if model.endswith(".onnx") else next(cache.locate(model).glob("*.onnx"))
        options = onnxruntime.SessionOptions()
        # Waiting threads would spin: half again as much CPU, and twice the time when the other core is busy.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text(encoding="utf-8")))
        self._voice = PiperVoice(session=session, config=config)
        self._manner = SynthesisConfig(
            length_scale=config.length_scale / pace,
            noise_scale=config.noise_scale * variation,
            noise_w_scale=config.noise_w_scale * variation,
        )
        self._name = path.stem
        self.synthesize("Hello.")  # the first sentence allocates; nobody should wait for that

    def synthesize(self, text: str) -> dict[str, Value]:
        """{audio: int16 mono bytes, rate_hz, voice: its name, synthesis_ms}. Raises InvalidInput for over a thousand
        characters."""
        if len(text) > MAX_CHARACTERS:
            raise InvalidInput(f"A sentence of {len(text)} characters is too long to speak.", fix="Split it.")
        began = time.perf_counter()
        # A full stop, or the voice swallows the last word.
        spoken = text if text.rstrip()[-1:] in ".!?" else f"{text.rstrip()}."
        chunks = self._voice.synthesize(spoken, self._manner) if any(map(str.isalnum, text)) else ()
        audio = b"".join(chunk.audio_int16_bytes for chunk in chunks)
        return {
            "audio": audio,
            "rate_hz": self._voice.config.sample_rate,
            "voice": self._name,
            "synthesis_ms": (time.perf_counter() - began) * 1000,
        }
