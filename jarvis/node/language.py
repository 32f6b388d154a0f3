"""The embedded language model, found when it is first asked for: its file may be pulled while the node runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from jarvis.assistant.language import Availability, Message
from jarvis.assistant.llama_model import LlamaModel, llama_worker
from jarvis.core.errors import Missing
from jarvis.engines.worker import Worker
from jarvis.models import cache

MODEL = "smollm2-135m"


class EmbeddedModel:
    """See assistant.language.LanguageModel."""

    name = LlamaModel.name
    trusted = LlamaModel.trusted
    context_tokens = LlamaModel.context_tokens
    max_tokens = LlamaModel.max_tokens

    def __init__(self) -> None:
        self.worker: Worker | None = None

    async def available(self) -> Availability:
        try:
            return await self._model().available()
        except Missing as error:
            return Availability(False, f"{error} {error.fix}".strip())

    def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        return self._model().complete(messages, max_tokens=max_tokens, deadline_s=deadline_s)

    async def close(self) -> None:
        if self.worker is not None:
            await self.worker.close()

    def _model(self) -> LlamaModel:
        if self.worker is None:
            self.worker = llama_worker(cache.locate(MODEL))
        return LlamaModel(self.worker)
