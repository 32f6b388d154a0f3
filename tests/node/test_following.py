"""A conversation follows its people: a node is killed in mid-reply, and the next room goes on with what was said; other
rooms stay out of it while somebody is at it. Real processes, with a language model that stops in the middle."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from jarvis.core.errors import JarvisError
from jarvis.models import cache
from jarvis.testing.processes import NodeProcess, until
from tests.assistant.ollama_double import OllamaDouble, ollama
from tests.node.conftest import Home
from tests.node.speaking import file_of, spoken, voice_needed, wake
from tests.node.test_private_rooms import Listener

QUESTION = "Tell me a joke about the sky."
WITHIN_S = 15.0


@contextmanager
def model(mode: str) -> Iterator[OllamaDouble]:
    """A language model in a thread of its own."""
    made: list[OllamaDouble] = []
    ready, over = threading.Event(), threading.Event()

    async def main() -> None:
        async with ollama("llama3.2:1b", mode=mode) as double:
            made.append(double)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(WITHIN_S)
        yield made[0]
    finally:
        over.set()
        thread.join(WITHIN_S)


class Asking(threading.Thread):
    """Somebody asks, and hangs on until the node is gone."""

    def __init__(self, node: NodeProcess, text: str) -> None:
        super().__init__()
        self._node, self._text = node, text
        self.start()

    def run(self) -> None:
        with suppress(JarvisError):
            self._node.ask(self._text)


def test_a_room_killed_in_mid_reply_takes_no_context_along(home: Home) -> None:
    with model("stuck") as thinking:
        env = {"JARVIS_OLLAMA_URL": thinking.url}
        kitchen = home.node("kitchen", env=env)
        bedroom = home.node("bedroom", "--peer", home.address("kitchen"), env=env)
        kitchen.start()
        bedroom.start()
        until(lambda: kitchen.connected() == bedroom.connected() == 1, WITHIN_S, "the link")
        first = kitchen.ask("Remember that the moon is a rock.")
        listener = Listener(bedroom)
        try:
            asking = Asking(kitchen, QUESTION)
            until(lambda: "Because of scattering." in str(listener.remote()), WITHIN_S, "a sentence in the bedroom")
            until(lambda: QUESTION in bedroom.texts(first["session_id"]), WITHIN_S, "the question in the bedroom")
            meanwhile = bedroom.ask("What time is it?")
            assert meanwhile["session_id"] != first["session_id"], "the kitchen is in the middle of it"
            bedroom.call("DELETE", f"/api/v2/sessions/{meanwhile['session_id']}")
            killed = time.monotonic()
            kitchen.kill()
            asking.join(WITHIN_S)
            until(lambda: bedroom.connected() == 0, WITHIN_S, "the bedroom notices")
            after = bedroom.ask("What did I just ask you?")
            took_ms = (time.monotonic() - killed) * 1000
        finally:
            listener.close()
        assert after["session_id"] == first["session_id"]
        assert QUESTION in after["reply"] and "kitchen" in after["reply"]
        assert bedroom.texts(first["session_id"])[:2] == ["Remember that the moon is a rock.", QUESTION]
        print(f"the next room answered with the context {took_ms:.0f} ms after the kill")

        kitchen.start()
        until(lambda: kitchen.connected() == 1, WITHIN_S, "the link again")
        shown = kitchen.get(f"/api/v2/sessions/{first['session_id']}")["turns"]
        statuses = {row["text"]: row["status"] for row in shown if row["role"] == "user"}
        assert statuses[QUESTION] == "interrupted", "and it knows that it never answered"


def test_continue_in_another_room_is_said_and_done(home: Home) -> None:
    kitchen, bedroom = home.pair()
    there = bedroom.ask("What day is it?", session="new")["session_id"]
    here = kitchen.ask("What time is it?", session="new")["session_id"]
    moved = kitchen.ask("Let's continue in the bedroom.")
    assert moved["session_id"] == here and moved["reply"] == "Okay, let's continue in the bedroom."
    until(lambda: len(bedroom.texts(here)) == 2, WITHIN_S, "the session in the bedroom")
    assert bedroom.ask("What did I ask you in the kitchen?")["session_id"] == here != there
    taken = kitchen.ask("Go back to what I said in the bedroom")
    assert taken["session_id"] in (here, there) and "In the bedroom you said" in taken["reply"]


@pytest.mark.models
def test_the_next_wake_in_another_room_goes_on_where_a_killed_one_was(home: Home) -> None:
    voice_needed()
    sound = file_of(wake(), *spoken("What did I just ask you?"))
    with model("stuck") as thinking:
        kitchen = home.node("kitchen", env={"JARVIS_OLLAMA_URL": thinking.url})
        bedroom = home.node(
            *("bedroom", "--peer", home.address("kitchen")), env={"JARVIS_MODELS_DIR": str(cache.cache_dir())}
        )
        kitchen.start()
        bedroom.start()
        until(lambda: kitchen.connected() == bedroom.connected() == 1, WITHIN_S, "the link")
        asking = Asking(kitchen, QUESTION)
        until(lambda: any(QUESTION in str(row) for row in bedroom.get("/api/v2/sessions")), WITHIN_S, "the question")
        kitchen.kill()
        asking.join(WITHIN_S)
        until(lambda: bedroom.connected() == 0, WITHIN_S, "the bedroom notices")
        heard = bedroom.call("POST", "/api/v2/voice", query={"wake": True}, audio=sound, deadline_s=60)
    assert heard["wake"] and heard["session_id"] == bedroom.get("/api/v2/sessions")[0]["session_id"]
    assert QUESTION in heard["reply"], heard
