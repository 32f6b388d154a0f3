"""A local double of Ollama's HTTP API, as its documentation describes it: /api/tags and /api/chat as lines of JSON,
calls of tools among them. It can be up without a model, slow, cut off in mid-answer, or talk nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class OllamaDouble:
    models: list[dict[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=lambda: ["Because ", "of ", "scattering. ", "Blue ", "scatters ", "most."])
    mode: str = "answers"
    """answers, slow, slow_tags, cut, ends, stuck, endless, garbage, garbage_tags, not_an_object, error_line, ..."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The chat requests received."""
    headers: list[dict[str, str]] = field(default_factory=list)
    looked: int = 0
    steps: list[list[tuple[str, dict[str, Any]]]] = field(default_factory=list)
    """What is called, a list for each round, as {name: arguments}, where tools may be."""
    takes_tools: bool = True
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client went away before the answer was over."""
    url: str = ""

    async def tags(self, request: web.Request) -> web.StreamResponse:
        self.looked += 1
        if self.mode == "slow_tags":
            await asyncio.sleep(3600)
        if self.mode == "garbage_tags":
            return web.Response(text="<html>a router's login page</html>", content_type="text/html")
        listed = web.json_response({"models": self.models})
        if self.mode == "packed_tags":
            listed.enable_compression(web.ContentCoding.gzip)
        return listed

    async def chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        if asked["model"] not in [model["model"] for model in self.models]:
            return web.json_response({"error": f"model '{asked['model']}' not found"}, status=404)
        if asked.get("tools") and not self.takes_tools:
            error = f"registry.ollama.ai/library/{asked['model']} does not support tools"
            return web.json_response({"error": error}, status=400)
        self.headers.append(dict(request.headers))
        if self.mode == "refused":
            return web.json_response({"error": "unauthorized"}, status=401)
        if self.mode == "throttled":
            return web.json_response({"error": "too many requests"}, status=429, headers={"Retry-After": "20"})
        if self.mode == "error_500":
            return web.json_response({"error": "llama runner process has terminated"}, status=500)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        if self.mode == "packed":
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        try:
            await self._speak(request, response, asked["model"])
        except (ConnectionResetError, asyncio.CancelledError):
            self.gone.set()
            raise
        return response

    async def _speak(self, request: web.Request, response: web.StreamResponse, model: str) -> None:
        async def line(content: str, **more: Any) -> None:
            message = {"role": "assistant", "content": content}
            part = {"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False, **more}
            await response.write(json.dumps(part).encode() + b"\n")

        if self.mode == "slow":
            await asyncio.sleep(3600)
        calls = self._calls()
        if calls:
            await line("", message={"role": "assistant", "content": "", "tool_calls": calls})
            await line("", done=True, done_reason="stop", prompt_eval_count=100, eval_count=10)
            return
        if self.mode == "garbage":
            await response.write(b"}{ \xff\xfe nonsense\n")
            return
        if self.mode == "endless_line":
            while True:
                await response.write(b"x" * 1024 * 1024)
        if self.mode == "not_an_object":
            await response.write(b"[1, 2, 3]\n")
            return
        for number, word in enumerate(self.words):
            if number == 4:
                if self.mode == "cut":
                    assert request.transport is not None
                    request.transport.abort()
                    return
                if self.mode == "ends":
                    return
                if self.mode == "error_line":
                    await response.write(b'{"error": "an error was encountered while running the model"}\n')
                    return
                if self.mode == "stuck":
                    await asyncio.sleep(3600)
            await line(word)
        while self.mode == "endless":
            await line("and on. " * 100)
            await asyncio.sleep(0)
        await line("", done=True, done_reason="stop", prompt_eval_count=26, eval_count=9)

    def _calls(self) -> list[dict[str, Any]]:
        """Each comes whole, its arguments as an object."""
        asked = self.asked[-1]
        at = sum(bool(one.get("tool_calls")) for one in asked["messages"])
        if at >= len(self.steps) or not asked.get("tools"):
            return []
        return [{"function": {"name": name, "arguments": arguments}} for name, arguments in self.steps[at]]

    def results(self) -> list[tuple[str, str]]:
        """What was told of the calls: the tool's name, and what it gave."""
        said = self.asked[-1]["messages"]
        return [(one["tool_name"], one["content"]) for one in said if one["role"] == "tool"]


@contextlib.asynccontextmanager
async def ollama(*models: str, **more: Any) -> AsyncIterator[OllamaDouble]:
    """A double with these models, listening on a free port of loopback."""
    entries = [
        {"name": name, "model": name, "size": 1, "digest": "0" * 64, "details": {"family": _family(name)}}
        for name in models
    ]
    double = OllamaDouble(entries, **more)
    app = web.Application()
    app.add_routes([web.get("/api/tags", double.tags), web.post("/api/chat", double.chat)])
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


def _family(name: str) -> str:
    return "nomic-bert" if "embed" in name else "llama"
