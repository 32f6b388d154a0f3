"""A language model behind Anthropic's Messages API, as its documentation describes version 2023-06-01. It only
translates; `careful` bounds the waiting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from jarvis.assistant.language.model import Availability, Message, Usage, closing
from jarvis.assistant.language.tools import MAX_ARGUMENT_CHARS, MAX_CALLS, MAX_STEPS, Tools
from jarvis.assistant.providers.calls import Calls, Headers, Throttled
from jarvis.core.errors import EngineFailed, JarvisError, NotAllowed
from jarvis.plugins.kinds import Tool

DEFAULT_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"


class AnthropicModel:
    """`headers` give the key as `x-api-key`."""

    def __init__(
        self,
        model: str,
        *,
        url: str = DEFAULT_URL,
        name: str = "anthropic",
        headers: Headers = dict,
        context_tokens: int = 8192,
        max_tokens: int = 256,
        trusted: bool = True,
    ) -> None:
        self.name, self.trusted = name, trusted
        self.context_tokens, self.max_tokens = context_tokens, max_tokens
        self._headers = headers
        self._calls = Calls(name, url, lambda: {**headers(), "anthropic-version": VERSION})
        self.elsewhere = self._calls.elsewhere
        self._model = model
        self._tools: Tools | None = None

    async def available(self) -> Availability:
        try:
            if not self._headers():
                raise NotAllowed(f"{self.name} has no key.", fix="Give it one; see docs/assistant.md.")
            self._calls.check()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip())
        return Availability(True, model=self._model)

    uses_tools = True

    def using(self, tools: Tools) -> AnthropicModel:
        """The same, with tools for one answer."""
        view = copy(self)
        view._tools = tools
        return view

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        """What an answer of several steps cost is told after each, all together."""
        so_far: list[Mapping[Any, Any]] = list(messages)
        cost = Usage(0, 0)
        for step in range(MAX_STEPS + 1):
            calls: list[_Call] = []
            said = ""
            async with closing(self._step(so_far, max_tokens, calls, last=step == MAX_STEPS)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        cost += piece
                        yield cost
                    else:
                        said += piece
                        yield piece
            if not calls or self._tools is None:
                return
            blocks = [{"type": "text", "text": said}] if said.strip() else []
            so_far.append({"role": "assistant", "content": [*blocks, *(one.said() for one in calls)]})
            results = []
            for one in calls:
                result = await self._tools.call(one.name, one.arguments)
                results.append({"type": "tool_result", "tool_use_id": one.id, "content": result})
                yield ""  # it is at work: whoever waits for words begins to wait anew
            so_far.append({"role": "user", "content": results})

    async def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: list[_Call], *, last: bool
    ) -> AsyncIterator[str | Usage]:
        """One question; what tools are called is gathered in `calls`."""
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": max_tokens,
            "messages": [dict(message) for message in messages if message["role"] != "system"],
            "stream": True,
        }
        if system := "\n".join(message["content"] for message in messages if message["role"] == "system"):
            body["system"] = system
        if self._tools is not None and self._tools.offered:
            body["tools"] = [_described(tool) for tool in self._tools.offered]
            body["tool_choice"] = {"type": "none" if last else "auto"}
        read = written = 0
        async with closing(self._calls.stream("/v1/messages", body)) as events:
            async for event in events:
                told = self._calls.read(event.data)
                with self._calls.translated():
                    kind = told["type"]
                    if kind == "message_stop":
                        yield Usage(read, written)
                        return
                    if kind == "error":
                        raise self._failure(told["error"].get("type"))
                    if kind == "message_start":
                        read = _read_tokens(told["message"].get("usage") or {})
                    elif kind == "content_block_start" and told["content_block"].get("type") == "tool_use":
                        calls.append(_Call(str(told["content_block"]["id"]), str(told["content_block"]["name"])))
                        if len(calls) > MAX_CALLS:
                            raise EngineFailed(f"{self.name} calls more than it may.")
                    elif kind == "content_block_delta" and told["delta"].get("type") == "input_json_delta":
                        calls[-1].arguments += str(told["delta"]["partial_json"])
                        if len(calls[-1].arguments) > 2 * MAX_ARGUMENT_CHARS:
                            raise EngineFailed(f"{self.name} calls more than it may.")
                    elif kind == "content_block_delta" and told["delta"].get("type") == "text_delta":
                        yield str(told["delta"]["text"])
                    elif kind == "message_delta":  # it counts up
                        written = int((told.get("usage") or {}).get("output_tokens") or written)
        raise EngineFailed(f"{self.name} stopped in the middle of its answer.")

    def _failure(self, kind: Any) -> JarvisError:
        if kind in ("overloaded_error", "rate_limit_error"):
            return Throttled(f"{self.name} is asked too much right now.", 0.0)
        return EngineFailed(f"{self.name} broke off its answer.")


@dataclass
class _Call:
    """One call, as it arrives in pieces."""

    id: str
    name: str
    arguments: str = ""

    def said(self) -> dict[str, Any]:
        """As the protocol wants it back; what was no object was refused, and is told as an empty one."""
        try:
            given = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            given = {}
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": given if isinstance(given, dict) else {}}


def _described(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}


def _read_tokens(usage: Mapping[str, Any]) -> int:
    """With what was read from its cache, or put there: all of it was the prompt."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(int(usage.get(name) or 0) for name in names)
