"""The language models that are a node's affair: the embedded one, found when it is first asked for, since its file may
be pulled while the node runs, and another room's, asked when ours cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from jarvis.assistant.language.model import Availability, Message, closing
from jarvis.assistant.providers.llama_model import LlamaModel, Streams, llama_worker
from jarvis.core.errors import JarvisError, Missing
from jarvis.engines.worker import Worker
from jarvis.models import cache, catalogue
from jarvis.node.hearing.lending import Lending

MODEL = "smollm2-135m"


def embedded_worker() -> Worker:
    """Its worker, not started; the file need not be there yet."""
    return llama_worker(cache.cache_dir() / MODEL / catalogue.model(MODEL).files[0].name)


class EmbeddedModel:
    """See assistant.language.LanguageModel. `engine` is `embedded_worker`, supervised."""

    name = LlamaModel.name
    trusted = LlamaModel.trusted
    context_tokens = LlamaModel.context_tokens
    max_tokens = LlamaModel.max_tokens

    def __init__(self, engine: Streams) -> None:
        self._engine, self._found = engine, False

    async def available(self) -> Availability:
        try:
            await self._locate()
        except Missing as error:
            return Availability(False, f"{error} {error.fix}".strip())
        return await LlamaModel(self._engine).available()

    async def well(self) -> bool:
        return (await self.available()).ok

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        await self._locate()
        model = LlamaModel(self._engine)
        async with closing(model.complete(messages, max_tokens=max_tokens, deadline_s=deadline_s)) as pieces:
            async for piece in pieces:
                yield piece

    async def _locate(self) -> None:
        if not self._found:
            await asyncio.to_thread(cache.locate, MODEL)  # 98 MB are hashed when nobody did before
            self._found = True


class BorrowedModel:
    """Another room's embedded model. `well` says whether our own is: then nobody is asked what they would lend."""

    name = "another room"
    elsewhere = True
    """What is asked of it leaves this node."""
    trusted = LlamaModel.trusted
    context_tokens = LlamaModel.context_tokens
    max_tokens = LlamaModel.max_tokens

    def __init__(self, lending: Lending, well: Callable[[], Awaitable[bool]]) -> None:
        self._lending, self._well = lending, well

    async def available(self) -> Availability:
        if self._lending.possible and await self._well():
            return Availability(True, model=MODEL)  # asked when ours breaks, and then for real
        try:
            await self._lending.lenders("llm")
        except JarvisError as error:
            return Availability(False, str(error))
        return Availability(True, model=MODEL)

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        plain = [dict(message) for message in messages]
        _, text = await self._lending.borrow("llm", "complete", plain, max_tokens, deadline_s=deadline_s)
        yield str(text)
