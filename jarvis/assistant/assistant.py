"""Decides what to answer: intents first, by code, and what was asked to be remembered; then language models
(`language.asking`). Never lets a model speak for a skill, and never ends in silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from jarvis.assistant.house.answers import WHICH_THING
from jarvis.assistant.house.calling import Names
from jarvis.assistant.intents import Match, match_exactly, match_intent
from jarvis.assistant.language.asking import ANSWER_DEADLINE_S, Models
from jarvis.assistant.language.home_tools import home_tools
from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.language.tools import Toolbox
from jarvis.assistant.meaning import Meaning, Meant
from jarvis.assistant.replies import NOT_HEARD, spoken
from jarvis.assistant.several import Part
from jarvis.assistant.skills.knowledge import citation
from jarvis.assistant.skills.memory import remembered
from jarvis.assistant.skills.questions import OPEN
from jarvis.assistant.skills.registry import SKILLS, Skill
from jarvis.assistant.skills.said import Said
from jarvis.assistant.templates.understanding import Understanding, built_in, replied, shipped
from jarvis.assistant.together import together
from jarvis.assistant.types import Findings, Home, Reply, Request
from jarvis.core.errors import JarvisError
from jarvis.plugins.kinds import Tool

log = structlog.get_logger()


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
        self._names = Names()
        self._meaning = Meaning(
            lambda one: self._exactly(one.text, one.assistant_name, one.rooms),
            lambda one: self.understand(one.text, one.assistant_name, one.rooms),
        )
        self.models = Models(models, answer_deadline_s=answer_deadline_s, mono_s=mono_s, toolbox=toolbox)

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
        return self._able(match_intent(text, assistant_name, self._understanding, rooms))

    def meaning(self, request: Request, now_ms: int | None) -> list[Meant]:
        """What is to be done for a sentence within its conversation, in order; nothing for free text."""
        return self._meaning.of(request, now_ms)

    def parts(self, text: str, assistant_name: str = "Jarvis", rooms: Sequence[str] = ()) -> list[Part]:
        """The commands that `text` is made of, where it is several."""
        return self._meaning.parts(Request(text, "", assistant_name, rooms=rooms))

    def whole_intent(self, text: str) -> bool:
        """Whether `text` is an intent, or several, to which nothing needs to be added: the person is done. Takes under
        5 ms."""
        match = self._exactly(text)
        several = [match] if match is not None else [one.match for one in self.parts(text)]
        return bool(several) and several[-1].whole

    def missing_slot(self, text: str) -> bool:
        """Whether `text` is an intent that still lacks something ("set a timer for"): the person will go on."""
        match = self.understand(text)
        parts = self.parts(text) if match is None else []
        return bool(match.missing if match is not None else parts and parts[-1].match.missing)

    def likeliest(self, texts: Sequence[str]) -> tuple[int, bool]:
        """Which of several ways to hear the same is meant: the first, unless it is no intent and another is a whole
        one, letter by letter, or it names what this home does not have and another asks the same of what it has.
        And whether that is an intent, about something that is here."""
        first = self.understand(texts[0])
        if self.parts(texts[0]) if first is None else not self._names.strange(first):
            return 0, True
        elsewhere = 0
        for number, text in enumerate(texts[1:], 1):
            match = self._exactly(text)
            whole = self.whole_intent(text) or (match is not None and self._names.whole(match))
            if not whole or (first is not None and (match is None or match.intent != first.intent)):
                continue
            if match is None or not self._names.strange(match):
                return number, True
            elsewhere = elsewhere or number
        return (elsewhere if first is None else 0), False

    def know(self, names: Names) -> None:
        """What this home calls its own, from the next sentence on."""
        self._names = names

    def hint(self) -> str:
        """For a recogniser that heard what nobody would say here: what things are called, and what people do say."""
        return " ".join(filter(None, (*(pack.hint for pack in built_in()), self._names.hint)))

    def hushes(self, text: str) -> bool:
        """Whether `text` needs no wake word while something rings: "stop", and what ends or delays it."""
        match = match_intent(text)
        return match is not None and match.whole and match.intent in ("stop", "timer_cancel", "timer_add")

    async def answer(self, request: Request, home: Home) -> Reply:
        """The reply to one utterance. It never raises for a reason of its own: failures are spoken."""
        if not request.text.strip():
            return spoken("intents", None, {}, NOT_HEARD, ok=False)
        if self._toolbox is not None and (done := await self._toolbox.answered(request, home)) is not None:
            return spoken("tools", None, {}, done)
        asked = self.meaning(request, round(home.now().timestamp() * 1000) if home.clock_is_set else None)
        if len(asked) > 1:
            return await together(asked, lambda one: self._do(one, home))
        if asked:
            return await self._do(asked[0], home)
        if (told := await _remembered(request.text, home)) is not None:
            return spoken("intents", "recall", {}, told)
        return await self.models.answer(request, home, partial(self._own_tools, request, home))

    def _exactly(self, text: str, assistant_name: str = "Jarvis", rooms: Sequence[str] = ()) -> Match | None:
        return self._able(match_exactly(text, assistant_name, self._understanding, rooms))

    def _able(self, match: Match | None) -> Match | None:
        """`match`, if somebody here can do it."""
        if match is None or not (match.reply or match.intent in self._skills):
            return None
        return self._names.placed(match)

    async def _do(self, one: Meant, home: Home) -> Reply:
        match, request = one.match, one.request
        if "thing" in match.missing:
            reply = spoken("intents", match.intent, match.slots, WHICH_THING)
            reply.asks = True
            return reply
        if match.intent not in self._skills:
            return spoken("intents", match.intent, match.slots, replied(match.reply, match.slots))
        try:
            done = await self._skills[match.intent](match, request, home)
        except JarvisError as error:
            return spoken("intents", match.intent, match.slots, f"Sorry, that did not work. {error}", ok=False)
        said = done if isinstance(done, Said) else Said(str(done))  # a plugin's may give a sentence alone
        reply = spoken("intents", match.intent, match.slots, said.text)
        reply.closes, reply.asks, reply.moves_to = said.closes, said.asks, said.moves_to
        reply.citations = said.citations
        return reply

    def _own_tools(self, request: Request, home: Home, reply: Reply) -> Sequence[Tool]:
        """The home's own, for one answer."""

        async def do(match: Match) -> str:
            done = await self._skills[match.intent](match, request, home)
            return done.text if isinstance(done, Said) else str(done)

        def cite(found: Findings) -> None:
            reply.citations = (*reply.citations, *map(citation, found.quotations))

        def understand(text: str) -> Match | None:
            match = self.understand(text, request.assistant_name, request.rooms)
            return match if match is not None and match.intent in self._skills else None

        return home_tools(understand, do, home, request, cite)


async def _remembered(text: str, home: Home) -> str | None:
    try:
        return await remembered(text, home)
    except JarvisError as error:
        log.warning("what was remembered could not be read", error=type(error).__name__)
        return None
