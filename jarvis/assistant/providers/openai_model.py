"""A language model behind OpenAI's chat completions, which many servers speak: llama.cpp, vLLM, LM Studio, OpenRouter,
OpenAI itself. It only translates; `careful` bounds the waiting. Reasoning that a server streams apart from the answer
is not for the ear and is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from jarvis.assistant.language.model import Availability, Usage, closing
from jarvis.assistant.providers.calls import Calls, Headers
from jarvis.assistant.providers.pictures import for_openai
from jarvis.assistant.providers.rounds import Call, Called, CallingModel, MayCall, as_function
from jarvis.core.errors import EngineFailed, JarvisError, Missing, Temporary

OFFICIAL = "api.openai.com"
"""It calls the length `max_completion_tokens`, and refuses the name that all others know."""


class OpenAIModel(CallingModel):
    """`url` ends where the protocol's paths begin, usually in `/v1`; `model` may be empty: then the first that the
    server has is asked, which suits a server of one model."""

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
        super().__init__(name, context_tokens=context_tokens, max_tokens=max_tokens, trusted=trusted)
        self._calls = Calls(name, url, headers)
        self.elsewhere = self._calls.elsewhere
        self._wanted = model

    async def available(self) -> Availability:
        try:
            self._calls.check()
            model = self._wanted or self._known.model or await self._first()
        except JarvisError as error:
            return Availability(False, f"{error} {error.fix}".strip(), outage=isinstance(error, Temporary))
        return Availability(True, model=model)

    async def _step(
        self, messages: Sequence[Mapping[Any, Any]], max_tokens: int, calls: Called, may_call: MayCall
    ) -> AsyncIterator[str | Usage]:
        model = self._wanted or self._known.model or await self._first()
        length = "max_completion_tokens" if self._calls.host == OFFICIAL else "max_tokens"
        body: dict[str, Any] = {
            "model": model,
            "messages": [for_openai(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            length: max_tokens,
        }
        if may_call:
            body["tools"], body["tool_choice"] = [as_function(tool) for tool in self._offered], may_call
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
                        _gather(delta.get("tool_calls") or (), calls)
                        ended = ended or bool(choice.get("finish_reason"))
                    if usage := _usage(chunk.get("usage")):
                        yield usage
        if not ended:  # servers that end without [DONE] at least say why they stopped
            raise EngineFailed(f"{self.name} stopped in the middle of its answer.")

    def _told(self, said: str, calls: Sequence[Call], results: Sequence[str]) -> list[Mapping[str, Any]]:
        made = [
            {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in calls
        ]
        came = [
            {"role": "tool", "tool_call_id": one.id, "content": result}
            for one, result in zip(calls, results, strict=True)
        ]
        return [{"role": "assistant", "content": said or None, "tool_calls": made}, *came]

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


def _gather(pieces: Sequence[Any], calls: Called) -> None:
    for piece in pieces:
        index, function = int(piece.get("index", 0)), piece.get("function") or {}
        calls.add(
            index,
            id=str(piece.get("id") or ""),
            name=str(function.get("name") or ""),
            arguments=str(function.get("arguments") or ""),
        )
