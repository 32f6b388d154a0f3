"""A language model behind Anthropic's Messages API, as its documentation describes version 2023-06-01. It only
translates; `careful` bounds the waiting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from jarvis.assistant.language.model import Availability, Usage, closing
from jarvis.assistant.providers.calls import Calls, Headers, Throttled
from jarvis.assistant.providers.pictures import for_anthropic
from jarvis.assistant.providers.rounds import Call, Called, CallingModel, MayCall
from jarvis.core.errors import EngineFailed, JarvisError, NotAllowed
from jarvis.plugins.kinds import Tool

DEFAULT_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"


class AnthropicModel(CallingModel):
    """`headers` give the key as `x-api-key`."""

    may_refuse_tools = False

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
        super().__init__(name, context_tokens=context_tokens, max_tokens=max_tokens, trusted=trusted)
        self._headers = headers
        self._calls = Calls(name, url, lambda: {**headers(), "anthropic-version": VERSION})
        self.elsewhere = self._calls.elsewhere
        self._model = model

    async def available(self) -> Availability:
        try:
            if not self._headers():
                raise NotAllowed(f"{self.name} has no key.", fix="Give it one; see docs/assistant.md.")
            self._calls.check()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip())
        return Availability(True, model=self._model)

    async def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: Called, may_call: MayCall
    ) -> AsyncIterator[str | Usage]:
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": max_tokens,
            "messages": [for_anthropic(message) for message in messages if message["role"] != "system"],
            "stream": True,
        }
        if system := "\n".join(message["content"] for message in messages if message["role"] == "system"):
            body["system"] = system
        if may_call:
            body["tools"] = [_described(tool) for tool in self._offered]
            body["tool_choice"] = {"type": may_call}
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
                        block = told["content_block"]
                        calls.add(int(told["index"]), id=str(block["id"]), name=str(block["name"]))
                    elif kind == "content_block_delta" and told["delta"].get("type") == "input_json_delta":
                        calls.add(int(told["index"]), arguments=str(told["delta"]["partial_json"]))
                    elif kind == "content_block_delta" and told["delta"].get("type") == "text_delta":
                        yield str(told["delta"]["text"])
                    elif kind == "message_delta":  # it counts up
                        written = int((told.get("usage") or {}).get("output_tokens") or written)
        raise EngineFailed(f"{self.name} stopped in the middle of its answer.")

    def _told(self, said: str, calls: Sequence[Call], results: Sequence[str]) -> list[Mapping[str, Any]]:
        text = [{"type": "text", "text": said}] if said.strip() else []
        made = [{"type": "tool_use", "id": one.id, "name": one.name, "input": _input(one)} for one in calls]
        came = [
            {"type": "tool_result", "tool_use_id": one.id, "content": result}
            for one, result in zip(calls, results, strict=True)
        ]
        return [{"role": "assistant", "content": [*text, *made]}, {"role": "user", "content": came}]

    def _failure(self, kind: Any) -> JarvisError:
        if kind in ("overloaded_error", "rate_limit_error"):
            return Throttled(f"{self.name} is asked too much right now.", 0.0)
        return EngineFailed(f"{self.name} broke off its answer.")


def _input(call: Call) -> dict[str, Any]:
    """What was no object was refused, and is told as an empty one."""
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _described(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}


def _read_tokens(usage: Mapping[str, Any]) -> int:
    """With what was read from its cache, or put there: all of it was the prompt."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(int(usage.get(name) or 0) for name in names)
