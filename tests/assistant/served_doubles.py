"""Local doubles of two protocols of language models, as their documentation describes them: OpenAI's chat completions
and Anthropic's messages, both streamed as server-sent events. They can be slow, cut off, throttled, or talk
nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "sk-a-key-that-must-not-be-seen"
REFUSALS = {
    "refused_401": (401, {"error": {"type": "authentication_error", "message": f"invalid key {KEY}"}}),
    "throttled_429": (429, {"error": {"type": "rate_limit_error", "message": "slow down"}}),
    "failed_500": (500, {"error": {"type": "server_error", "message": "it broke"}}),
    "overloaded_529": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "bad_400": (400, {"error": {"type": "invalid_request_error", "message": "no such field"}}),
    "no_model_404": (404, {"error": {"type": "not_found_error", "message": "no such model"}}),
}
NEVER_BEGINS = ("slow", "garbage", "bad_json", "html", "list", "redirect", "endless_line", "empty", "packed", *REFUSALS)
"""Faults before the first word."""
BREAKS_OFF = ("cut", "ends", "stuck", "error_event", "garbage_later")
"""Faults after the first sentence."""
WORDS = ("Because ", "of ", "scattering. ", "Blue ", "scatters ", "most.")
HALVES = ("Yes ", "\ud83d", "\ude00", " and ", "\ud800", "no\x1b.")
"""As a server sends a sign of two surrogates that it cut in two, half of one, and what a terminal would obey."""
Send = Callable[[str, Any], Any]


@dataclass
class ServedDouble:
    mode: str = "answers"
    retry_after: str = "7"
    window_messages: int = 1_000
    """A conversation of more is said to be too long."""
    models: list[str] = field(default_factory=lambda: ["some-model"])
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    looked: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client went away before the answer was over."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    """What mode `waits` waits for."""
    url: str = ""

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        self.looked += 1
        if self.mode == "slow_models":
            await asyncio.sleep(3600)
        if self.mode == "garbage_models":
            return web.Response(text="<html>a router's login page</html>", content_type="text/html")
        return web.json_response({"object": "list", "data": [{"id": one, "object": "model"} for one in self.models]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        if self.mode in REFUSALS:
            status, body = REFUSALS[self.mode]
            return web.json_response(body, status=status, headers={"Retry-After": self.retry_after})
        if self.mode == "no_tools" and "tools" in self.asked[-1]:
            return web.json_response({"error": {"message": "tools param requires --jinja flag"}}, status=500)
        if self.mode == "redirect":
            raise web.HTTPFound("/elsewhere")
        if self.mode == "html":
            return web.Response(text="<html>a router's login page</html>", content_type="text/html")
        if len(self.asked[-1]["messages"]) > self.window_messages:
            return web.json_response({"error": {"message": "prompt is too long"}}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        if self.mode == "packed":
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        self.begun.set()
        try:
            await self._speak(request, response)
        except (ConnectionResetError, asyncio.CancelledError):
            self.gone.set()
            raise
        return response

    async def _speak(self, request: web.Request, response: web.StreamResponse) -> None:
        async def send(event: str, data: Any) -> None:
            name = f"event: {event}\r\n" if event else ""
            text = data if isinstance(data, str) else json.dumps(data)
            await response.write(f"{name}data: {text}\r\n\r\n".encode())

        if self.mode == "slow":
            await asyncio.sleep(3600)
        if self.mode == "waits":
            await self.let_go.wait()
        if self.mode == "garbage":
            await response.write(b"data: \xff\xfe nonsense\n\n")
        if self.mode == "bad_json":
            await response.write(b"data: }{\n\n")
        if self.mode == "list":
            await send("", [1, 2, 3])
        if self.mode == "endless_line":
            for _ in range(40):
                await response.write(b"data: " + b"x" * 16_384)
        if self.mode in ("garbage", "bad_json", "list", "endless_line", "empty"):
            return
        await response.write(b": a comment\n\n")
        await self.begin(send)
        for number, word in enumerate(HALVES if self.mode == "halves" else WORDS):
            if number == 4 and self.mode in BREAKS_OFF:
                if self.mode == "cut":
                    assert request.transport is not None
                    request.transport.abort()
                if self.mode == "error_event":
                    await send("error", {"type": "error", "error": {"type": "overloaded_error", "message": "x"}})
                if self.mode == "garbage_later":
                    await send("", {"type": 1, "choices": "many"})
                if self.mode == "stuck":
                    await asyncio.sleep(3600)
                return
            await self.word(send, word)
        while self.mode == "endless":
            await self.word(send, "and on. " * 100)
            await asyncio.sleep(0)
        await self.end(send)

    async def begin(self, send: Send) -> None: ...
    async def word(self, send: Send, word: str) -> None: ...
    async def end(self, send: Send) -> None: ...


class OpenAIDouble(ServedDouble):
    """https://platform.openai.com/docs/api-reference/chat-streaming"""

    async def begin(self, send: Send) -> None:
        await send("", self._chunk({"role": "assistant", "content": ""}))

    async def word(self, send: Send, word: str) -> None:
        await send("", self._chunk({"content": word}))

    async def end(self, send: Send) -> None:
        await send("", self._chunk({}, "stop"))
        if self.asked[-1]["stream_options"]["include_usage"]:
            usage = {"prompt_tokens": 57, "completion_tokens": 9, "total_tokens": 66}
            await send("", {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        await send("", "[DONE]")

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "choices": choices, "usage": None}


class AnthropicDouble(ServedDouble):
    """https://platform.claude.com/docs/en/build-with-claude/streaming"""

    async def begin(self, send: Send) -> None:
        usage = {
            "input_tokens": 40,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 17,
            "output_tokens": 1,
        }
        message = {"id": "m1", "type": "message", "role": "assistant", "content": [], "usage": usage}
        await send("message_start", {"type": "message_start", "message": message})
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        await send("content_block_start", block)
        await send("ping", {"type": "ping"})
        await send("some_new_event", {"type": "some_new_event"})

    async def word(self, send: Send, word: str) -> None:
        delta = {"type": "text_delta", "text": word}
        await send("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta})

    async def end(self, send: Send) -> None:
        await send("content_block_stop", {"type": "content_block_stop", "index": 0})
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        await send("message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}})
        await send("message_stop", {"type": "message_stop"})


@contextlib.asynccontextmanager
async def served(double: ServedDouble) -> AsyncIterator[ServedDouble]:
    """`double`, listening on a free port of loopback."""
    app = web.Application()
    app.add_routes([web.get("/v1/models", double.list_models)])
    app.add_routes([web.post(path, double.chat) for path in ("/v1/chat/completions", "/v1/messages")])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    double.url = f"http://{host}:{port}"
    try:
        yield double
    finally:
        await runner.cleanup()
