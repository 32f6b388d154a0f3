"""The Ollama model through the real `ollama` package, against a local double of its HTTP API."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import httpx
import pytest

from jarvis.assistant import replies as module
from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.model import Usage
from jarvis.assistant.providers import presets
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.ollama_model import OllamaModel
from jarvis.assistant.types import Reply
from jarvis.core.errors import DeadlineExceeded, EngineFailed, JarvisError, Missing
from tests.assistant.homes import MemoryHome, ScriptedModel, request, turn, whole
from tests.assistant.ollama_double import OllamaDouble, ollama

JOKE = "Tell me a joke about the sky."


class Small(ScriptedModel):
    """Stands for the embedded model that is asked when Ollama cannot be."""


def quick(double: OllamaDouble | str, model: str = "", *, look_s: float = 0.5, **more: Any) -> Careful:
    """As a node asks it, with less patience."""
    url = double if isinstance(double, str) else double.url
    return Careful(OllamaModel(url, model, look_s=look_s), **{"first_piece_s": 0.5, "idle_s": 0.3, **more})


async def ask(*models: Any, text: str = JOKE) -> tuple[Reply, str]:
    reply = await Assistant(models).answer(request(text), MemoryHome())
    return reply, await whole(reply)


def nobody_there() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_up_with_a_model_it_answers_in_pieces_with_the_session() -> None:
    async def run() -> None:
        async with ollama("nomic-embed-text:latest", "llama3.2:1b") as double:
            assistant = Assistant([quick(double), Small()])
            earlier = turn("My name is Ada.", "Hello Ada.", "bedroom")
            reply = await assistant.answer(request("What is my name?", earlier), MemoryHome())
            pieces = [piece async for piece in reply.pieces]
            assert pieces == ["Because of scattering. ", "Blue scatters most."]
            assert (reply.source, reply.provider, reply.model, reply.ok) == ("llm", "ollama", "llama3.2:1b", True)
            assert reply.usage == Usage(26, 9)
            asked = double.asked[0]
            assert asked["model"] == "llama3.2:1b" and asked["stream"] is True and asked["think"] is False
            assert asked["options"] == {"num_predict": 256, "num_ctx": 4096}
            assert [message["content"] for message in asked["messages"][1:]] == [
                "My name is Ada.",
                "Hello Ada.",
                "What is my name?",
            ]

    asyncio.run(run())


def test_the_model_that_was_set_is_asked_with_or_without_its_tag() -> None:
    async def run() -> None:
        async with ollama("a:latest", "llama3.2:latest") as double:
            assert (await quick(double, "llama3.2").available()).model == "llama3.2:latest"
            assert (await quick(double, "llama3.2:latest").available()).model == "llama3.2:latest"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("models", "wanted", "says"),
    [
        ([], "", "Ollama is running but has no model. Run `ollama pull llama3.2:3b`."),
        (["nomic-embed-text"], "", "Ollama is running but has no model. Run `ollama pull llama3.2:3b`."),
        ([], "qwen3:4b", "Ollama is running but has no model. Run `ollama pull qwen3:4b`."),
        (
            ["llama3.2:1b"],
            "qwen3:4b",
            "Ollama is running but does not have the model qwen3:4b. Run `ollama pull qwen3:4b`.",
        ),
    ],
)
def test_up_without_the_model_it_says_what_to_pull_and_the_next_one_answers(
    models: list[str], wanted: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presets, "device_memory_bytes", lambda: 8 * presets.GIB)

    async def run() -> None:
        async with ollama(*models) as double:
            model = quick(double, wanted)
            available = await model.available()
            assert not available.ok and available.reason == says
            reply, said = await ask(model, Small())
            assert reply.provider == "scripted" and said == "It is a scripted answer." and double.asked == []
            # A pull is seen at once.
            name = wanted or "llama3.2:1b"
            double.models.append({"name": name, "model": name})
            assert (await ask(model, Small()))[0].provider == "ollama"

    asyncio.run(run())


def test_not_there_costs_no_time_and_the_next_one_answers() -> None:
    async def run() -> None:
        model = quick(nobody_there())
        began = time.monotonic()
        reply, _ = await ask(model, Small())
        assert time.monotonic() - began < 1 and reply.provider == "scripted"
        assert (await model.available()).reason.startswith("Ollama is not running.")

    asyncio.run(run())


def test_an_address_that_is_none_is_said_to_be() -> None:
    async def run() -> None:
        for url in ("http://[broken", "http://host:99999999"):
            available = await quick(url).available()
            assert not available.ok and available.reason

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["slow", "garbage", "not_an_object", "error_500", "packed", "endless_line"])
def test_an_answer_that_never_begins_is_replaced_by_the_next_model(mode: str) -> None:
    async def run() -> None:
        async with ollama("llama3.2:1b", mode=mode) as double:
            reply, said = await ask(quick(double), Small())
            assert len(double.asked) == 1, "it was asked"
            assert reply.provider == "scripted" and said == "It is a scripted answer." and reply.ok

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["slow_tags", "garbage_tags", "packed_tags"])
def test_a_server_that_is_not_ollama_or_hangs_is_passed_over(mode: str) -> None:
    async def run() -> None:
        async with ollama("llama3.2:1b", mode=mode) as double:
            reply, _ = await ask(quick(double), Small())
            assert reply.provider == "scripted" and double.asked == []

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["cut", "ends", "error_line", "stuck"])
def test_an_answer_that_breaks_off_ends_in_an_honest_sentence(mode: str) -> None:
    async def run() -> None:
        async with ollama("llama3.2:1b", mode=mode) as double:
            small = Small()
            reply, said = await ask(quick(double), small)
            assert said == f"Because of scattering. {module.BROKE_OFF}"
            assert not reply.ok and reply.provider == "ollama" and small.asked == []

    asyncio.run(run())


def test_the_errors_say_what_happened() -> None:
    async def error_of(mode: str) -> JarvisError:
        async with ollama("llama3.2:1b", mode=mode) as double:
            with pytest.raises(JarvisError) as raised:
                async for _ in quick(double).complete([{"role": "user", "content": "?"}], max_tokens=8, deadline_s=5):
                    pass
            return raised.value

    assert isinstance(asyncio.run(error_of("slow")), DeadlineExceeded)
    assert isinstance(asyncio.run(error_of("stuck")), DeadlineExceeded)
    for mode in ("cut", "ends", "garbage", "not_an_object", "error_line", "error_500", "garbage_tags", "endless"):
        assert isinstance(asyncio.run(error_of(mode)), EngineFailed), mode


def test_a_model_removed_meanwhile_is_missing() -> None:
    async def run() -> None:
        async with ollama("llama3.2:1b") as double:
            model = quick(double)
            assert (await model.available()).ok
            double.models.clear()
            with pytest.raises(Missing):
                async for _ in model.complete([{"role": "user", "content": "?"}], max_tokens=8, deadline_s=5):
                    pass

    asyncio.run(run())


def test_after_an_outage_it_is_left_alone_for_a_while() -> None:
    async def run() -> None:
        now = 1000.0
        async with ollama("llama3.2:1b", mode="slow_tags") as double:
            model = quick(double, look_s=0.1, mono_s=lambda: now, chance=lambda: 0.0)
            assert not (await model.available()).ok and double.looked == 1
            double.mode = "answers"
            now += 29
            assert not (await model.available()).ok and double.looked == 1
            now += 2
            assert (await model.available()).ok and double.looked == 2

    asyncio.run(run())


def test_throttled_it_is_asked_again_when_it_said() -> None:
    async def run() -> None:
        now = [1_000.0]
        async with ollama("llama3.2:1b", mode="throttled") as double:
            model = quick(double, mono_s=lambda: now[0], chance=lambda: 0.0)
            reply, _ = await ask(model, Small())
            assert reply.provider == "scripted"
            now[0] += 19.9  # longer than after any first failure
            assert not (await model.available()).ok
            now[0] += 0.2
            assert (await model.available()).ok

    asyncio.run(run())


def test_the_key_of_the_environment_goes_over_no_line_that_others_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "a-key-that-must-not-be-seen")
    sent = []

    async def instead(self: Any, request: httpx.Request) -> httpx.Response:
        sent.append("authorization" in request.headers)
        return httpx.Response(200, json={"models": []}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", instead)

    async def run() -> None:
        for url in ("http://192.0.2.7:11434", "http://127.0.0.1:11434", "https://ollama.example"):
            await OllamaModel(url).available()

    asyncio.run(run())
    assert sent == [False, True, True]


def test_its_key_is_sent_and_never_heard_back() -> None:
    key = "a-key-that-must-not-be-seen"

    async def run() -> None:
        async with ollama("llama3.2:1b") as double:
            headers = {"Authorization": f"Bearer {key}"}
            model = Careful(OllamaModel(double.url, headers=lambda: headers), look_s=5)
            assert (await ask(model))[1] == "Because of scattering. Blue scatters most."
            assert double.headers[0]["Authorization"] == f"Bearer {key}"
            double.words = ["Your key is ", key, "."]
            assert (await ask(model))[1] == module.FAILED
            double.mode = "refused"
            assert not (await ask(model))[0].ok and "refuses the key" in (await model.available()).reason
        far = await OllamaModel("http://192.0.2.7:11434", headers=lambda: headers).available()
        assert not far.ok and "could be read on the way" in far.reason

    asyncio.run(run())


def test_closing_the_answer_hangs_up() -> None:
    async def run() -> None:
        async with ollama("llama3.2:1b", mode="endless") as double:
            reply = await Assistant([quick(double)]).answer(request(JOKE), MemoryHome())
            await anext(reply.pieces)
            await reply.pieces.aclose()  # type: ignore[attr-defined]
            await asyncio.wait_for(double.gone.wait(), 5)

    asyncio.run(run())
