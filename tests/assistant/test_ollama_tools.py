"""Tools by Ollama's own protocol, https://docs.ollama.com/capabilities/tool-calling: offered as functions, called whole
in a line of the stream, and told by the tool's name what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.model import Usage
from jarvis.assistant.language.tools import MAX_CALLS, MAX_STEPS, Toolbox
from jarvis.assistant.providers import rounds
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.assistant.replies import FAILED
from jarvis.assistant.types import Reply
from jarvis.plugins.kinds import Tool, ToolContext
from tests.assistant.homes import MemoryHome, request, turn, whole
from tests.assistant.ollama_double import OllamaDouble, ollama

ASKED = "Please tell me a story about the moon tonight."
DOOR = {"type": "object", "properties": {"door": {"type": "string"}}, "required": ["door"]}
KNOCK = ("knock", {"door": "front"})


class Bench:
    def __init__(self, double: OllamaDouble, **more: Any) -> None:
        self.made: list[str] = []
        tools = [
            Tool("knock", "Knocks at a door.", DOOR, self._doing("knocked")),
            Tool("unlock", "Unlocks a door.", DOOR, self._doing("unlocked"), dangerous=True),
        ]
        model = Careful(OllamaModel(double.url, context_tokens=8192, look_s=15, **more), look_s=15, first_piece_s=15)
        self.assistant = Assistant([model], toolbox=Toolbox(lambda: tools, self._used))

    def _doing(self, what: str) -> Callable[[dict[str, Any], ToolContext], Awaitable[str]]:
        async def do(arguments: dict[str, Any], context: ToolContext) -> str:
            self.made.append(f"{what} {arguments['door']}")
            return self.made[-1]

        return do

    async def _used(self, name: str, outcome: str) -> None:
        return

    async def ask(self, text: str, *before: Any) -> tuple[Reply, str]:
        reply = await self.assistant.answer(request(text, *before), MemoryHome())
        return reply, await whole(reply)


def story(told: Callable[[Bench, OllamaDouble], Awaitable[None]], *steps: Any, **more: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), ollama("qwen3:4b", steps=list(steps)) as double:
            await told(Bench(double, **more), double)

    asyncio.run(run())


def test_a_model_calls_a_tool_and_answers_with_what_it_gave() -> None:
    async def told(bench: Bench, double: OllamaDouble) -> None:
        reply, text = await bench.ask(ASKED)
        assert text == "Because of scattering. Blue scatters most." and bench.made == ["knocked front"]
        assert reply.usage == Usage(126, 19), "both rounds"
        first, second = double.asked
        offered = {one["function"]["name"]: one["function"] for one in first["tools"]}
        assert first["tools"][0]["type"] == "function" and offered["knock"]["description"] == "Knocks at a door."
        assert offered["knock"]["parameters"]["required"] == ["door"]
        assert "Apart from your tools" in first["messages"][0]["content"]
        called = second["messages"][-2]
        assert called["role"] == "assistant"
        assert called["tool_calls"] == [{"function": {"name": "knock", "arguments": {"door": "front"}}}]
        assert double.results() == [("knock", "knocked front")]

    story(told, [KNOCK])


def test_rounds_and_calls_are_bounded_and_the_last_is_asked_without_tools() -> None:
    async def told(bench: Bench, double: OllamaDouble) -> None:
        _, text = await bench.ask(ASKED)
        assert len(double.asked) == MAX_STEPS + 1 and not double.asked[-1].get("tools") and text.startswith("Because")
        assert len(bench.made) == MAX_CALLS and "too many calls" in double.results()[-1][1]

    story(told, *([[KNOCK] * 3] * 9))

    async def many(bench: Bench, double: OllamaDouble) -> None:
        assert (await bench.ask(ASKED))[1] == FAILED and bench.made == []

    story(many, [KNOCK] * (MAX_CALLS + 1))


def test_what_does_not_fit_is_not_called_and_what_is_dangerous_is_asked() -> None:
    async def told(bench: Bench, double: OllamaDouble) -> None:
        _, text = await bench.ask(ASKED)
        assert bench.made == [] and "door is missing" in double.asked[1]["messages"][-2]["content"]
        assert text.endswith("Should I really unlock with door front?")
        assert (await bench.ask("yes", turn(ASKED, text)))[1] == "unlocked front"

    story(told, [("knock", {}), ("unlock", {"door": "front"})])


def test_a_model_without_tools_is_asked_without_and_after_a_while_with_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def told(bench: Bench, double: OllamaDouble) -> None:
        double.takes_tools = False
        for questions in (2, 1):
            double.asked.clear()
            assert (await bench.ask(ASKED))[1].startswith("Because") and len(double.asked) == questions
            assert not double.asked[-1].get("tools")
        monkeypatch.setattr(rounds, "WITHOUT_TOOLS_S", -1.0)
        await bench.ask(ASKED)
        double.takes_tools = True
        await bench.ask(ASKED)
        assert bench.made == ["knocked front"], "it has been pulled anew, or had failed by chance"

    story(told, [KNOCK])


def test_a_model_that_is_not_trusted_is_offered_none() -> None:
    async def told(bench: Bench, double: OllamaDouble) -> None:
        await bench.ask(ASKED)
        assert not double.asked[0].get("tools") and bench.made == []

    story(told, [KNOCK], trusted=False)
