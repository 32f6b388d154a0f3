"""The embedding engine: texts to vectors whose nearness is nearness of meaning. Loaded and called in a worker process.

It keeps nothing of what it is given. Every text is computed by itself: the model's int8 arithmetic scales itself to all
that runs at once, so in a batch a text's vector would depend on its neighbours.

Source of the model: Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained
Transformers", 2020; of mean pooling: Reimers and Gurevych, "Sentence-BERT", 2019.
"""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidInput, not_installed
from jarvis.engines.worker import Worker
from jarvis.models import cache

MODEL = "minilm-l6-v2"
TARGET = "jarvis.knowledge.embedding:MiniLm"
DIMENSIONS = 384
MAX_TOKENS = 256
"""The model was trained on no more; about 1,200 characters of English. What follows does not count."""
MAX_TEXTS = 16
"""A call; a second or two of work on a small machine: a question need not wait long behind a document."""
MAX_CHARACTERS = 8_000
"""A text; six times what counts. More is a mistake of the caller, who should cut it into chunks."""


def embedding_worker() -> Worker:
    """Its worker, not started."""
    return Worker("embedding", TARGET, {})


class MiniLm:
    """all-MiniLM-L6-v2, int8. Raises Missing when it, or what it needs, is not installed."""

    def __init__(self, model: str = MODEL, threads: int = 1) -> None:
        try:
            import onnxruntime
            import tokenizers
        except ImportError as error:
            raise not_installed(error.name or "tokenizers", "knowledge") from None
        folder = cache.locate(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it would keep the longest text's memory for ever
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, texts: list[str]) -> list[bytes]:
        """A vector of length 1 for each text: DIMENSIONS float32, little-endian. A text without any word has one too.
        Raises InvalidInput for too many texts, or one that is too long."""
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InvalidInput("Texts to embed come as a list.")
        if len(texts) > MAX_TEXTS:
            raise InvalidInput(f"At most {MAX_TEXTS} texts are embedded at once, these are {len(texts)}.")
        longest = max(map(len, texts), default=0)
        if longest > MAX_CHARACTERS:
            raise InvalidInput(
                f"A text to embed has at most {MAX_CHARACTERS} characters, this has {longest}.", fix="Cut it up."
            )
        return [self._vector(text).tobytes() for text in texts]

    def _vector(self, text: str) -> Any:
        import numpy as np

        tokens = self._tokenizer.encode(text)
        ids = np.array([tokens.ids], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(["last_hidden_state"], inputs)[0][0]
        mean = states.mean(axis=0)
        return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype("<f4")
