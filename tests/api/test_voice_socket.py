"""The WebSocket of voice clients, with a node that is scripted: who may come in, what goes to and fro, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jarvis.api.server import ApiServer
from jarvis.core.errors import NotFound, Overloaded
from tests.api.double import TOKEN, ScriptedNode

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/api/v2/voice"


class Echo:
    """Gives back what it hears."""

    def __init__(self, fails: Exception | None) -> None:
        self.fails = fails
        self.out: asyncio.Queue[Any] = asyncio.Queue(64)
        self.ended, self.cancelled = asyncio.Event(), asyncio.Event()

    async def feed(self, pcm: bytes) -> None:
        await self.out.put({"event": "heard", "bytes": len(pcm)})
        await self.out.put(pcm)

    async def end(self) -> None:
        self.ended.set()

    async def messages(self) -> AsyncIterator[Any]:
        while (message := await self.out.get()) is not None:
            yield message

    async def run(self) -> None:
        if self.fails:
            raise self.fails
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await self.out.put(None)


class Node(ScriptedNode):
    refuses: Exception | None = None
    fails: Exception | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.calls: list[Echo] = []
        self.hellos: list[dict[str, Any]] = []

    async def converse(self, **hello: Any) -> Echo:
        if self.refuses:
            raise self.refuses
        self.hellos.append(hello)
        self.calls.append(Echo(self.fails))
        return self.calls[-1]


def tell(path: Path, story: Callable[[aiohttp.ClientSession, Node], Awaitable[None]]) -> None:
    async def main() -> None:
        node = Node(path)
        server = ApiServer(node, token=TOKEN)
        url = await server.start()
        try:
            async with aiohttp.ClientSession(url, headers=BEARER) as session, asyncio.timeout(20):
                await story(session, node)
        finally:
            await server.close()

    asyncio.run(main())


def test_sound_goes_in_and_events_and_sound_come_out(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        async with session.ws_connect(PATH) as socket:
            await socket.send_json({"rate_hz": 48_000, "session": "room", "wake": False, "room": "study"})
            assert (await socket.receive_json())["event"] == "ready"
            await socket.send_bytes(b"abcd")
            assert await socket.receive_json() == {"event": "heard", "bytes": 4}
            assert await socket.receive_bytes() == b"abcd"
            await socket.send_json({"event": "end"})
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1000
        hello = {"rate_hz": 48_000, "session": "room", "wake": False, "room": "study"}
        assert node.hellos == [{**hello, "realtime": True, "private": False}]

    tell(tmp_path, story)


def test_strangers_and_other_requests_stay_outside(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(PATH, headers={"Authorization": "Bearer no"})
        assert caught.value.status == 401
        async with session.get(PATH) as answer:
            assert answer.status == 400 and "WebSocket" in (await answer.json())["detail"]
        assert not node.calls

    tell(tmp_path, story)


def test_who_leaves_ends_its_own_call(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        sockets = [await session.ws_connect(PATH) for _ in range(2)]
        for socket in sockets:
            await socket.send_json({"rate_hz": 16_000})
            await socket.receive_json()
        await sockets[0].close()
        await node.calls[0].cancelled.wait()
        await sockets[1].send_bytes(b"ab")
        assert (await sockets[1].receive_json())["bytes"] == 2 and not node.calls[1].cancelled.is_set()
        await sockets[1].close()

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("where", "error", "code"),
    [("refuses", NotFound("There is no session 'a'."), 1008), ("fails", Overloaded("Too much.", fix="Wait."), 1013)],
)
def test_what_goes_wrong_is_said_before_it_closes(tmp_path: Path, where: str, error: Exception, code: int) -> None:
    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        setattr(node, where, error)
        async with session.ws_connect(PATH) as socket:
            await socket.send_json({"rate_hz": 16_000})
            messages = [message.json() async for message in socket]
            assert messages[-1]["event"] == "error" and messages[-1]["detail"] == str(error)
            assert socket.close_code == code

    tell(tmp_path, story)


def test_who_says_no_hello_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.api.voice.HELLO_S", 0.05)

    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        async with session.ws_connect(PATH) as socket:
            assert (await socket.receive_json())["detail"] == "No hello came."

    tell(tmp_path, story)


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.api.voice.SEND_S", 0.2)

    async def story(session: aiohttp.ClientSession, node: Node) -> None:
        async with session.ws_connect(PATH) as socket:
            await socket.send_json({"rate_hz": 16_000})
            await socket.receive_json()
            flood = asyncio.create_task(_flood(node.calls[0]))
            await node.calls[0].cancelled.wait()
            flood.cancel()

    async def _flood(call: Echo) -> None:
        while True:
            await call.out.put(bytes(60_000))

    tell(tmp_path, story)


def test_the_node_s_end_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        node = Node(tmp_path)
        server = ApiServer(node, token=TOKEN)
        url = await server.start()
        async with (
            aiohttp.ClientSession(url, headers=BEARER) as session,
            asyncio.timeout(20),
            session.ws_connect(PATH) as socket,
        ):
            await socket.send_json({"rate_hz": 16_000})
            await socket.receive_json()
            await server.close()
            message = await socket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)

    asyncio.run(main())
