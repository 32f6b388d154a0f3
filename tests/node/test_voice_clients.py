"""Several sources at once on one node: clients over WebSockets and a sound file, each with another sentence at another
rate. No text, event or session of one is seen by another; what hangs costs the others nothing. Real models."""

from __future__ import annotations

import asyncio
import difflib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jarvis.api import runtime
from jarvis.models import cache
from jarvis.testing.processes import NodeProcess
from tests.node.conftest import Home
from tests.node.speaking import file_of, spoken, voice_needed, wake

pytestmark = pytest.mark.models
np = pytest.importorskip("numpy")
WITHIN_S = 60.0
SENTENCES = {
    "What time is it?": (8_000, "time"),
    "What day is it today?": (16_000, "date"),
    "Set a timer for seven minutes.": (22_050, "timer_set"),
    "Who are you?": (44_100, "who_are_you"),
    "What can you do?": (48_000, "what_can_you_do"),
    "Cancel all timers.": (96_000, "timer_cancel"),
}
FILE = "What did I just ask you?"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, founded: Path, quiet: dict[str, str]) -> Iterator[NodeProcess]:
    voice_needed()
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(founded / "kitchen", folder / "kitchen")
    home = Home(folder, quiet)
    node = home.node("kitchen", env={"JARVIS_MODELS_DIR": str(cache.cache_dir())})
    node.start()
    yield node
    home.close()


def said(text: str, rate_hz: int = 16_000) -> Any:
    """With silence around it, as int16 at a rate."""
    import soxr

    samples = soxr.resample(spoken(text)[0], 16_000, rate_hz)
    return np.concatenate([np.zeros(rate_hz // 2, np.int16), samples, np.zeros(rate_hz * 3 // 2, np.int16)])


@dataclass
class Client:
    """A voice client's end of the WebSocket."""

    socket: aiohttp.ClientWebSocketResponse
    rate_hz: int
    events: list[dict[str, Any]] = field(default_factory=list)
    sound_bytes: int = 0

    async def say(self, samples: Any) -> None:
        for start in range(0, len(samples), self.rate_hz // 10):
            await self.socket.send_bytes(samples[start : start + self.rate_hz // 10].astype("<i2").tobytes())

    async def end(self) -> None:
        await self.socket.send_json({"event": "end"})
        await self.until("")

    async def until(self, name: str) -> dict[str, Any] | None:
        """The next event of this name; None when the node closes first."""
        async with asyncio.timeout(WITHIN_S):
            async for message in self.socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    self.sound_bytes += len(message.data)
                    continue
                event = json.loads(message.data)
                self.events.append(event)
                if event["event"] == name:
                    return event
        return None

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


class Clients:
    """Makes them, all in one HTTP session."""

    def __init__(self, node: NodeProcess) -> None:
        found = runtime.read(node.data_dir)
        assert found is not None
        self._url = f"{found.api_url}/api/v2/voice"
        self._headers = {"Authorization": f"Bearer {found.token}"}

    async def __aenter__(self) -> Clients:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def hello(self, rate_hz: int, **more: Any) -> Client:
        client = Client(await self._session.ws_connect(self._url), rate_hz)
        await client.socket.send_json({"rate_hz": rate_hz, "realtime": False, **more})
        assert await client.until("ready"), client.events
        return client


def nearest(text: str) -> str:
    """The sentence that this is most like: a recogniser may miss a word."""
    return max(SENTENCES, key=lambda one: difflib.SequenceMatcher(None, one.lower(), text.lower()).ratio())


def test_six_clients_and_a_file_at_once_hear_nothing_of_each_other(node: NodeProcess) -> None:
    (file,) = spoken(FILE, *SENTENCES)[:1]
    sounds = {text: said(text, rate_hz) for text, (rate_hz, _) in SENTENCES.items()}
    node.ask("What is in the kitchen?", session="new")

    async def one(clients: Clients, text: str) -> Client:
        client = await clients.hello(SENTENCES[text][0], wake=False)
        await client.say(sounds[text])
        await client.end()
        return client

    def hear() -> Any:
        return node.call("POST", "/api/v2/voice", query={"wake": False}, audio=file_of(file), deadline_s=WITHIN_S)

    async def main() -> tuple[list[Client], Any]:
        async with Clients(node) as clients:
            *made, heard = await asyncio.gather(*(one(clients, text) for text in SENTENCES), asyncio.to_thread(hear))
            return made, heard

    began = time.monotonic()
    made, heard = asyncio.run(main())
    took_s = time.monotonic() - began
    by_text = dict(zip(SENTENCES, made, strict=True))
    turns: dict[str, str] = {}
    for text, client in by_text.items():
        (turn,) = client.named("turn")
        assert nearest(turn["text"]) == text, "every client its own words"
        names = {event["turn"] for event in client.events if event["event"] in ("partial", "stt", "turn", "spoken")}
        assert names == {turn["turn"]}, "and events of its own turn only"
        (done,) = client.named("turn.done")
        assert done["status"] == "answered" and done["source"] == "intent" and client.sound_bytes > 10_000
        turns[turn["session_id"]] = text
        shown = node.get(f"/api/v2/sessions/{turn['session_id']}")["turns"]
        assert [row["text"] for row in shown] == [turn["text"], done["reply"]], "a session of its own, and whole"
    assert len(turns) == len(SENTENCES)
    assert heard["session_id"] not in turns and "What is in the kitchen?" in heard["reply"], "the room's goes on"
    seen = sum(len(client.events) for client in made)
    print(f"{len(made)} clients and a file at once: {seen} events, {len(turns) + 1} sessions, {took_s:.1f} s")


def test_each_client_has_a_follow_up_window_of_its_own(node: NodeProcess) -> None:
    asks, answers = said("Set a timer."), said("Nine minutes.")
    called = np.concatenate([wake(), asks[6_000:]])

    async def main() -> tuple[Client, Client]:
        async with Clients(node) as clients:
            first, second = await clients.hello(16_000), await clients.hello(16_000)
            await first.say(called)
            assert await first.until("spoken"), "it was asked back"
            await second.say(answers)
            await first.say(answers)
            assert await first.until("spoken")
            await asyncio.gather(first.end(), second.end())
            return first, second

    first, second = asyncio.run(main())
    asked, answered = first.named("turn.done")
    assert asked["reply"] == "For how long?" and answered["reply"] == "Timer set for 9 minutes."
    assert asked["session_id"] == answered["session_id"]
    assert not second.named("turn") and not second.sound_bytes, "nobody had said the wake word there"


def test_a_client_that_hangs_costs_the_others_nothing(node: NodeProcess) -> None:
    sound = said("What time is it?")

    async def main() -> tuple[Client, float]:
        async with Clients(node) as clients:
            silent = await clients.hello(16_000, wake=False)
            deaf = await clients.hello(16_000, wake=False)
            for _ in range(4):
                await deaf.say(sound)  # it never reads what it is told
            began = time.monotonic()
            client = await clients.hello(16_000, wake=False)
            await client.say(sound)
            await client.end()
            took_s = time.monotonic() - began
            await silent.socket.close()
            return client, took_s

    client, took_s = asyncio.run(main())
    assert [done["status"] for done in client.named("turn.done")] == ["answered"]
    print(f"answered in {took_s:.1f} s beside two that hang")


def test_private_clients_and_sessions_by_name(node: NodeProcess) -> None:
    sound = said("What day is it today?")
    known = node.ask("What time is it?", session="new")["session_id"]

    async def one(clients: Clients, **more: Any) -> Client:
        client = await clients.hello(16_000, wake=False, **more)
        await client.say(sound)
        await client.end()
        return client

    async def main() -> list[Client]:
        async with Clients(node) as clients:
            return [await one(clients, **more) for more in (
                {"private": True, "room": "study"}, {"session": known}, {"session": "room"},
            )]  # fmt: skip

    private, named, rooms = (client.named("turn")[0] for client in asyncio.run(main()))
    assert private["private"] and not named["private"]
    assert named["session_id"] == rooms["session_id"] == known, "the room's own open one is the newest"
    rows = {row["session_id"]: row for row in node.get("/api/v2/sessions")}
    assert rows[private["session_id"]]["private"] and rows[private["session_id"]]["room"] == "study"
    assert private["session_id"] not in str(node.get("/api/v2/audit")), "nobody else hears of it"


def test_what_makes_no_sense_is_said(node: NodeProcess) -> None:
    async def refused(clients: Clients, *messages: Any) -> dict[str, Any]:
        socket = await clients._session.ws_connect(clients._url)
        for message in messages:
            await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
        client = Client(socket, 16_000)
        error = await client.until("error")
        await client.until("")
        return {**(error or {}), "code": socket.close_code}

    hello = '{"rate_hz": 16000}'

    async def main() -> list[dict[str, Any]]:
        async with Clients(node) as clients:
            return [
                await refused(clients, *messages)
                for messages in (
                    ("not json",),
                    (b"\x00\x00",),
                    ('{"rate_hz": 4000}',),
                    ('{"rate_hz": 192000}',),
                    ('{"rate_hz": 16000, "colour": 1}',),
                    ('{"rate_hz": 16000, "session": "aaaa"}',),
                    (hello, b"\x00"),
                    (hello, '{"event": "what"}'),
                    (hello, "[" * 9_000),
                )
            ]

    for error in asyncio.run(main()):
        assert error["detail"] and "fix" in error and error["code"] == 1008, error


def test_more_than_eight_are_too_many_and_a_place_is_free_again(node: NodeProcess) -> None:
    async def main() -> None:
        async with Clients(node) as clients:
            made = [await clients.hello(16_000) for _ in range(8)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await clients.hello(16_000)
            assert refused.value.status == 429
            for client in made:
                await client.socket.close()
            async with asyncio.timeout(WITHIN_S):
                while True:
                    try:
                        await (await clients.hello(16_000)).socket.close()
                        return
                    except aiohttp.WSServerHandshakeError:
                        await asyncio.sleep(0.05)

    asyncio.run(main())
