"""The embedded language model as the assistant sees it: llama.cpp behind an engine worker. It chats and rephrases; it
is small and must not be trusted with sums, facts or the state of anything."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from jarvis.assistant.language.model import Availability, Message, closing
from jarvis.core.codec import Value
from jarvis.engines.worker import Worker

MODEL = "smollm2-135m"
"""Its name in the models' catalogue."""
CONTEXT_TOKENS = 1024
"""Reading costs 2 ms a token on an idle machine, so a full window is 2 s of silence, and several times that on a busy
one. What this model could make of a longer conversation is not worth the wait."""
MAX_TOKENS = 96
"""About 65 words. The model is asked for two sentences; what it adds after them is worse."""
IDLE_S = 30.0
"""The longest wait for a token: reading a full window on two cores that are busy with other work took 12 s."""
LABEL = re.compile(r"\A\s*(?:a|answer|assistant|jarvis) ?:\s*", re.IGNORECASE)
"""The model often begins as in a written dialogue."""
LABEL_CHARS = 14
"""Held back at the beginning to see whether there is one."""


class Streams(Protocol):
    """What is used of `engines.Worker`."""

    @property
    def state(self) -> str: ...

    def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]: ...


MAX_THREADS = 4
"""More gain nothing for so small a model."""


def llama_worker(folder: Path, *, start_deadline_s: float = 60) -> Worker:
    """The worker for the GGUF file in `folder` (or at that path), not started. It reads a prompt with every core and
    writes with all but one: the voice speaks meanwhile, and threads that wait for each other at every token lose more
    than half their speed as soon as one of them has to share its core."""
    cores = os.cpu_count() or 1
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() else [folder]
    settings: dict[str, Value] = {
        "path": str(files[0] if files else folder / f"{MODEL}.gguf"),
        "context_tokens": CONTEXT_TOKENS,
        "threads": max(1, min(MAX_THREADS, cores - 1)),
        "prompt_threads": min(MAX_THREADS, cores),
    }
    target = "jarvis.assistant.providers.llama_engine:LlamaEngine"
    return Worker("llm", target, settings, start_deadline_s=start_deadline_s)


class LlamaModel:
    name = "llama.cpp"
    trusted = False
    context_tokens = CONTEXT_TOKENS
    max_tokens = MAX_TOKENS

    def __init__(self, worker: Streams, model: str = MODEL, *, idle_s: float = IDLE_S) -> None:
        self._worker, self._model, self._idle_s = worker, model, idle_s

    async def available(self) -> Availability:
        """Always worth a try: a worker that failed is started again by the next request."""
        return Availability(True, model=self._model)

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        plain = [dict(message) for message in messages]
        stream = self._worker.stream("complete", plain, max_tokens, deadline_s=deadline_s, idle_s=self._idle_s)
        held: str | None = ""
        async with closing(stream):
            async for piece in stream:
                if held is None:
                    yield str(piece)
                    continue
                held += str(piece)
                if len(held) >= LABEL_CHARS:
                    yield LABEL.sub("", held)
                    held = None
        if held:
            yield LABEL.sub("", held)
