"""A language model behind OpenAI's chat completions, which many servers speak: llama.cpp, vLLM, LM Studio, OpenRouter,
OpenAI itself. It only translates; `careful` bounds the waiting. Reasoning that a server streams apart from the answer
is not for the ear and is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from jarvis.assistant.language.model import Availability, Message, Usage, closing
from jarvis.assistant.language.tools import MAX_ARGUMENT_CHARS, MAX_CALLS, MAX_STEPS, Tools
from jarvis.assistant.providers.calls import Calls, Headers
from jarvis.core.errors import EngineFailed, JarvisError, Missing, Temporary
from jarvis.plugins.kinds import Tool

OFFICIAL = "api.openai.com"
"""It calls the length `max_completion_tokens`, and refuses the name that all others know."""


@dataclass
class _Known:
    """What is known of a server, whichever answer found it out."""

    model: str = ""
    """Its first."""
    refuses_tools: bool = False


class OpenAIModel:
    """`url` ends where the protocol's paths begin, usually in `/v1`; `model` may be empty: then the first that the
    server has is asked, which suits a server of one model."""

    uses_tools = True

    def __init__(
        self,
        url: str,
        model: str = "",
        *,
        name: str = "openai",
        headers: Headers = dict,
        context_tokens: int = 8192,
        max_tokens: int = 256,
        trusted: bool = True,
    ) -> None:
        self.name, self.trusted = name, trusted
        self.context_tokens, self.max_tokens = context_tokens, max_tokens
        self._calls = Calls(name, url, headers)
        self.elsewhere = self._calls.elsewhere
        self._wanted, self._known = model, _Known()
        self._tools: Tools | None = None

    def using(self, tools: Tools) -> OpenAIModel:
        """The same, with tools for one answer."""
        view = copy(self)
        view._tools = tools
        return view

    async def available(self) -> Availability:
        try:
            self._calls.check()
            model = self._wanted or self._known.model or await self._first()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip(), outage=isinstance(error, Temporary))
        return Availability(True, model=model)

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        """What an answer of several steps cost is told after each, all together."""
        so_far: list[Mapping[Any, Any]] = list(messages)
        cost, step, plain = Usage(0, 0), 0, self._known.refuses_tools
        while True:
            calls: dict[int, _Call] = {}
            usage, begun = Usage(0, 0), False
            try:
                async with closing(self._step(so_far, max_tokens, calls, self._choice(step, plain))) as pieces:
                    async for piece in pieces:
                        begun = True
                        if isinstance(piece, Usage):
                            usage = piece  # some servers count up with every piece
                        else:
                            yield piece
            except EngineFailed:
                if step or begun or calls or plain or self._tools is None:
                    raise
                plain = True  # some servers fail at the mere mention of tools, such as llama.cpp without --jinja
                continue
            self._known.refuses_tools = plain
            if usage.prompt:
                cost += usage
                yield cost
            if not calls or self._tools is None or step == MAX_STEPS:  # some call although they may not
                return
            so_far.append({"role": "assistant", "content": None, "tool_calls": [one.said() for one in calls.values()]})
            for one in calls.values():
                result = await self._tools.call(one.name, one.arguments)
                so_far.append({"role": "tool", "tool_call_id": one.id, "content": result})
                yield ""  # it is at work: whoever waits for words begins to wait anew
            step += 1

    def _choice(self, step: int, plain: bool) -> str:
        """Whether tools may be called; "" where they are not even named."""
        if plain or self._tools is None or not self._tools.offered:
            return ""
        return "auto" if step < MAX_STEPS else "none"

    async def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: dict[int, _Call], may_call: str
    ) -> AsyncIterator[str | Usage]:
        """One question; what tools are called is gathered in `calls`."""
        model = self._wanted or self._known.model or await self._first()
        length = "max_completion_tokens" if self._calls.host == OFFICIAL else "max_tokens"
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            length: max_tokens,
        }
        if may_call and self._tools is not None:
            body["tools"], body["tool_choice"] = [_described(tool) for tool in self._tools.offered], may_call
        ended = False
        async with closing(self._calls.stream("/chat/completions", body)) as events:
            async for event in events:
                if event.data == "[DONE]":
                    return
                chunk = self._calls.read(event.data)
                with self._calls.translated():
                    if "error" in chunk:
                        raise EngineFailed(f"{self.name} broke off its answer.")
                    for choice in chunk.get("choices") or ():
                        delta = choice.get("delta") or {}
                        if text := delta.get("content"):
                            yield str(text)
                        _gather(delta.get("tool_calls") or (), calls, self.name)
                        ended = ended or bool(choice.get("finish_reason"))
                    if usage := _usage(chunk.get("usage")):
                        yield usage
        if not ended:  # servers that end without [DONE] at least say why they stopped
            raise EngineFailed(f"{self.name} stopped in the middle of its answer.")

    async def _first(self) -> str:
        """The first model that the server has. Raises Missing."""
        listed = await self._calls.get("/models")
        with self._calls.translated():
            names = [str(one["id"]) for one in listed["data"]]
        if not names:
            raise Missing(f"{self.name} has no model.", fix="Load one there.")
        self._known.model = names[0]
        return names[0]


def _usage(told: Any) -> Usage | None:
    if not told:
        return None
    return Usage(int(told.get("prompt_tokens") or 0), int(told.get("completion_tokens") or 0))


@dataclass
class _Call:
    """One call, as it arrives in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def said(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


def _gather(pieces: Sequence[Any], calls: dict[int, _Call], who: str) -> None:
    for piece in pieces:
        index, function = int(piece.get("index", 0)), piece.get("function") or {}
        call = calls.setdefault(index, _Call())
        call.id = call.id or str(piece.get("id") or f"call-{index}")
        call.name += str(function.get("name") or "")
        call.arguments += str(function.get("arguments") or "")
        if len(calls) > MAX_CALLS or len(call.name) + len(call.arguments) > 2 * MAX_ARGUMENT_CHARS:
            raise EngineFailed(f"{who} calls more than it may.")


def _described(tool: Tool) -> dict[str, Any]:
    about = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": about}
