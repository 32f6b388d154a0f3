"""The child side of the embedded language model: llama.cpp in a worker process. Loaded by `engines.host`, never
imported by a node. llama.cpp's server opens an HTTP port on loopback whatever one sets, so it gets a key nobody
knows, and nothing that would show a prompt."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from jarvis.assistant.language.model import Message
from jarvis.assistant.language.prompt import without_oldest
from jarvis.core.errors import EngineFailed, InvalidInput, Missing, not_installed

TEMPERATURE, TOP_P, REPEAT_PENALTY = 0.2, 0.9, 1.1
"""The model's makers' advice for chat; the penalty keeps a small model out of loops."""
_END = object()


class LlamaEngine:
    def __init__(self, path: str, context_tokens: int, threads: int, prompt_threads: int) -> None:
        """`path` is a GGUF file; `threads` write, `prompt_threads` read. Raises Missing or EngineFailed."""
        try:
            import xllamacpp
        except ImportError:
            raise not_installed("xllamacpp", "llm") from None
        if not Path(path).is_file():
            raise Missing("The language model's file is not there.", fix="Run `jarvis models pull smollm2-135m`.")
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = context_tokens
        params.n_parallel = 1  # one answer at a time; a second slot would halve the window
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = prompt_threads
        params.n_gpu_layers = 0
        params.cache_ram_mib = 0  # the slot's own cache is enough; the default keeps up to 8 GiB of old prompts
        params.api_keys = [secrets.token_urlsafe(32)]
        params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = params.ui = False
        params.verbosity = -1  # its log holds prompts
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError:
            raise EngineFailed(
                "The language model's file cannot be loaded.", fix="Run `jarvis models pull smollm2-135m`."
            ) from None

    def complete(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        """The answer in pieces. A conversation that is too long for the window loses its oldest half and is tried
        again; closing the iterator stops the model. Raises InvalidInput when what was just said alone is too long."""
        kept: list[Message] | None = [dict(message) for message in messages]
        while kept is not None:
            pieces = self._stream(kept, max_tokens)
            try:
                yield from pieces
                return
            except _TooLong:
                kept = without_oldest(kept)
            finally:
                pieces.close()
        raise InvalidInput("That is too long for the language model.")

    def _stream(self, messages: list[Message], max_tokens: int) -> Generator[str, None, None]:
        """llama.cpp calls back from inside one long call, so that runs in a thread beside this iterator."""
        chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()  # at most max_tokens short strings
        stop = threading.Event()

        def take(chunk: dict[str, Any]) -> bool:
            chunks.put(chunk)
            return stop.is_set()  # True makes llama.cpp stop

        def run() -> None:
            request = {
                "messages": messages,
                "max_tokens": max_tokens,
                "stream": True,
                "cache_prompt": True,
                "temperature": TEMPERATURE,
                "top_p": TOP_P,
                "repeat_penalty": REPEAT_PENALTY,
            }
            try:
                self._server.handle_chat_completions(request, take)
            except Exception as error:  # handed to the reader below
                chunks.put(error)
            finally:
                chunks.put(_END)

        thread = threading.Thread(target=run, name="llama.cpp", daemon=True)
        thread.start()
        try:
            while (chunk := chunks.get()) is not _END:
                if text := _text(chunk):
                    yield text
        finally:
            stop.set()
            thread.join()  # until the next token, or the end of reading a prompt


class _TooLong(Exception):
    """The prompt does not fit the window."""


def _text(chunk: Any) -> str:
    if isinstance(chunk, Exception):
        raise EngineFailed("The language model failed.") from chunk
    if "error" in chunk:
        if chunk["error"].get("type") == "exceed_context_size_error":
            raise _TooLong
        raise EngineFailed("The language model refused the request.")
    choices = chunk.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""
