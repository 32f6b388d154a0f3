"""The tools that a language model may call while it answers, for one answer: each call is bounded, told to the audit,
and made only with arguments that fit. A dangerous one is never made because a model, or a text that it was given, says
so: the person is asked first, by code, and their yes is what makes it."""

from __future__ import annotations

import asyncio
import json
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
"""Of arguments, in a question to a person."""

log = structlog.get_logger()
Used = Callable[[str, str], Awaitable[None]]
"""Told a tool's name and how it went: `ok`, `failed`, `refused` or `asked`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dangerous call that waits for a person's yes."""

    tool: Tool
    arguments: dict[str, Any]

    @property
    def question(self) -> str:
        """Of the call itself: whatever a model says about it stands before."""
        shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.arguments.items())
        words = " ".join(shown.replace("?", "").split())[:MAX_SHOWN_CHARS]
        return f"Should I really {self.tool.name.replace('_', ' ')}{f' with {words}' if words else ''}?"


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
            self.wanted = self.wanted or Wanted(tool, given)
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
        self._waiting: dict[str, tuple[Wanted, float]] = {}
        """By the question that was asked, with when it is too late for an answer."""

    def for_answer(self, model: LanguageModel, request: Request, home: Home, own: Sequence[Tool] = ()) -> Tools | None:
        """`own` are the home's, for this answer; they come first. None for a model that may not call any, or cannot."""
        if not (model.trusted and getattr(model, "uses_tools", False)) or model.context_tokens < WINDOW_TOKENS:
            return None
        offered = [*own, *self._offered()]
        if not offered:
            return None
        return Tools(offered, _context(request, home), self._told(request))

    def ask(self, wanted: Wanted) -> str:
        """The question; its answer is for `answered`."""
        while len(self._waiting) >= MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[wanted.question] = wanted, self._mono_s() + WAITING_S
        return wanted.question

    async def answered(self, request: Request, home: Home) -> str | None:
        """What came of it, where the last thing said was such a question and this is its answer. A question is
        answered once, and by anything else it is forgotten."""
        asked = request.turns[-1].reply if request.turns else ""
        question = next((one for one in self._waiting if asked.endswith(one)), None)
        if question is None:
            return None
        (wanted, until_s), said = self._waiting.pop(question), joined(split(request.text))
        if self._mono_s() > until_s:
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
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {}, "they are no JSON"
    if not isinstance(given, dict):
        return {}, "they are no object"
    return given, misfit(given, tool.parameters)
