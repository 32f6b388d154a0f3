"""The tools that a language model may call while it answers, for one answer: each call is bounded, told to the audit,
and made only with arguments that fit. A dangerous one is never made because a model, or a text that it was given, says
so: the person is asked first, by code, and their yes is what makes it."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis.assistant.house.answers import NO, YES
from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.language.schema import misfit
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.words import joined, split
from jarvis.core.errors import JarvisError
from jarvis.plugins.kinds import Tool, ToolContext

MAX_STEPS = 4
"""Times that a model may call tools before it has to answer."""
MAX_CALLS = 8
"""Of one answer."""
CALL_S = 8.0
"""Somebody waits for the answer."""
MAX_ARGUMENT_CHARS = 4_000
MAX_RESULT_CHARS = 4_000
"""About a thousand tokens of the model's window."""
MAX_OFFERED = 32
"""Each is in every prompt; with more, models begin to take the wrong one."""
MAX_WAITING = 32
"""Questions that nobody has answered."""
WINDOW_TOKENS = 4_096
"""In a smaller one tools would leave no room for the conversation."""
RESULT_TOKENS = 1_500
"""Kept free in a model's window for what tools give."""
WAITING_S = 90.0
"""A yes that comes later is a yes to something else."""
MAX_SHOWN_CHARS = 200
"""Of arguments, in a question to a person: what cannot be told whole is not asked, since nobody could say yes to it."""
MAX_PLAIN_WORDS = 4
"""Of arguments that need no quotes. More could sound as if something else were asked."""
_PLAIN = re.compile(r"[\w ,.'°%+-]*")

log = structlog.get_logger()
_Asked = tuple[str, str, str]
"""The conversation, the room and the question."""
Used = Callable[[str, str], Awaitable[None]]
"""Told a tool's name and how it went: `ok`, `failed`, `refused` or `asked`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dangerous call that waits for a person's yes."""

    tool: Tool
    arguments: dict[str, Any]

    @property
    def shown(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.arguments.items())

    @property
    def untold(self) -> str:
        """Why a person cannot be asked about it, for the model; "" when they can."""
        declared = self.tool.parameters.get("properties", {})
        strange = next((name for name in self.arguments if name not in declared), "")
        if strange:
            return f"there is no {strange}"
        if len(self.shown) > MAX_SHOWN_CHARS:
            return f"they have more than {MAX_SHOWN_CHARS} characters, and a person has to be told them"
        return "" if self.shown.isprintable() else "they hold what cannot be said"

    @property
    def question(self) -> str:
        """Of the call itself, and what is asked comes last: whatever a model says about it, or wrote into its
        arguments, stands before."""
        what = f"Should I really {self.tool.name.replace('_', ' ')}"
        if not self.arguments:
            return f"{what}?"
        values = " ".join(map(str, self.arguments.values()))
        if len(values.split()) <= MAX_PLAIN_WORDS and _PLAIN.fullmatch(self.shown):
            return f"{what} with {self.shown}?"
        told = ", ".join(f"{name.replace('_', ' ')} “{value}”" for name, value in self.arguments.items())
        return f"It is about {told}. {what}?"


class Tools:
    """`tools` for one answer to `context`."""

    def __init__(self, tools: Sequence[Tool], context: ToolContext, used: Used) -> None:
        self.offered = list({one.name: one for one in reversed(tools)}.values())[::-1][:MAX_OFFERED]
        self._context, self._used = context, used
        self.calls = 0
        self.wanted: Wanted | None = None
        """What the person has to be asked."""

    @property
    def tokens(self) -> int:
        """What they take of a model's window, about: being described, and what they give."""
        described = (len(one.description) + len(json.dumps(dict(one.parameters))) + 60 for one in self.offered)
        return sum(described) // 3 + RESULT_TOKENS

    async def call(self, name: str, arguments: str) -> str:
        """What to tell the model. Never raises for what it wrote, or for what a tool did."""
        tool = next((one for one in self.offered if one.name == name), None)
        self.calls += 1
        if tool is None:
            return "There is no such tool."
        if self.calls > MAX_CALLS:
            return "That was too many calls. Answer now."
        given, wrong = _read(arguments, tool)
        if wrong:
            await self._used(tool.name, "refused")
            return f"These arguments do not fit: {wrong}."
        if tool.dangerous:
            wanted = Wanted(tool, given)
            if wanted.untold:
                await self._used(tool.name, "refused")
                return f"These arguments do not fit: {wanted.untold}."
            self.wanted = self.wanted or wanted
            await self._used(tool.name, "asked")
            return "Not done: the person is asked first. Say nothing more about it."
        return await make(tool, given, self._context, self._used)


async def make(tool: Tool, arguments: dict[str, Any], context: ToolContext, used: Used) -> str:
    """Make a call, in time and with a bounded result; what goes wrong is a sentence."""
    try:
        async with asyncio.timeout(CALL_S):
            found = await tool.run(arguments, context)
    except (JarvisError, TimeoutError) as error:
        log.info("a tool failed", tool=tool.name, error=type(error).__name__)
        await used(tool.name, "failed")
        return f"That did not work. {error}".strip()
    await used(tool.name, "ok")
    return found[:MAX_RESULT_CHARS]


class Toolbox:
    """`offered` gives the tools of now; `used` is told of each call, but not of what was said in private."""

    def __init__(
        self,
        offered: Callable[[], Sequence[Tool]],
        used: Used,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._offered, self._used, self._mono_s = offered, used, mono_s
        self._waiting: dict[_Asked, tuple[Wanted, float]] = {}
        """By where what was asked, with when it is too late for an answer."""

    def for_answer(self, model: LanguageModel, request: Request, home: Home, own: Sequence[Tool] = ()) -> Tools | None:
        """`own` are the home's, for this answer; they come first. None for a model that may not call any, or cannot."""
        if not (model.trusted and getattr(model, "uses_tools", False)) or model.context_tokens < WINDOW_TOKENS:
            return None
        offered = [*own, *self._offered()]
        if not offered:
            return None
        return Tools(offered, _context(request, home), self._told(request))

    def ask(self, wanted: Wanted, request: Request) -> str:
        """The question; its answer, in that conversation and that room, is for `answered`."""
        while len(self._waiting) >= MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[request.session, request.room, wanted.question] = wanted, self._mono_s() + WAITING_S
        return wanted.question

    async def answered(self, request: Request, home: Home) -> str | None:
        """What came of it, where the last thing said was such a question and this is its answer. A question is
        answered once, and by anything else it is forgotten."""
        mine = {one: self._waiting.pop(one) for one in list(self._waiting) if one[0] == request.session}
        last = request.turns[-1] if request.turns else None
        asked = next((one for one in mine if last is not None and last.reply.endswith(one[2])), None)
        if asked is None or last is None:
            return None
        (wanted, until_s), said = mine[asked], joined(split(request.text))
        if self._mono_s() > until_s or not asked[1] == last.room == request.room:
            return None
        if said in YES:
            return await make(wanted.tool, wanted.arguments, _context(request, home), self._told(request))
        return "Okay, I won't." if said in NO else None

    def _told(self, request: Request) -> Used:
        return _nobody if request.private else self._used


def _context(request: Request, home: Home) -> ToolContext:
    return ToolContext(request.text, request.room, request.private, home)


async def _nobody(name: str, outcome: str) -> None:
    return


def _read(arguments: str, tool: Tool) -> tuple[dict[str, Any], str]:
    """Arguments, and what is wrong with them."""
    if len(arguments) > MAX_ARGUMENT_CHARS:
        return {}, f"they have more than {MAX_ARGUMENT_CHARS} characters"
    try:
        given = json.loads(arguments or "{}", parse_constant=_no_number, parse_float=_finite)
        json.dumps(given, ensure_ascii=False).encode()  # half a pair of surrogates is no text
    except (ValueError, RecursionError):
        return {}, "they are no JSON"
    if not isinstance(given, dict):
        return {}, "they are no object"
    return given, misfit(given, tool.parameters)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    """What is no number is neither too large nor too small, and infinity is no JSON."""
    raise ValueError(text)
