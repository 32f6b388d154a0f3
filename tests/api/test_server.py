"""The API over real sockets against a scripted node: what it lets in, what it refuses, and how."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jarvis.api import incoming, runtime
from jarvis.api.route import BODY_BYTES
from jarvis.api.routes import ROUTES
from jarvis.api.server import ApiServer
from jarvis.core import errors
from tests.api.double import TOKEN, ScriptedNode, wav_bytes

BEARER = {"Authorization": f"Bearer {TOKEN}"}
Story = Callable[[aiohttp.ClientSession, ScriptedNode], Awaitable[None]]


def tell(tmp_path: Path, story: Story, node: ScriptedNode | None = None) -> None:
    """Run a story against a server, with the token unless the story says otherwise."""

    async def run() -> None:
        scripted = node or ScriptedNode(tmp_path)
        server = ApiServer(scripted, token=TOKEN)
        url = await server.start()
        try:
            async with aiohttp.ClientSession(url, headers=BEARER) as session, asyncio.timeout(20):
                await story(session, scripted)
        finally:
            await server.close()

    asyncio.run(run())


async def refused(answer: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/problem+json"
    problem = await answer.json(content_type=None)
    assert problem["status"] == status and problem["detail"]
    return problem


def _request_of(route: Any) -> tuple[str, dict[str, Any]]:
    """A request that the scripted node answers."""
    path = route.path.replace("{session}", "abc").replace("{key}", "a.b").replace("{timer}", "tt")
    path = path.replace("{node}", "hall").replace("{peer}", "ppp").replace("{note}", "shopping")
    path = path.replace("{engine}", "stt").replace("{document}", "ddd").replace("{plugin}", "dice")
    if "q" in route.query.model_fields:
        path += "?q=tea"
    if route.audio:
        return path, {"data": wav_bytes()}
    bodies = {
        "node": "hall",
        "phrase": "word",
        "text": "hi",
        "value": "1",
        "base": "milk",
        "edits": [{"position": 4, "insert": "!"}],
        "muted": True,
        "path": "/tea.md",
        "enabled": True,
    }
    fields = {name: bodies[name] for name in bodies if route.body and name in route.body.model_fields}
    return path, {"json": fields} if route.body else {}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_needs_the_token_and_gives_what_it_promises(route: Any, tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        path, rest = _request_of(route)
        if not route.open:
            for wrong in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
                async with session.request(route.method, path, headers={"Authorization": wrong}, **rest) as answer:
                    await refused(answer, 401)
            assert node.calls == []
        async with session.request(route.method, path, **rest) as answer:
            assert answer.status == 200, await answer.text()
            value = json.loads(await answer.content.readline()) if route.streams else await answer.json()
        for one in value if route.many else [value]:
            assert set(route.gives) <= set(one)
        assert value, "an empty answer proves nothing"

    tell(tmp_path, story)


def test_a_page_that_rebinds_its_name_is_refused(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:1"):
            async with session.get("/api/v2/nodes", headers={"Host": host}) as answer:
                await refused(answer, 403)
        for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:9"):
            async with session.get("/api/v2/nodes", headers={"Host": host}) as answer:
                assert answer.status == 200

    tell(tmp_path, story)


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    async def run() -> None:
        server = ApiServer(ScriptedNode(tmp_path), token=TOKEN)
        url = await server.start()
        try:
            assert url.startswith("http://127.0.0.1:")
        finally:
            await server.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "text"),
        (b"{}", "text"),
        (b"not json", "JSON"),
        (b"[" * 60_000, "JSON"),
        (b'{"text": 3}', "text"),
        (b'{"text": ""}', "text"),
        (b'{"text": "\\ud800"}', "JSON"),
        (b'{"text": "hi", "sesion": "x"}', "sesion"),
        (b'{"text": "' + b"a" * 9000 + b'"}', "text"),
        (b"\xff\xfe", "JSON"),
    ],
)
def test_a_body_that_breaks_the_rules_is_refused_by_name(body: bytes, says: str, tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.post("/api/v2/chat", data=body) as answer:
            problem = await refused(answer, 400)
        assert says in problem["detail"]
        assert node.calls == []

    tell(tmp_path, story)


def test_a_problem_never_repeats_what_was_said(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.post("/api/v2/chat", json={"text": "hi", "speak": "the secret word"}) as answer:
            assert "secret" not in json.dumps(await refused(answer, 400))

    tell(tmp_path, story)


def test_bodies_over_their_limit_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "AUDIO_BYTES", 100_000)

    async def chunks(total: int) -> Any:
        for _ in range(total // 1000):
            yield bytes(1000)

    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.post("/api/v2/chat", data=bytes(BODY_BYTES + 1)) as answer:
            await refused(answer, 413)
        async with session.post("/api/v2/chat", data=chunks(70_000)) as answer:  # no Content-Length to trust
            await refused(answer, 413)
        async with session.post("/api/v2/voice", data=bytes(100_001)) as answer:
            await refused(answer, 413)
        async with session.post("/api/v2/voice", data=bytes(99_999)) as answer:
            assert answer.status == 200
        async with session.post("/api/v2/voice", data=b"") as answer:
            await refused(answer, 400)
        assert [call[:2] for call in node.calls] == [("hear", 99_999)]

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Unreachable("No.", fix="Do."), 503),
        (errors.DeadlineExceeded("No.", fix="Do."), 504),
        (errors.Overloaded("No.", fix="Do."), 429),
        (errors.EngineFailed("No.", fix="Do."), 502),
        (errors.NotFound("No.", fix="Do."), 404),
        (errors.InvalidInput("No.", fix="Do."), 400),
        (errors.NotAllowed("No.", fix="Do."), 403),
        (errors.BadConfiguration("No.", fix="Do."), 409),
        (errors.Missing("No.", fix="Do."), 424),
        (errors.StoreFailed("No.", fix="Do."), 507),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_nodes_errors_become_problems(error: errors.JarvisError, status: int, tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.post("/api/v2/chat", json={"text": "hi"}) as answer:
            problem = await refused(answer, status)
        assert (problem["detail"], problem["fix"], problem["retry"]) == ("No.", "Do.", error.retry)

    tell(tmp_path, story, ScriptedNode(tmp_path, fails=error))


def test_an_unexpected_error_shows_neither_traceback_nor_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.post("/api/v2/chat", json={"text": "hi"}) as answer:
            problem = await refused(answer, 500)
        assert "secret" not in json.dumps(problem)

    tell(tmp_path, story, ScriptedNode(tmp_path, fails=ValueError("the secret word")))
    logged = [line for line in capfd.readouterr().out.splitlines() if "request failed" in line and "debug" not in line]
    assert len(logged) == 1 and "ValueError" in logged[0] and "secret" not in logged[0]


def test_unknown_paths_and_methods_are_problems_too(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.get("/api/v2/nothing") as answer:
            await refused(answer, 404)
        async with session.delete("/api/v2/chat") as answer:
            await refused(answer, 405)

    tell(tmp_path, story)


def test_ready_is_false_while_a_part_has_failed(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.get("/readyz", headers={"Authorization": ""}) as answer:
            assert answer.status == 200
            ready = await answer.json()
        assert ready == {"ready": True, "components": node.states}
        node.states["store"] = "failed"
        async with session.get("/readyz", headers={"Authorization": ""}) as answer:
            assert answer.status == 503 and (await answer.json())["ready"] is False

    tell(tmp_path, story)


def test_openapi_names_every_route(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.get("/openapi.json") as answer:
            document = await answer.json()
        served = {(path, method.upper()) for path, of in document["paths"].items() for method in of}
        assert served == {(route.path, route.method) for route in ROUTES}
        chat = document["paths"]["/api/v2/chat"]["post"]
        assert chat["requestBody"]["content"]["application/json"]["schema"]["required"] == ["text"]
        assert "reply" in chat["responses"]["200"]["content"]["application/json"]["schema"]["required"]
        voice = document["paths"]["/api/v2/voice"]["post"]
        assert {one["name"] for one in voice["parameters"]} == {"wake", "realtime"}

    tell(tmp_path, story)


def test_metrics_need_the_token_as_everything_else(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.get("/metrics", headers={"Authorization": "Bearer wrong"}) as answer:
            await refused(answer, 401)
        async with session.get("/metrics") as answer:
            assert answer.status == 200 and answer.content_type == "text/plain"
            assert "jarvis_store_records 7" in await answer.text()

    tell(tmp_path, story)


def test_a_stream_tells_line_by_line_beats_and_ends_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.api.streams.BEAT_S", 0.01)

    async def run() -> None:
        server = ApiServer(ScriptedNode(tmp_path), token=TOKEN)
        url = await server.start()
        async with aiohttp.ClientSession(url, headers=BEARER) as session, asyncio.timeout(20):
            async with session.get("/api/v2/sync/peers/nobody/trace") as answer:
                await refused(answer, 404)
            async with session.get("/api/v2/sync/peers/ppp/trace") as answer:
                lines = [await answer.content.readline() for _ in range(3)]
                assert [json.loads(line)["event"] for line in lines[:2]] == ["tracing", "sync.message"]
                assert lines[2] == b"\n", "it is still there"
                await server.close()
                assert not (await answer.content.read()).strip()

    asyncio.run(run())


def test_streams_are_bounded_and_those_who_leave_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.api.streams.MAX_STREAMS", 1)
    monkeypatch.setattr("jarvis.api.streams.BEAT_S", 0.01)

    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        path = "/api/v2/sync/peers/ppp/trace"
        async with session.get(path) as first:
            await first.content.readline()
            async with session.get(path) as second:
                await refused(second, 429)
        while True:
            async with session.get(path) as third:
                if third.status == 200:
                    return

    tell(tmp_path, story)


def test_events_arrive_after_subscribed_and_end_with_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        node = ScriptedNode(tmp_path)
        server = ApiServer(node, token=TOKEN)
        url = await server.start()
        async with aiohttp.ClientSession(url, headers=BEARER) as session, asyncio.timeout(20):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect("/api/v2/events", headers={"Authorization": "Bearer no"})
            async with session.ws_connect("/api/v2/events") as socket:
                assert (await socket.receive_json())["event"] == "subscribed"
                async with session.post("/api/v2/chat", json={"text": "what time is it"}) as answer:
                    assert answer.status == 200
                assert await socket.receive_json() == {
                    "event": "asked",
                    "at_ms": 1.0,
                    "turn": "t1",
                    "text": "what time is it",
                }
                await server.close()
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    asyncio.run(run())


def test_a_listener_who_leaves_is_forgotten(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        for _ in range(40):  # more than may listen at once
            async with session.ws_connect("/api/v2/events") as socket:
                assert (await socket.receive_json())["event"] == "subscribed"

    tell(tmp_path, story)


def test_listeners_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.api.events.MAX_LISTENERS", 1)

    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        async with session.ws_connect("/api/v2/events") as socket:
            await socket.receive_json()
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect("/api/v2/events")
            assert caught.value.status == 429

    tell(tmp_path, story)


def test_a_caller_who_hangs_up_stops_the_work(tmp_path: Path) -> None:
    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        node.held = asyncio.Event()
        asking = asyncio.ensure_future(session.post("/api/v2/chat", json={"text": "hi"}))
        await node.asked.wait()
        asking.cancel()
        await node.cancelled.wait()

    tell(tmp_path, story)


def test_sounds_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.api.server.MAX_SOUNDS", 1)

    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        node.held = asyncio.Event()
        first = asyncio.ensure_future(session.post("/api/v2/voice", data=wav_bytes()))
        await node.asked.wait()
        async with session.post("/api/v2/voice", data=wav_bytes()) as answer:
            await refused(answer, 429)
        node.held.set()
        assert (await first).status == 200
        async with session.post("/api/v2/voice", data=wav_bytes()) as answer:
            assert answer.status == 200

    tell(tmp_path, story)


def test_a_taken_port_is_bad_configuration_and_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        first = ApiServer(ScriptedNode(tmp_path / "a"), token=TOKEN)
        port = int((await first.start()).rpartition(":")[2])
        try:
            with pytest.raises(errors.BadConfiguration, match=str(port)):
                await ApiServer(ScriptedNode(tmp_path / "b"), token=TOKEN, port=port).start()
            assert not (tmp_path / "b" / runtime.RUNTIME_FILE).exists()
        finally:
            await first.close()

    asyncio.run(run())


def test_the_runtime_file_is_private_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / runtime.RUNTIME_FILE

    async def story(session: aiohttp.ClientSession, node: ScriptedNode) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        fields = json.loads(path.read_text())
        assert fields["token"] == TOKEN and fields["pid"] == os.getpid()

    tell(tmp_path, story)
    assert not path.exists()
