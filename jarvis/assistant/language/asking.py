"""Language models asked for what no intent answered: the first that can, in the order of preference, behind what none
of them may be believed about. Never ends in silence: when all else fails it says so in one honest sentence."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import structlog

from jarvis.assistant.language.chat import answers, asks, is_talk
from jarvis.assistant.language.guard import Doubt, doubt, unasked, unknown
from jarvis.assistant.language.instructions import Instructions, built_in
from jarvis.assistant.language.model import LanguageModel, ModelStatus, Usage, closing
from jarvis.assistant.language.prompt import messages_for
from jarvis.assistant.language.sentences import Sentences
from jarvis.assistant.language.spending import Spending
from jarvis.assistant.language.tokens import TokenScale, estimated_tokens
from jarvis.assistant.language.tools import Toolbox, Tools
from jarvis.assistant.replies import BROKE_OFF, FAILED, NO_MODEL, TOO_LONG, nothing, recorded, spoken
from jarvis.assistant.types import Home, Reply, Request
from jarvis.core.errors import DeadlineExceeded, InvalidInput, JarvisError
from jarvis.plugins.kinds import Tool

log = structlog.get_logger()

ANSWER_DEADLINE_S = 60.0
"""For a whole answer, whichever models are asked for it; half a minute of speech is written in far less even on a slow
machine."""


class Models:
    """`models` in the order of preference."""

    def __init__(
        self,
        models: Sequence[LanguageModel] = (),
        *,
        answer_deadline_s: float = ANSWER_DEADLINE_S,
        mono_s: Callable[[], float] = time.monotonic,
        toolbox: Toolbox | None = None,
    ) -> None:
        self._toolbox = toolbox
        self._answer_deadline_s, self._mono_s = answer_deadline_s, mono_s
        self._scales: dict[str, TokenScale] = {}
        self.spending = Spending()
        self._instructions = built_in()
        self.rank(models)

    def rank(self, models: Sequence[LanguageModel]) -> None:
        """Ask these from the next question on, in the order of preference."""
        self._models = tuple(models)
        self._scales = {model.name: self._scales.get(model.name) or TokenScale() for model in models}

    def instruct(self, instructions: Instructions) -> None:
        """Tell models this first, from the next question on."""
        self._instructions = instructions

    async def statuses(self) -> list[ModelStatus]:
        """Each model in order, and why it cannot be asked, for `status` and `doctor`."""
        return [ModelStatus(model.name, model.trusted, await model.available()) for model in self._models]

    async def answer(self, request: Request, home: Home, own: Callable[[Reply], Sequence[Tool]]) -> Reply:
        """`own` gives the home's tools for an answer."""
        usable: list[tuple[LanguageModel, str]] = []
        for model in self._models:
            if request.private and getattr(model, "elsewhere", False):
                continue  # it would take the words out of this node
            available = await model.available()
            if available.ok:
                usable.append((model, available.model))
            else:
                log.debug("language model unavailable", model=model.name, reason=available.reason)
        doubted = doubt(request.text)
        if doubted is None and not request.guesses:
            doubted = _beyond_talk(request)
        if doubted is not None and (doubted.for_any_model or not any(model.trusted for model, _ in usable)):
            return spoken("guard", "cant_tell", {"about": doubted.kind}, doubted.sentence)
        if not usable:
            reply = spoken("none", None, {}, NO_MODEL, ok=False)
            reply.source = "llm"
            return reply
        provider, name = usable[0][0].name, usable[0][1]
        reply = Reply("llm", provider, None, {}, pieces=nothing(), model=name)
        reply.pieces = recorded(reply, self._converse(reply, request, home, usable, doubted, own))
        return reply

    async def _converse(
        self,
        reply: Reply,
        request: Request,
        home: Home,
        usable: list[tuple[LanguageModel, str]],
        doubted: Doubt | None,
        own: Callable[[Reply], Sequence[Tool]],
    ) -> AsyncIterator[str]:
        """Sentences of the first model that gets as far as one; a failure after that is said, not hidden."""
        apology, ends = FAILED, self._mono_s() + self._answer_deadline_s
        for model, name in usable:
            if doubted is not None and not model.trusted:
                reply.source, reply.provider, reply.model = "intent", "guard", ""
                reply.intent, reply.slots = "cant_tell", {"about": doubted.kind}
                yield doubted.sentence
                return
            reply.provider, reply.model = model.name, name
            sentences = Sentences()
            box = self._toolbox
            tools = None if box is None else box.for_answer(model, request, home, own(reply))
            try:
                async with closing(self._written(model, request, reply, ends, tools)) as pieces:
                    async for piece in pieces:
                        if whole := sentences.feed(piece):
                            yield whole
                if rest := sentences.finish():
                    yield rest
                if box is not None and tools is not None and tools.wanted is not None:
                    reply.asks = True
                    yield f" {box.ask(tools.wanted, request)}"
                    return
                if sentences.given or rest.strip():
                    return
            except JarvisError as error:
                log.warning("language model failed", model=model.name, error=type(error).__name__)
                if sentences.given:
                    reply.ok = False
                    yield BROKE_OFF
                    return
                apology = TOO_LONG if isinstance(error, InvalidInput) else FAILED
        reply.ok = False
        yield apology

    async def _written(
        self, model: LanguageModel, request: Request, reply: Reply, ends: float, tools: Tools | None
    ) -> AsyncIterator[str]:
        """What `model` writes until `ends`, with what it costs on the account, also when it breaks off or nobody
        listens any more."""
        left_s = ends - self._mono_s()
        if left_s <= 0:
            raise DeadlineExceeded("There is no time left to answer.")
        scale = self._scales.get(model.name) or TokenScale()  # an answer may outlast its ranking
        window, length = model.context_tokens - (tools.tokens if tools is not None else 0), model.max_tokens
        messages = messages_for(
            request,
            window,
            length,
            factor=scale.factor,
            tools=tools is not None,
            instructions=self._instructions,
        )
        told: Usage | None = None
        text, ok = "", True
        try:
            asked = model if tools is None else cast(Any, model).using(tools)
            stream = asked.complete(messages, max_tokens=model.max_tokens, deadline_s=left_s)
            async with closing(stream):
                async for piece in stream:
                    if isinstance(piece, Usage):
                        told = piece
                    else:
                        text += piece
                        yield piece
        except JarvisError:
            ok = False
            raise
        finally:
            estimated = sum(map(estimated_tokens, messages))
            if told is not None and (tools is None or not tools.calls):
                scale.learn(estimated, told.prompt)
            elif told is None and text:  # the built-in model does not say
                told = Usage(estimated, len(text.encode(errors="replace")) // 4 + 1)
            reply.usage = told
            self.spending.add(model.name, told, ok=ok)


def _beyond_talk(request: Request) -> Doubt | None:
    """What a small model is not asked."""
    if not is_talk(request.text):
        return unknown(asked=asks(request.text))
    asked = bool(request.turns) and request.turns[-1].reply.rstrip().endswith("?")
    return unasked() if answers(request.text) and not asked else None
