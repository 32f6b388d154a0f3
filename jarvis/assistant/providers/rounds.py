"""A language model that may call tools while it answers: the rounds of asking, calling and asking again, the same for
every protocol. A protocol asks once (`_step`) and words what was called (`_told`); it never runs a tool."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from jarvis.assistant.language.model import Message, Usage, closing
from jarvis.assistant.language.tools import MAX_ARGUMENT_CHARS, MAX_CALLS, MAX_STEPS, Tools
from jarvis.core.errors import EngineFailed
from jarvis.plugins.kinds import Tool

WITHOUT_TOOLS_S = 600.0
"""A server that failed when tools were named, and answered without, is not told of them for so long. It costs it one
refusal in ten minutes, where it takes none, and ten minutes without, where it had failed by chance."""
MayCall = Literal["auto", "none", ""]
"""Whether tools may be called; "" where they are not even named."""


@dataclass
class Call:
    """One call, as it arrives in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class Called:
    """The calls of one step, by their place in it; no more and no longer than they may be."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._calls: dict[int, Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def all(self) -> list[Call]:
        return list(self._calls.values())

    def add(self, place: int, *, id: str = "", name: str = "", arguments: str = "") -> None:
        """One more piece of the call at `place`. Raises EngineFailed for too much."""
        call = self._calls.setdefault(place, Call())
        call.id = call.id or id or f"call-{place}"
        call.name, call.arguments = call.name + name, call.arguments + arguments
        if len(self._calls) > MAX_CALLS or len(call.name) + len(call.arguments) > 2 * MAX_ARGUMENT_CHARS:
            raise EngineFailed(f"{self._who} calls more than it may.")


@dataclass
class Known:
    """What is known of a server, whichever answer found it out."""

    model: str = ""
    """The one it would be asked for."""
    without_tools_until_s: float = field(default=float("-inf"))


class CallingModel(ABC):
    """See `language.LanguageModel`."""

    uses_tools = True
    may_refuse_tools = True
    """Some servers fail at the mere mention of tools, such as llama.cpp without --jinja, and some models."""

    def __init__(self, name: str, *, context_tokens: int, max_tokens: int, trusted: bool) -> None:
        self.name, self.trusted = name, trusted
        self.context_tokens, self.max_tokens = context_tokens, max_tokens
        self._known = Known()
        self._tools: Tools | None = None

    def using(self, tools: Tools) -> Self:
        """The same, with tools for one answer."""
        view = copy(self)
        view._tools = tools
        return view

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        """What an answer of several steps cost is told after each, all together."""
        so_far: list[Mapping[Any, Any]] = list(messages)
        cost, step, plain = Usage(0, 0), 0, time.monotonic() < self._known.without_tools_until_s
        while True:
            calls, said, usage, begun = Called(self.name), "", Usage(0, 0), False
            try:
                async with closing(self._step(so_far, max_tokens, calls, self._may_call(step, plain))) as pieces:
                    async for piece in pieces:
                        begun = True
                        if isinstance(piece, Usage):
                            usage = piece  # some servers count up with every piece
                        else:
                            said += piece
                            yield piece
            except EngineFailed:
                named = not plain and self._tools is not None and self.may_refuse_tools
                if not named or step or begun or calls:
                    raise
                plain = True
                continue
            if plain and self._tools is not None:
                self._known.without_tools_until_s = time.monotonic() + WITHOUT_TOOLS_S
            if usage.prompt:
                cost += usage
                yield cost
            if not calls or self._tools is None or step == MAX_STEPS:  # some call although they may not
                return
            results = []
            for one in calls.all():
                results.append(await self._tools.call(one.name, one.arguments))
                yield ""  # it is at work: whoever waits for words begins to wait anew
            so_far += self._told(said, calls.all(), results)
            step += 1

    def _may_call(self, step: int, plain: bool) -> MayCall:
        if plain or self._tools is None or not self._tools.offered:
            return ""
        return "auto" if step < MAX_STEPS else "none"

    @property
    def _offered(self) -> Sequence[Tool]:
        return self._tools.offered if self._tools is not None else ()

    @abstractmethod
    def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: Called, may_call: MayCall
    ) -> AsyncIterator[str | Usage]:
        """One question; what tools are called is gathered in `calls`."""

    @abstractmethod
    def _told(self, said: str, calls: Sequence[Call], results: Sequence[str]) -> list[Mapping[str, Any]]:
        """What the model said and called, and what came of each call, as the protocol wants it back."""


def as_function(tool: Tool) -> dict[str, Any]:
    """As OpenAI describes a tool, and Ollama after it."""
    about = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": about}
