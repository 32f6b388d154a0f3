"""A room that shares nothing: what is said in it is searched for on the other node's disk, in its events, in every
frame that was handed to a link before TLS, and in a backup; and it is found where it belongs. Real processes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jarvis.api import runtime
from jarvis.core.codec import pack
from jarvis.core.errors import NotAllowed, NotFound
from jarvis.models import cache
from jarvis.node.directory import DataDirectory
from jarvis.store.protocol import Transaction
from jarvis.sync.messages import Ephemeral, decode
from jarvis.testing.processes import NodeProcess, agree, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.recording_member import frames
from tests.node.speaking import file_of, spoken, voice_needed, wake
from tests.node.test_nothing_readable import found_in

SHARED = ("zanzibar", "violin")
PRIVATE = ("flowerpot", "marmalade", "ravioli", "saxophone", "trombone")
WITHIN_S = 15.0


class Listener:
    """Everything a node tells of the other rooms, from now on."""

    def __init__(self, node: NodeProcess) -> None:
        self.events: list[dict[str, Any]] = []
        self._node = node
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self._thread.start()
        assert self._ready.wait(WITHIN_S)

    async def _listen(self) -> None:
        found = runtime.read(self._node.data_dir)
        assert found is not None
        headers = {"Authorization": f"Bearer {found.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{found.api_url}/api/v2/events") as socket,
        ):
            self._ready.set()
            while not self._stop.is_set():
                try:
                    message = await socket.receive(timeout=0.1)
                except TimeoutError:
                    continue
                if message.type != aiohttp.WSMsgType.TEXT:
                    return  # the node has ended
                self.events.append(json.loads(message.data))

    def remote(self) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"].startswith("remote.")]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WITHIN_S)


@pytest.fixture
def pair(home: Home, tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess, Path, Listener]]:
    """Kitchen and bedroom, linked; every frame of the bedroom's is written down, and the kitchen is listened to."""
    recorded = tmp_path / "frames"
    models = {"JARVIS_MODELS_DIR": str(cache.cache_dir()), "JARVIS_TEST_FRAMES": str(recorded)}
    kitchen = home.node("kitchen", env=models)
    bedroom = home.node("bedroom", "--peer", home.address("kitchen"), env=models)
    bedroom.use_program("-m", "tests.node.recording_member")
    kitchen.start()
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    listener = Listener(kitchen)
    yield kitchen, bedroom, recorded, listener
    listener.close()


async def looked_up(node_dir: Path, key: str) -> bytes | None:
    store = await DataDirectory(node_dir).open_store()
    try:
        return await store.read(lambda tx: tx.get(key))
    finally:
        await store.close()


def said_in(node: NodeProcess) -> str:
    rows = node.get("/api/v2/sessions")
    return str([node.get(f"/api/v2/sessions/{row['session_id']}") for row in rows])


def everything_in(node_dir: Path) -> bytes:
    """All that a node's store holds, in the clear."""

    def dump(tx: Transaction) -> bytes:
        parts = [one.header + (one.payload or b"") for one in tx.records_in_order(0)]
        for name in tx.documents():
            checkpoint = tx.checkpoint(name)
            parts += [name.encode(), tx.base(name) or b"", checkpoint.state if checkpoint else b""]
        parts += [name.encode() + (tx.get(name) or b"") for name in tx.keys("")]
        return b"\n".join(parts)

    async def main() -> bytes:
        store = await DataDirectory(node_dir).open_store()
        try:
            return await store.read(dump)
        finally:
            await store.close()

    return asyncio.run(main())


def test_what_is_said_in_a_private_room_never_leaves_it(
    pair: tuple[NodeProcess, NodeProcess, Path, Listener], tmp_path: Path
) -> None:
    kitchen, bedroom, recorded, listener = pair
    shared = bedroom.ask("The zanzibar sings at night.")["session_id"]
    until(lambda: any("zanzibar" in one.get("text", "") for one in listener.remote()), WITHIN_S, "the partial")
    until(lambda: shared in str(kitchen.get("/api/v2/sessions")), WITHIN_S, "the session")
    before = len(frames(recorded))

    assert bedroom.set_config("session.share", "room")["source"] == "node"
    private = bedroom.ask("The flowerpot sings at night.")["session_id"]
    assert private != shared
    asked = bedroom.ask("What did I just ask you?")
    assert "flowerpot" in asked["reply"] and asked["session_id"] == private
    assert bedroom.ask("I like marmalade.")["session_id"] == private
    assert "avioli timer set" in bedroom.ask("Set a ravioli timer for ten minutes.")["reply"]
    assert "avioli" in bedroom.ask("How much time is left on the ravioli timer?")["reply"]
    refused = bedroom.ask("Remember that the saxophone is mine.")
    assert "stays here" in refused["reply"] and refused["session_id"] == private
    with pytest.raises(NotAllowed):
        bedroom.ask("The trombone too.", session=shared)
    changed = bedroom.call("PATCH", f"/api/v2/sessions/{private}", body={"title": "Trombone and flowerpot"})
    assert changed["title"] == "Trombone and flowerpot" and changed["private"]
    exported = bedroom.get(f"/api/v2/sessions/{private}/export", format="md")["text"]
    assert "flowerpot" in exported and "this node only" in exported
    rows = {row["session_id"]: row["private"] for row in bedroom.get("/api/v2/sessions")}
    assert rows == {shared: False, private: True}
    with pytest.raises(NotFound):
        kitchen.get(f"/api/v2/sessions/{private}")

    assert bedroom.set_config("session.share", "home")["value"] == "home"
    again = bedroom.ask("The violin is for everybody.", session="new")["session_id"]
    until(lambda: again in str(kitchen.get("/api/v2/sessions")), WITHIN_S, "the session")
    until(lambda: any("violin" in one.get("text", "") for one in listener.remote()), WITHIN_S, "the partial")
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    assert "flowerpot" in str(bedroom.get(f"/api/v2/sessions/{private}")), "it stays what it was"
    assert "ravioli" not in str(kitchen.get("/api/v2/timers"))

    bedroom.set_config("session.share", "room")
    (tmp_path / "passphrase").write_text("correct horse battery")
    (tmp_path / "passphrase").chmod(0o600)
    secret = ("--passphrase-file", str(tmp_path / "passphrase"))
    jarvis("backup", "create", str(tmp_path / "backup"), *secret, data_dir=bedroom.data_dir).json()
    told = [str(event) for event in listener.events]
    assert kitchen.stop() == 0 and bedroom.stop() == 0
    jarvis("backup", "restore", str(tmp_path / "backup"), *secret, data_dir=tmp_path / "restored").json()
    pinned = asyncio.run(looked_up(tmp_path / "restored", "pin/session.share"))
    assert pinned == pack("room"), "who comes back shares as little as before"
    sent = frames(recorded)
    places = {
        "the kitchen's store": everything_in(kitchen.data_dir),
        "the kitchen's events": "\n".join(told).encode(),
        "the kitchen's log": kitchen.stderr.encode(),
        "the frames": b"\n".join(sent),
        "a node restored from the bedroom's backup": everything_in(tmp_path / "restored"),
    }
    for name, content in places.items():
        assert not found_in(content, PRIVATE), name
        assert private.encode() not in content, name
        if name not in ("the kitchen's log",):
            assert found_in(content, SHARED) == set(SHARED), f"{name}: the search finds what is there"
    at_home = everything_in(bedroom.data_dir)
    assert found_in(at_home, PRIVATE) >= {"flowerpot", "marmalade", "ravioli", "saxophone", "trombone"}
    partials = [one for one in map(decode, sent) if isinstance(one, Ephemeral) and one.topic == "partial"]
    searched = sum(map(len, places.values()))
    assert len(sent) > before and len(partials) >= 2
    print(f"searched {searched} bytes, {len(sent)} frames with {len(partials)} partials, {len(told)} events")


@pytest.mark.models
def test_what_is_heard_in_a_private_room_is_told_to_nobody(
    pair: tuple[NodeProcess, NodeProcess, Path, Listener], tmp_path: Path
) -> None:
    voice_needed()
    kitchen, bedroom, recorded, listener = pair

    def hear(sound: bytes) -> dict[str, Any]:
        heard = bedroom.call("POST", "/api/v2/voice", query={"wake": False}, audio=sound, deadline_s=60)
        assert isinstance(heard, dict)
        return heard

    known, secret, last = spoken(
        "Set a pasta timer for ten minutes.",
        "Set a chocolate timer for five minutes.",
        "Set a birthday timer for five minutes.",
    )
    assert "pasta" in hear(file_of(known))["heard"].lower()
    until(lambda: any(one["event"] == "remote.reply" and one["over"] for one in listener.remote()), WITHIN_S, "its end")
    assert "pasta" in str([one for one in listener.remote() if one["event"] == "remote.partial"]).lower()
    bedroom.set_config("session.share", "room")
    heard = hear(file_of(secret))
    assert "chocolate" in heard["heard"].lower() and "hocolate" in heard["reply"]
    bedroom.set_config("session.share", "home")
    bedroom.ask("What time is it?", session="new")
    until(lambda: "What time is it?" in str(listener.remote()), WITHIN_S, "what comes after")

    file = tmp_path / "said.wav"
    file.write_bytes(file_of(wake(), last))
    bedroom.set_config("session.share", "room")
    bedroom.stop()
    bedroom.options = (*bedroom.options, "--audio", f"wav:{file}")  # as its microphone hears it, with claims and echo
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link again")
    until(lambda: "irthday timer set" in said_in(bedroom), 60, "the microphone's turn")
    words = ("pasta", "chocolate", "birthday")
    assert found_in("".join(map(str, listener.remote())).encode(), words) == {"pasta"}
    assert found_in(b"\n".join(frames(recorded)), words) == {"pasta"}
