"""A node ends when it is told to, within five seconds and without a child left behind, whatever it is doing; and a
model that dies costs one answer."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jarvis.api import runtime
from jarvis.core.errors import JarvisError, Missing
from jarvis.models import cache
from jarvis.testing.processes import STOP_S, NodeProcess, is_alive, until
from tests.node.conftest import Home

LONG = "Tell me a very long story about a fox, a river and a winter."
ENDS = [(signal.SIGTERM, 0), (signal.SIGINT, 130)]


@pytest.fixture
def models(home: Home) -> dict[str, str]:
    """The environment of nodes that have the real models; skips where they are absent."""
    try:
        cache.locate("smollm2-135m")
        cache.locate("whisper-tiny.en")
    except Missing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    return {"JARVIS_MODELS_DIR": str(cache.cache_dir())}


def worker_of(node: NodeProcess, target: str) -> int:
    """The child whose command names this engine; 0 while there is none."""
    for pid in node.descendants():
        try:
            if target.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:
            continue
    return 0


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_it_ends_when_told_with_links_open(home: Home, number: signal.Signals, code: int) -> None:
    kitchen, bedroom = home.pair()
    runtime_file = kitchen.data_dir / "run" / "api.json"
    assert runtime_file.exists()
    assert kitchen.stop(number) == code
    assert not runtime_file.exists()
    until(lambda: bedroom.connected() == 0, 2, "the goodbye")
    assert not kitchen.logged("net.link_failed") and "Traceback" not in kitchen.stderr
    assert bedroom.stop(number) == code


def test_it_ends_with_listeners_and_callers_that_never_leave(home: Home) -> None:
    """Open event sockets, a request whose body never comes, and one connection that says nothing at all."""
    kitchen, _ = home.pair()

    async def main() -> float:
        found = runtime.read(kitchen.data_dir)
        assert found is not None
        headers = {"Authorization": f"Bearer {found.token}"}
        host, _, port = found.api_url.removeprefix("http://").partition(":")
        async with aiohttp.ClientSession(headers=headers) as session:
            sockets = [await session.ws_connect(f"{found.api_url}/api/v2/events") for _ in range(3)]
            for socket in sockets:
                assert (await socket.receive_json())["event"] == "subscribed"
            _silent, silent = await asyncio.open_connection(host, int(port))
            _half, half = await asyncio.open_connection(host, int(port))
            token = f"Authorization: Bearer {found.token}\r\nContent-Length: 900\r\n"
            half.write(f"POST /api/v2/chat HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}\r\n{{".encode())
            await half.drain()
            began = time.monotonic()
            assert await asyncio.to_thread(kitchen.stop) == 0
            took_s = time.monotonic() - began
            silent.close()
            half.close()
        return took_s

    assert asyncio.run(main()) < STOP_S


@pytest.mark.models
@pytest.mark.parametrize(("number", "code"), ENDS)
def test_it_ends_in_mid_answer_and_takes_its_workers_along(
    home: Home, models: dict[str, str], number: signal.Signals, code: int
) -> None:
    kitchen = home.node("kitchen", env=models)
    kitchen.start()
    threads = [
        threading.Thread(target=attempt, args=(kitchen, path, more))
        for path, more in (
            ("/api/v2/chat", {"body": {"text": LONG}}),
            ("/api/v2/voice/say", {"body": {"text": "The story begins in a winter."}}),
        )
    ]
    for thread in threads:
        thread.start()
    children = [
        until(lambda: worker_of(kitchen, "llama_engine"), 20, "the language model's worker"),
        until(lambda: worker_of(kitchen, "PiperEngine"), 20, "the voice's worker"),
    ]
    assert kitchen.stop(number) == code
    for thread in threads:
        thread.join(10)
    until(lambda: not any(map(is_alive, children)), 2, "the end of every child")
    kitchen.start()
    assert kitchen.get("/api/v2/audit/verification")["ok"]
    assert kitchen.get("/api/v2/sessions")[0]["title"].startswith("Tell me a very long story"), "what was heard is kept"


@pytest.mark.models
def test_a_killed_node_leaves_no_worker(home: Home, models: dict[str, str]) -> None:
    kitchen = home.node("kitchen", env=models)
    kitchen.start()
    thread = threading.Thread(target=attempt, args=(kitchen, "/api/v2/chat", {"body": {"text": LONG}}))
    thread.start()
    child = until(lambda: worker_of(kitchen, "llama_engine"), 20, "the language model's worker")
    kitchen.kill()
    until(lambda: not is_alive(child), 3, "the end of its child")
    thread.join(10)


@pytest.mark.models
def test_a_language_model_killed_in_mid_answer_costs_one_answer(home: Home, models: dict[str, str]) -> None:
    kitchen = home.node("kitchen", env=models)
    kitchen.start()
    assert kitchen.ask("Hello there, how are you?")["provider"] == "llama.cpp"
    pid = worker_of(kitchen, "llama_engine")
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(kitchen.ask(LONG, session="new")))
    asking.start()
    # Once the turn is there, the model is at work on its reply.
    session = until(
        lambda: next((row for row in kitchen.get("/api/v2/sessions") if row["title"].startswith("Tell me")), None),
        10,
        "the turn",
    )["session_id"]
    if asking.is_alive():
        os.kill(pid, signal.SIGKILL)
    asking.join(60)
    (answer,) = answers
    assert answer["reply"], "never silence"
    turns = kitchen.get(f"/api/v2/sessions/{session}")["turns"]
    assert [turn["text"] for turn in turns] == [LONG, answer["reply"]]
    assert turns[-1]["status"] in ("answered", "failed")
    until(lambda: not is_alive(pid), 2, "the death of the worker")
    assert kitchen.ask("What time is it?")["reply"].startswith("It's")
    after = kitchen.ask("Hello there, how are you?", session="new")
    assert after["provider"] == "llama.cpp" and after["reply"] and "Sorry" not in after["reply"]
    assert worker_of(kitchen, "llama_engine") not in (0, pid)


@pytest.mark.models
def test_a_language_model_that_dies_each_time_is_told_honestly(home: Home, models: dict[str, str]) -> None:
    kitchen = home.node("kitchen", env=models)
    kitchen.start()
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(kitchen.ask(LONG)))
    asking.start()
    killed: set[int] = set()
    while asking.is_alive():
        pid = worker_of(kitchen, "llama_engine")
        if pid and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        asking.join(0.02)
    (answer,) = answers
    assert answer["reply"].startswith("Sorry") and answer["source"] == "llm"
    assert len(killed) == 2, "one restart, not more"
    after = kitchen.ask("Hello there, how are you?")
    assert after["provider"] == "llama.cpp" and "Sorry" not in after["reply"]


def attempt(node: NodeProcess, path: str, more: dict[str, Any]) -> None:
    """A call whose node goes away."""
    try:
        node.call("POST", path, deadline_s=30.0, **more)
    except JarvisError:
        return
