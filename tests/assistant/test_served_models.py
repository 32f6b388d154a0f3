"""Language models over HTTP, through the assistant, against local doubles with every fault: there is always an answer
or an honest sentence, and no key is ever seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from jarvis.assistant import replies as module
from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.model import Availability, Message, Usage
from jarvis.assistant.providers.anthropic_model import AnthropicModel
from jarvis.assistant.providers.calls import Calls
from jarvis.assistant.providers.careful import Careful
from jarvis.assistant.providers.openai_model import OpenAIModel
from jarvis.assistant.types import Reply
from jarvis.core.errors import DeadlineExceeded, InvalidInput, JarvisError, NotAllowed, Overloaded
from tests.assistant.homes import MemoryHome, ScriptedModel, request, turn, whole
from tests.assistant.served_doubles import (
    BREAKS_OFF,
    KEY,
    NEVER_BEGINS,
    AnthropicDouble,
    OpenAIDouble,
    ServedDouble,
    served,
)

ASKED = "Tell me a joke about the sky."
BOTH = (OpenAIDouble, AnthropicDouble)
SAID: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "?"}]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def bearer() -> Mapping[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


def model_of(double: ServedDouble, **more: Any) -> Careful:
    plain: Any
    if isinstance(double, OpenAIDouble):
        plain = OpenAIModel(double.url + "/v1", "some-model", headers=bearer)
    else:
        plain = AnthropicModel("some-model", url=double.url, headers=lambda: {"x-api-key": KEY})
    return Careful(plain, **{"look_s": 0.5, "first_piece_s": 0.4, "idle_s": 0.3, "queue_s": 0.2, **more})


async def ask(*models: Any, **more: Any) -> tuple[Reply, str]:
    reply = await Assistant(models, **more).answer(request(ASKED), MemoryHome())
    return reply, await whole(reply)


async def drained(model: Careful, *, deadline_s: float = 5.0) -> list[str | Usage]:
    return [piece async for piece in model.complete(SAID, max_tokens=8, deadline_s=deadline_s)]


def test_openai_is_asked_in_its_protocol_and_says_what_it_cost() -> None:
    async def run() -> None:
        async with served(OpenAIDouble()) as double:
            assistant = Assistant([model_of(double)])
            reply = await assistant.answer(request(ASKED, turn("My name is Ada.", "Hello Ada.")), MemoryHome())
            assert [piece async for piece in reply.pieces] == ["Because of scattering. ", "Blue scatters most."]
            assert (reply.provider, reply.model, reply.usage) == ("openai", "some-model", Usage(57, 9))
            body = double.asked[0]
            assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "user"]
            assert body["max_tokens"] == 256 and body["stream"] is True
            assert double.headers[0]["Authorization"] == f"Bearer {KEY}"
            spent = assistant.models.spending.of["openai"]
            assert (spent.prompt_tokens, spent.completion_tokens, spent.answered, spent.failed) == (57, 9, 1, 0)

    asyncio.run(run())


def test_anthropic_is_asked_in_its_protocol_and_says_what_it_cost() -> None:
    async def run() -> None:
        async with served(AnthropicDouble()) as double:
            reply = await Assistant([model_of(double)]).answer(
                request(ASKED, turn("My name is Ada.", "Hello Ada.")), MemoryHome()
            )
            assert await whole(reply) == "Because of scattering. Blue scatters most."
            assert (reply.provider, reply.usage) == ("anthropic", Usage(57, 9)), "what its cache held was read too"
            body, headers = double.asked[0], double.headers[0]
            assert "Jarvis" in body["system"] and [one["role"] for one in body["messages"]] == [
                "user", "assistant", "user",
            ]  # fmt: skip
            assert headers["x-api-key"] == KEY and headers["anthropic-version"] == "2023-06-01"

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mode", NEVER_BEGINS)
def test_an_answer_that_never_begins_is_replaced_by_the_next_model(kind: type[ServedDouble], mode: str) -> None:
    async def run() -> None:
        async with served(kind(mode)) as double:
            reply, said = await ask(model_of(double), ScriptedModel())
            assert len(double.asked) == 1, "it was asked"
            assert (reply.provider, said, reply.ok) == ("scripted", "It is a scripted answer.", True)

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mode", BREAKS_OFF)
def test_an_answer_that_breaks_off_ends_in_an_honest_sentence(kind: type[ServedDouble], mode: str) -> None:
    async def run() -> None:
        async with served(kind(mode)) as double:
            small = ScriptedModel()
            reply, said = await ask(model_of(double), small)
            assert said == f"Because of scattering. {module.BROKE_OFF}"
            assert not reply.ok and small.asked == []

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mode", ["slow", "stuck", "endless"])
def test_the_deadline_is_for_the_whole_answer_whoever_is_asked(kind: type[ServedDouble], mode: str) -> None:
    """Were each model given all of it, this would take 200 s."""

    async def run() -> None:
        async with served(kind(mode)) as double:
            patient = {"first_piece_s": 100.0, "idle_s": 100.0}
            async with asyncio.timeout(30):
                reply, said = await ask(*[model_of(double, **patient) for _ in range(2)], answer_deadline_s=0.5)
            assert not reply.ok and said.endswith((module.FAILED, module.BROKE_OFF))

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
def test_an_endless_answer_is_cut_off(kind: type[ServedDouble]) -> None:
    async def run() -> None:
        async with served(kind("endless")) as double:
            reply, said = await ask(model_of(double))
            assert not reply.ok and said.endswith(module.BROKE_OFF) and len(said) < 20_000
            await asyncio.wait_for(double.gone.wait(), 5)

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
def test_signs_that_were_cut_in_two_are_joined_and_what_cannot_be_kept_is_left_out(kind: type[ServedDouble]) -> None:
    async def run() -> None:
        async with served(kind("halves")) as double:
            reply, said = await ask(model_of(double))
            assert reply.ok and said == "".join(reply.said) == "Yes 😀 and  no ."

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
def test_closing_the_answer_hangs_up_and_blames_nobody(kind: type[ServedDouble]) -> None:
    async def run() -> None:
        async with served(kind("endless")) as double:
            model = model_of(double)
            reply = await Assistant([model]).answer(request(ASKED), MemoryHome())
            await anext(reply.pieces)
            await reply.pieces.aclose()  # type: ignore[attr-defined]
            await asyncio.wait_for(double.gone.wait(), 5)
            assert (await model.available()).ok and model.answered

    asyncio.run(run())


def test_nobody_there_is_said() -> None:
    async def run() -> None:
        model = Careful(OpenAIModel("http://127.0.0.1:1/v1", headers=bearer), look_s=5)
        found = await model.available()
        assert not found.ok and "cannot be reached" in found.reason

    asyncio.run(run())


# Being left alone


def test_after_an_outage_it_is_left_alone_and_then_tried_by_one() -> None:
    async def run() -> None:
        clock = Clock()
        async with served(OpenAIDouble("slow")) as double:
            model = model_of(double, mono_s=clock, chance=lambda: 0.0)
            with pytest.raises(DeadlineExceeded):
                await drained(model)
            double.mode = "answers"
            clock.now += 29
            found = await model.available()
            assert not found.ok and "left alone" in found.reason and not model.answered
            with pytest.raises(Overloaded):
                await drained(model)
            assert len(double.asked) == 1
            clock.now += 2
            assert (await model.available()).ok
            assert await drained(model) and (await model.available()).ok and model.answered

    asyncio.run(run())


def test_a_server_that_says_when_is_asked_again_then() -> None:
    async def run() -> None:
        clock = Clock()
        async with served(OpenAIDouble("throttled_429", retry_after="50")) as double:
            model = model_of(double, mono_s=clock, chance=lambda: 0.0)
            with pytest.raises(Overloaded):
                await drained(model)
            clock.now += 49
            assert not (await model.available()).ok
            clock.now += 2
            assert (await model.available()).ok

    asyncio.run(run())


def test_a_single_failure_is_forgiven_and_three_in_a_row_are_not() -> None:
    async def run() -> None:
        clock = Clock()
        async with served(OpenAIDouble("failed_500")) as double:
            model = model_of(double, mono_s=clock)
            for _ in range(3):
                assert (await model.available()).ok
                with pytest.raises(JarvisError):
                    await drained(model)
            assert not (await model.available()).ok

    asyncio.run(run())


def test_only_so_many_are_asked_for_at_once() -> None:
    async def run() -> None:
        async with served(OpenAIDouble("waits")) as double:
            model = model_of(double, at_once=1, first_piece_s=20)
            first = asyncio.create_task(drained(model))
            await asyncio.wait_for(double.begun.wait(), 5)
            with pytest.raises(Overloaded, match="busy"):
                await drained(model)
            double.let_go.set()
            assert await asyncio.wait_for(first, 5)
            assert await drained(model) and len(double.asked) == 2

    asyncio.run(run())


@pytest.mark.parametrize("where", ["look", "answer"])
def test_a_model_that_raises_whatever_it_likes_costs_nothing_but_itself(where: str) -> None:
    class Wild(ScriptedModel):
        async def available(self) -> Availability:
            if where == "look":
                raise KeyError("some secret")
            return await super().available()

    async def run() -> None:
        wild = Careful(Wild([], KeyError("some secret"), name="wild"))  # type: ignore[arg-type]
        reply, said = await ask(wild, ScriptedModel())
        assert (reply.provider, said) == ("scripted", "It is a scripted answer.")
        assert where == "answer" or "secret" not in (await wild.available()).reason

    asyncio.run(run())


# Too long, models, keys


@pytest.mark.parametrize("kind", BOTH)
def test_a_conversation_that_is_too_long_loses_its_oldest_half(kind: type[ServedDouble]) -> None:
    async def run() -> None:
        async with served(kind()) as double:
            double.window_messages = 4
            turns = [turn(f"Question {number}") for number in range(8)]
            reply = await Assistant([model_of(double)]).answer(request(ASKED, *turns), MemoryHome())
            assert await whole(reply) == "Because of scattering. Blue scatters most."
            assert len(double.asked) > 1 and double.asked[-1]["messages"][-1]["content"] == ASKED
            double.window_messages = 0
            with pytest.raises(InvalidInput):
                await drained(model_of(double))

    asyncio.run(run())


def test_what_a_model_counts_decides_how_much_it_is_given() -> None:
    """The double says 57 tokens for whatever it is given: far fewer than estimated."""

    async def run() -> None:
        async with served(OpenAIDouble()) as double:
            assistant = Assistant([model_of(double)])
            turns = [turn("word " * 300, "Yes. " * 300) for _ in range(30)]
            for _ in range(2):
                await whole(await assistant.answer(request(ASKED, *turns), MemoryHome()))
            first, second = (len(asked["messages"]) for asked in double.asked)
            assert second > first

    asyncio.run(run())


def test_a_server_of_one_model_needs_none_to_be_set() -> None:
    async def run() -> None:
        async with served(OpenAIDouble()) as double:
            model = Careful(OpenAIModel(double.url + "/v1"))
            assert (await model.available()).model == "some-model"
            assert (await model.available()).ok and double.looked == 1
            assert await drained(model) and double.asked[0]["model"] == "some-model"
            assert "Authorization" not in double.headers[0]
            for mode in ("slow_models", "garbage_models"):
                double.mode = mode
                assert not (await Careful(OpenAIModel(double.url + "/v1"), look_s=0.3).available()).ok, mode
            double.mode, double.models = "answers", []
            assert "has no model" in (await Careful(OpenAIModel(double.url + "/v1")).available()).reason

    asyncio.run(run())


def test_a_key_never_goes_over_a_line_that_others_read() -> None:
    async def run() -> None:
        for url in ("http://192.0.2.1:8080/v1", "http://models.example/v1"):
            found = await OpenAIModel(url, "m", headers=bearer).available()
            assert not found.ok and "http" in found.reason
            assert (await OpenAIModel(url, "m").available()).ok, "without a key there is none to lose"
        assert (await OpenAIModel("https://models.example/v1", "m", headers=bearer).available()).ok
        for url in ("", "models.example", "ftp://models.example", "http://", "http://[broken"):
            assert "address" in (await OpenAIModel(url, "m").available()).reason
        assert "no key" in (await AnthropicModel("m").available()).reason

    asyncio.run(run())


def test_what_leaves_the_device_is_known() -> None:
    for url, leaves in {
        "http://127.0.0.1:8080": False,
        "http://[::1]:8080": False,
        "http://localhost": False,
        "http://192.168.1.7": True,
        "https://api.example": True,
        "http://localhost.example": True,
    }.items():
        assert Calls("x", url, dict).elsewhere is leaves, url


def test_a_private_question_is_not_asked_elsewhere() -> None:
    async def run() -> None:
        far, here = ScriptedModel(name="far"), ScriptedModel(name="here")
        far.elsewhere = True  # type: ignore[attr-defined]
        private = request(ASKED)
        private = type(private)(private.text, private.room, private=True)
        reply = await Assistant([Careful(far), here]).answer(private, MemoryHome())
        assert await whole(reply) and reply.provider == "here" and far.asked == []

    asyncio.run(run())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mode", [*NEVER_BEGINS, *BREAKS_OFF])
def test_no_fault_shows_the_key_or_the_question(
    kind: type[ServedDouble], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def run() -> str:
        async with served(kind(mode)) as double:
            model = model_of(double, first_piece_s=0.1, idle_s=0.1)
            with structlog.testing.capture_logs() as logged:
                _, said = await ask(model)
            status = await Assistant([model]).models.statuses()
            try:
                await drained(model)
            except JarvisError as error:
                return f"{said} {logged} {status} {error!r} {error.fix} {error.__cause__} {vars(model)}"
        return f"{said} {logged} {status}"

    seen = asyncio.run(run()) + caplog.text
    assert KEY not in seen and ASKED not in seen


def test_a_refused_key_is_named_as_such() -> None:
    async def run() -> None:
        async with served(AnthropicDouble("refused_401")) as double:
            model = model_of(double)
            with pytest.raises(NotAllowed, match="refuses the key"):
                await drained(model)
            assert "refuses the key" in (await model.available()).reason

    asyncio.run(run())


def test_docs_say_where_keys_come_from() -> None:
    text = (Path(__file__).parents[2] / "docs" / "assistant.md").read_text(encoding="utf-8")
    for word in ("JARVIS_LLM_", "_KEY_FILE", "key_file", "LoadCredential", "[[llm]]"):
        assert word in text
