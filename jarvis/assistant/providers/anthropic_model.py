"""A language model behind Anthropic's Messages API, as its documentation describes version 2023-06-01. It only
translates; `careful` bounds the waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from jarvis.assistant.language import Availability, Message, Usage, closing
from jarvis.assistant.providers.calls import Calls, Headers, Throttled
from jarvis.core.errors import EngineFailed, JarvisError, NotAllowed

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

    async def available(self) -> Availability:
        try:
            if not self._headers():
                raise NotAllowed(f"{self.name} has no key.", fix="Give it one; see docs/assistant.md.")
            self._calls.check()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip())
        return Availability(True, model=self._model)

    async def complete(
        self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float
    ) -> AsyncIterator[str | Usage]:
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": max_tokens,
            "messages": [dict(message) for message in messages if message["role"] != "system"],
            "stream": True,
        }
        if system := "\n".join(message["content"] for message in messages if message["role"] == "system"):
            body["system"] = system
        read = 0
        async with closing(self._calls.stream("/v1/messages", body)) as events:
            async for event in events:
                told = self._calls.read(event.data)
                with self._calls.translated():
                    kind = told["type"]
                    if kind == "message_stop":
                        return
                    if kind == "error":
                        raise self._failure(told["error"].get("type"))
                    if kind == "message_start":
                        read = _read_tokens(told["message"].get("usage") or {})
                    elif kind == "content_block_delta" and told["delta"].get("type") == "text_delta":
                        yield str(told["delta"]["text"])
                    elif kind == "message_delta" and (usage := told.get("usage")):
                        yield Usage(read, int(usage.get("output_tokens") or 0))
        raise EngineFailed(f"{self.name} stopped in the middle of its answer.")

    def _failure(self, kind: Any) -> JarvisError:
        if kind in ("overloaded_error", "rate_limit_error"):
            return Throttled(f"{self.name} is asked too much right now.", 0.0)
        return EngineFailed(f"{self.name} broke off its answer.")


def _read_tokens(usage: Mapping[str, Any]) -> int:
    """With what was read from its cache, or put there: all of it was the prompt."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(int(usage.get(name) or 0) for name in names)
