"""The embedded language model: the real llama.cpp in a real worker process, with the real small model."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from jarvis.assistant import replies as module
from jarvis.assistant.assistant import Assistant
from jarvis.assistant.providers.llama_model import CONTEXT_TOKENS, MODEL, LlamaModel, llama_worker
from jarvis.core.errors import EngineFailed, InvalidInput, JarvisError, Missing
from jarvis.engines.worker import Worker
from jarvis.models import cache
from tests.assistant.homes import MemoryHome, request, turn, whole

HELLO = [{"role": "user", "content": "Hello!"}]
LONG_STORY = [{"role": "user", "content": "Tell me a very long story about a fox, a river and a winter."}]


def folder() -> Path:
    try:
        return cache.locate(MODEL)
    except Missing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error} {error.fix}")


def with_worker(body: Callable[[Worker], Awaitable[None]]) -> None:
    async def run() -> None:
        worker = llama_worker(folder())
        try:
            await worker.start()
            await body(worker)
        finally:
            await worker.close()

    asyncio.run(run())


def patient(worker: Worker) -> LlamaModel:
    """Tests share the machine with other work, and nobody waits for the answer."""
    return LlamaModel(worker, idle_s=60)


async def complete(worker: Worker, messages: list[dict[str, str]], max_tokens: int = 24) -> str:
    pieces = patient(worker).complete(messages, max_tokens=max_tokens, deadline_s=60)
    return "".join([piece async for piece in pieces])


@pytest.mark.models
def test_it_streams_and_answers_one_request_after_another() -> None:
    async def body(worker: Worker) -> None:
        stamps = []
        async for piece in patient(worker).complete(LONG_STORY, max_tokens=60, deadline_s=60):
            assert piece
            stamps.append(time.monotonic())
        assert len(stamps) > 20, "token by token, not all at once"
        assert stamps[-1] - stamps[0] > 0.01
        first = worker.pid
        assert await complete(worker, HELLO) and await complete(worker, HELLO)
        assert worker.pid == first and worker.restarts == 0

    with_worker(body)


@pytest.mark.models
def test_two_requests_at_once_are_answered_in_turn() -> None:
    async def body(worker: Worker) -> None:
        answers = await asyncio.gather(complete(worker, HELLO), complete(worker, LONG_STORY))
        assert all(answers) and worker.restarts == 0

    with_worker(body)


@pytest.mark.models
def test_closing_the_stream_cancels_the_work() -> None:
    async def body(worker: Worker) -> None:
        whole_began = time.monotonic()
        await complete(worker, LONG_STORY, max_tokens=300)
        whole_s = time.monotonic() - whole_began
        stream = patient(worker).complete(LONG_STORY, max_tokens=300, deadline_s=60)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        began = time.monotonic()
        assert await complete(worker, HELLO, max_tokens=1)  # waits for the one before, had it not been cancelled
        assert time.monotonic() - began < whole_s / 2
        assert worker.restarts == 0

    with_worker(body)


@pytest.mark.models
def test_a_worker_killed_in_mid_answer_gives_the_honest_sentence_and_the_next_answer_works() -> None:
    async def body(worker: Worker) -> None:
        model = patient(worker)
        model.max_tokens = 600  # several seconds of writing
        assistant = Assistant([model])
        reply = await assistant.answer(request("Tell me a very long story about a fox and a river."), MemoryHome())
        said = [await anext(reply.pieces)]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        said += [piece async for piece in reply.pieces]
        assert said[-1] == module.BROKE_OFF and not reply.ok and reply.provider == "llama.cpp"
        again = await assistant.answer(request("Say hello to me."), MemoryHome())
        assert await whole(again) and again.ok

    with_worker(body)


@pytest.mark.models
def test_a_long_session_stays_within_the_window() -> None:
    async def body(worker: Worker) -> None:
        # A script the model hardly knows costs far more tokens than estimated: the engine must drop the oldest.
        turns = [turn(f"{number} " + "ꙮ" * 60, "ꙮ " * 30) for number in range(60)]
        model = patient(worker)
        model.max_tokens = 16
        reply = await Assistant([model]).answer(request("Tell me about cats.", *turns), MemoryHome())
        assert await whole(reply) and reply.ok
        with pytest.raises(InvalidInput, match="too long"):
            await complete(worker, [{"role": "user", "content": "word " * 2 * CONTEXT_TOKENS}])
        assert await complete(worker, HELLO) and worker.restarts == 0

    with_worker(body)


@pytest.mark.models
def test_its_http_port_answers_nobody() -> None:
    """llama.cpp opens one on loopback whatever one sets: without the key it must tell nothing and do nothing."""

    async def body(worker: Worker) -> None:
        import aiohttp

        await complete(worker, [{"role": "user", "content": "The secret word is swordfish."}])
        ports = _listening_ports(worker.pid or 0)
        assert ports, "if it no longer opens one, this test and its keys can go"
        async with aiohttp.ClientSession() as session:
            for port in ports:
                url = f"http://127.0.0.1:{port}"
                for path in ("/slots", "/props", "/metrics", "/v1/chat/completions", "/completion", "/tokenize", "/"):
                    for method in ("get", "post"):
                        async with session.request(method, url + path, json={"prompt": "x"}) as response:
                            assert response.status >= 400, (method, path)
                            assert "swordfish" not in await response.text()

    with_worker(body)


def _listening_ports(pid: int) -> list[int]:
    """From Linux's tables: the sockets of this process that listen on TCP."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(entry.readlink()).removeprefix("socket:[").rstrip("]"))
        except OSError:
            continue
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]


def test_a_file_that_is_not_there_or_no_model_is_said(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")

    async def error_of(path: Path) -> JarvisError:
        worker = llama_worker(path)
        try:
            with pytest.raises(JarvisError) as raised:
                await worker.start()
        finally:
            await worker.close()
        return raised.value

    assert isinstance(asyncio.run(error_of(tmp_path)), Missing)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    assert isinstance(asyncio.run(error_of(broken)), EngineFailed)


class FailingWorker:
    """Answers like a worker whose child died twice."""

    state = "failed"

    async def stream(self, method: str, *args: object, deadline_s: float, idle_s: float) -> AsyncIterator[str]:
        raise EngineFailed("The llm engine failed.")
        yield ""


def test_a_worker_that_cannot_be_started_is_apologised_for() -> None:
    async def run() -> None:
        reply = await Assistant([LlamaModel(FailingWorker())]).answer(request("Tell me a joke"), MemoryHome())
        assert await whole(reply) == module.FAILED and not reply.ok

    asyncio.run(run())
