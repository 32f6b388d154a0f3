"""Two rooms as people set them up: two network namespaces on one bridge, nothing but mDNS, nothing but commands."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jarvis.testing.processes import NodeProcess, agree, jarvis, linked, until

pytestmark = pytest.mark.netns

FOUND_S = 15.0
"""From the start of the second node to the link."""
PROPAGATED_S = 2.0
"""From the answer in one room to `session show` in the other, as promised."""
AGAIN_S = 30.0
"""From the cable's return to agreement: the longest pause between two attempts."""
NOTICED_S = 30.0
"""A dead cable sends no goodbye: the heartbeat finds out."""
LONG = bool(os.environ.get("JARVIS_TEST_LONG"))
"""Stay apart until both have given the link up, which takes 23 s; else it is found dead when the network returns."""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


class Network:
    """Namespaces joined by a bridge that lives in a third one, so that nothing of this machine's own is touched."""

    def __init__(self, *rooms: str) -> None:
        tag = f"{os.getpid():x}"
        self.rooms = {room: f"jarvis-{tag}-{room}" for room in rooms}
        self._hub = f"jarvis-{tag}-hub"
        self._ports = {room: f"port{number}" for number, room in enumerate(rooms)}

    def __enter__(self) -> Network:
        ip("netns", "add", self._hub)
        ip("-n", self._hub, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        ip("-n", self._hub, "link", "set", "bridge", "up")
        for number, (room, name) in enumerate(self.rooms.items()):
            ip("netns", "add", name)
            port = self._ports[room]
            ip("-n", self._hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", self._hub, "link", "set", port, "master", "bridge", "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_exception: object) -> None:
        for name in (*self.rooms.values(), self._hub):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=10)

    def interface(self, room: str, state: str) -> None:
        """Take a room's network `down`, or `up` again."""
        ip("-n", self.rooms[room], "link", "set", "eth0", state)


@contextmanager
def network(*rooms: str) -> Iterator[Network]:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("Network namespaces need root.")
        pytest.skip("Network namespaces need root.")
    with Network(*rooms) as made:
        yield made


def test_two_rooms_find_each_other_share_and_heal(tmp_path: Path, quiet: dict[str, str]) -> None:
    with network("kitchen", "bedroom") as net:
        room = {name: tmp_path / name for name in net.rooms}
        spaces = net.rooms

        def command(where: str, *arguments: str) -> object:
            return jarvis(*arguments, data_dir=room[where], env=quiet, netns=spaces[where]).json()

        command("kitchen", "init", "--name", "kitchen", "--home-name", "Elm Street")
        kitchen = NodeProcess(room["kitchen"], env=quiet, netns=spaces["kitchen"])
        bedroom = NodeProcess(room["bedroom"], env=quiet, netns=spaces["bedroom"])
        try:
            kitchen.start()
            invitation = kitchen.post("/api/v2/nodes/invitations", {"name": "bedroom", "room": "bedroom"})
            joined = command("bedroom", "node", "join", invitation["code"])
            assert isinstance(joined, dict) and joined["home_name"] == "Elm Street"
            bedroom.start()
            until(lambda: linked(kitchen, bedroom), FOUND_S, "mDNS and the link")

            for asked, other in ((kitchen, bedroom), (bedroom, kitchen)):
                text = f"What time is it in {asked.data_dir.name}?"
                answer = asked.ask(text, session="new")
                answered_at = time.monotonic()
                until(
                    lambda other=other, answer=answer: has_turn(other, answer["session_id"]),
                    PROPAGATED_S - (time.monotonic() - answered_at),
                    "the turn in the other room",
                )
                assert other.texts(answer["session_id"]) == [text]
            verdict = command("bedroom", "sync", "verify")
            assert isinstance(verdict, dict) and verdict["agree"] and len(verdict["peers"]) == 1
            until(lambda: agree(kitchen, bedroom), 5, "agreement")

            session = apart_and_together(net, kitchen, bedroom)
            assert kitchen.texts(session) == bedroom.texts(session)
            conflict_until_chosen(kitchen, bedroom)
            assert kitchen.stop() == 0 and bedroom.stop() == 0
        finally:
            kitchen.close()
            bedroom.close()


def has_turn(node: NodeProcess, session: str) -> bool:
    rows = node.get("/api/v2/sessions")
    return any(row["session_id"] == session for row in rows) and any(
        turn["role"] == "assistant" for turn in node.get(f"/api/v2/sessions/{session}")["turns"]
    )


def apart_and_together(net: Network, kitchen: NodeProcess, bedroom: NodeProcess) -> str:
    """Both are asked and configured while the cable is out; afterwards both hold everything."""
    session = kitchen.ask("What day is it?", session="new")["session_id"]
    until(lambda: has_turn(bedroom, session), PROPAGATED_S, "the turn in the other room")
    net.interface("bedroom", "down")
    for node, colour in ((kitchen, "red"), (bedroom, "blue")):
        node.ask(f"Remember that {node.data_dir.name} was alone.", session=session)
        node.set_config("lamp.colour", colour)
        node.set_config(f"lamp.{node.data_dir.name}", colour)
    assert len(kitchen.texts(session)) == len(bedroom.texts(session)) == 2, "they are apart"
    assert kitchen.get("/api/v2/conflicts") == bedroom.get("/api/v2/conflicts") == []
    if LONG:
        until(lambda: kitchen.connected() == bedroom.connected() == 0, NOTICED_S, "both notice")
    net.interface("bedroom", "up")
    until(lambda: linked(kitchen, bedroom), AGAIN_S, "the link again")
    until(lambda: agree(kitchen, bedroom), AGAIN_S, "agreement")
    for node in (kitchen, bedroom):
        assert sorted(node.texts(session)) == [
            "Remember that bedroom was alone.",
            "Remember that kitchen was alone.",
            "What day is it?",
        ]
        assert node.get("/api/v2/config/lamp.kitchen")["value"] == "red"
        assert node.get("/api/v2/config/lamp.bedroom")["value"] == "blue"
    return session


def conflict_until_chosen(kitchen: NodeProcess, bedroom: NodeProcess) -> None:
    shown = [node.get("/api/v2/conflicts") for node in (kitchen, bedroom)]
    assert shown[0] == shown[1]
    (conflict,) = shown[0]
    assert conflict["key"] == "lamp.colour" and conflict["node"] is None
    assert {one["value"]: one["set_by"] for one in conflict["values"]} == {"red": "kitchen", "blue": "bedroom"}
    in_force = conflict["values"][0]["value"]
    for node in (kitchen, bedroom):
        assert node.get("/api/v2/config/lamp.colour")["value"] == in_force
    bedroom.set_config("lamp.colour", "green")
    until(lambda: kitchen.get("/api/v2/config/lamp.colour")["value"] == "green", PROPAGATED_S, "the choice")
    assert kitchen.get("/api/v2/conflicts") == bedroom.get("/api/v2/conflicts") == []
    until(lambda: agree(kitchen, bedroom), PROPAGATED_S, "agreement")
