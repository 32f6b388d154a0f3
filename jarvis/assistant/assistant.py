"""Decides what to answer: intents first, by code; then what no model may be believed about, by code; then the first
language model that can. Never lets a model speak for a skill, and never ends in silence: when all else fails it says
so in one honest sentence."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, cast

import structlog

from jarvis.assistant.directions import meant
from jarvis.assistant.filling import fill_missing
from jarvis.assistant.house.answers import answered
from jarvis.assistant.intents import Match, match_intent
from jarvis.assistant.language.chat import asks, is_talk
from jarvis.assistant.language.guard import Doubt, doubt, unknown
from jarvis.assistant.language.home_tools import home_tools
from jarvis.assistant.language.instructions import Instructions, built_in
from jarvis.assistant.language.model import LanguageModel, ModelStatus, Usage, closing
from jarvis.assistant.language.prompt import messages_for
from jarvis.assistant.language.sentences import Sentences
from jarvis.assistant.language.spending import Spending
from jarvis.assistant.language.tokens import TokenScale, estimated_tokens
from jarvis.assistant.language.tools import Toolbox, Tools
from jarvis.assistant.skills.basic import SKILLS, Skill
from jarvis.assistant.skills.knowledge import citation
from jarvis.assistant.skills.memory import remembered
from jarvis.assistant.skills.questions import OPEN
from jarvis.assistant.skills.said import Said
from jarvis.assistant.templates.understanding import Understanding, replied, shipped
from jarvis.assistant.types import Findings, Home, PastTurn, Reply, Request
from jarvis.assistant.wording.words import split, without_politeness
from jarvis.core.errors import DeadlineExceeded, InvalidInput, JarvisError

log = structlog.get_logger()

ANSWER_DEADLINE_S = 60.0
"""For a whole answer, whichever models are asked for it; half a minute of speech is written in far less even on a slow
machine."""
MAX_ASKED_BACK = 3
"""Questions back for one wish: which one, in which room, and whether really."""
NO_MODEL = "I can only help with simple things right now, because no language model is available."
BROKE_OFF = "Sorry, my language model stopped in the middle of that."
FAILED = "Sorry, my language model failed, so I can't answer that."
TOO_LONG = "Sorry, that is too long for me."
NOT_HEARD = "Sorry, I didn't hear anything."
APOLOGIES = (NO_MODEL, BROKE_OFF, FAILED, TOO_LONG, NOT_HEARD)
"""Worth having as sound, since what fails may take the voice with it."""
HINT = (
    "Turn on the kitchen lights. Set a timer for ten minutes. What's the weather? Add milk to the shopping list. "
    "Pause the timer. Is the front door locked? What's the date today? Next song."
)
"""For a recogniser that heard what nobody would say here: what they do say."""


class Assistant:
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
        self._understanding = shipped()
        self._skills: Mapping[str, Skill] = SKILLS
        self._answer_deadline_s, self._mono_s = answer_deadline_s, mono_s
        self._scales: dict[str, TokenScale] = {}
        self.spending = Spending()
        self._instructions = built_in()
        self.rank(models)

    def instruct(self, instructions: Instructions) -> None:
        """Tell models this first, from the next question on."""
        self._instructions = instructions

    def rank(self, models: Sequence[LanguageModel]) -> None:
        """Ask these from the next question on, in the order of preference."""
        self._models = tuple(models)
        self._scales = {model.name: self._scales.get(model.name) or TokenScale() for model in models}

    def learn(self, understanding: Understanding, skills: Mapping[str, Skill]) -> None:
        """From the next sentence on: what is understood, and what is done then. `skills` are those of plugins; they do
        not take the place of ours, but where ours can only say that nothing here can do it."""
        given = {intent: skill for intent, skill in skills.items() if intent in OPEN}
        self._understanding, self._skills = understanding, {**skills, **SKILLS, **given}

    def intents(self) -> list[str]:
        """What can be asked for, by name."""
        return sorted({*self._skills, *self._understanding.intents})

    def understand(self, text: str, assistant_name: str = "Jarvis", rooms: Sequence[str] = ()) -> Match | None:
        """The intent of `text`, of those that somebody here can do."""
        match = match_intent(text, assistant_name, self._understanding, rooms)
        return match if match is not None and (match.reply or match.intent in self._skills) else None

    def whole_intent(self, text: str) -> bool:
        """Whether `text` is an intent to which nothing needs to be added: the person is done. Takes under 5 ms."""
        match = self.understand(text)
        return match is not None and match.whole

    def missing_slot(self, text: str) -> bool:
        """Whether `text` is an intent that still lacks something ("set a timer for"): the person will go on."""
        match = self.understand(text)
        return match is not None and bool(match.missing)

    def likeliest(self, texts: Sequence[str]) -> int | None:
        """Which of several ways to hear the same is meant: the first, unless it is no intent and another is a whole
        one, letter by letter. None where no intent is among them."""
        if self.understand(texts[0]) is not None:
            return 0
        for number, text in enumerate(texts[1:], 1):
            match = self._understanding.understand(without_politeness(split(text)), text)
            if match is not None and match.whole and match.intent in self._skills:
                return number
        return None

    def hushes(self, text: str) -> bool:
        """Whether `text` needs no wake word while something rings: "stop", and what ends or delays it."""
        match = match_intent(text)
        return match is not None and match.whole and match.intent in ("stop", "timer_cancel", "timer_add")

    async def answer(self, request: Request, home: Home) -> Reply:
        """The reply to one utterance. It never raises for a reason of its own: failures are spoken."""
        if not request.text.strip():
            return _said("intents", None, {}, NOT_HEARD, ok=False)
        if self._toolbox is not None and (done := await self._toolbox.answered(request, home)) is not None:
            return _said("tools", None, {}, done)
        match = self._match(request)
        if match is not None:
            return await self._do(match, request, home)
        if (told := await _remembered(request.text, home)) is not None:
            return _said("intents", "recall", {}, told)
        return await self._ask(request, home)

    def _match(self, request: Request) -> Match | None:
        """The intent of what was said, or of what was asked for before ("For how long?") with this as the answer."""
        match = self.understand(request.text, request.assistant_name, request.rooms)
        if match is not None and not meant(match, request):
            match = None
        if match is not None and match.confidence == 1.0:
            return match
        # An answer to a question is likelier than a sentence in which a word was misheard.
        return self._completed(request.text, request.turns[-MAX_ASKED_BACK:], request) or match

    def _completed(self, text: str, turns: Sequence[PastTurn], request: Request) -> Match | None:
        """What was asked for before, with `text` as the answer to the question back; and that may have been one too:
        "Unlock the door." "Which one?" "The front door." "Should I ...?" "Yes."."""
        if not turns or not turns[-1].reply.endswith("?"):
            return None
        last = turns[-1]
        asked = self.understand(last.heard, request.assistant_name, request.rooms)
        asked = asked or self._completed(last.heard, turns[:-1], request)
        return None if asked is None else answered(asked, last, text) or fill_missing(asked, text)

    async def _do(self, match: Match, request: Request, home: Home) -> Reply:
        if match.intent not in self._skills:
            return _said("intents", match.intent, match.slots, replied(match.reply, match.slots))
        try:
            done = await self._skills[match.intent](match, request, home)
        except JarvisError as error:
            return _said("intents", match.intent, match.slots, f"Sorry, that did not work. {error}", ok=False)
        said = done if isinstance(done, Said) else Said(str(done))  # a plugin's may give a sentence alone
        reply = _said("intents", match.intent, match.slots, said.text)
        reply.closes, reply.asks, reply.moves_to = said.closes, said.asks, said.moves_to
        reply.citations = said.citations
        return reply

    async def statuses(self) -> list[ModelStatus]:
        """Each model in order, and why it cannot be asked, for `status` and `doctor`."""
        return [ModelStatus(model.name, model.trusted, await model.available()) for model in self._models]

    async def _ask(self, request: Request, home: Home) -> Reply:
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
        if doubted is None and not (request.guesses or is_talk(request.text)):
            doubted = unknown(asked=asks(request.text))
        if doubted is not None and (doubted.for_any_model or not any(model.trusted for model, _ in usable)):
            return _said("guard", "cant_tell", {"about": doubted.kind}, doubted.sentence)
        if not usable:
            reply = _said("none", None, {}, NO_MODEL, ok=False)
            reply.source = "llm"
            return reply
        provider, name = usable[0][0].name, usable[0][1]
        reply = Reply("llm", provider, None, {}, pieces=_nothing(), model=name)
        reply.pieces = _recorded(reply, self._converse(reply, request, home, usable, doubted))
        return reply

    async def _converse(
        self,
        reply: Reply,
        request: Request,
        home: Home,
        usable: list[tuple[LanguageModel, str]],
        doubted: Doubt | None,
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
            tools = self._tools_for(model, request, home, reply)
            try:
                async with closing(self._written(model, request, reply, ends, tools)) as pieces:
                    async for piece in pieces:
                        if whole := sentences.feed(piece):
                            yield whole
                if rest := sentences.finish():
                    yield rest
                if self._toolbox is not None and tools is not None and tools.wanted is not None:
                    reply.asks = True
                    yield f" {self._toolbox.ask(tools.wanted, request)}"
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
                told = Usage(estimated, len(text.encode()) // 4 + 1)
            reply.usage = told
            self.spending.add(model.name, told, ok=ok)

    def _tools_for(self, model: LanguageModel, request: Request, home: Home, reply: Reply) -> Tools | None:
        """The home's own, for this answer, and those of plugins."""
        if self._toolbox is None:
            return None

        async def do(match: Match) -> str:
            done = await self._skills[match.intent](match, request, home)
            return done.text if isinstance(done, Said) else str(done)

        def cite(found: Findings) -> None:
            reply.citations = (*reply.citations, *map(citation, found.quotations))

        def understand(text: str) -> Match | None:
            match = self.understand(text, request.assistant_name, request.rooms)
            return match if match is not None and match.intent in self._skills else None

        return self._toolbox.for_answer(model, request, home, home_tools(understand, do, home, request, cite))


async def _remembered(text: str, home: Home) -> str | None:
    try:
        return await remembered(text, home)
    except JarvisError as error:
        log.warning("what was remembered could not be read", error=type(error).__name__)
        return None


def _said(provider: str, intent: str | None, slots: dict[str, Any], text: str, *, ok: bool = True) -> Reply:
    reply = Reply("intent", provider, intent, dict(slots), pieces=_nothing(), ok=ok)
    reply.pieces = _recorded(reply, _one(text))
    return reply


async def _recorded(reply: Reply, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Passes pieces on and keeps them in `reply.said`; closing it closes what is below, down to the model."""
    async with closing(pieces):
        async for piece in pieces:
            reply.said.append(piece)
            yield piece


async def _one(text: str) -> AsyncIterator[str]:
    yield text


async def _nothing() -> AsyncIterator[str]:
    return
    yield ""  # makes it a generator
