"""The embedded language model, found when it is first asked for: its file may be pulled while the node runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from jarvis.assistant.language import Availability, Message, closing
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
            return await LlamaModel(await self._located()).available()
        except Missing as error:
            return Availability(False, f"{error} {error.fix}".strip())

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        model = LlamaModel(await self._located())
        async with closing(model.complete(messages, max_tokens=max_tokens, deadline_s=deadline_s)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        if self.worker is not None:
            await self.worker.close()

    async def _located(self) -> Worker:
        if self.worker is None:
            folder = await asyncio.to_thread(cache.locate, MODEL)  # 98 MB are hashed when nobody did before
            self.worker = self.worker or llama_worker(folder)
        return self.worker
