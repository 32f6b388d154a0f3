"""A home of three rooms, founded and joined once by real commands; every test gets its own copy of the directories."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jarvis.net.connector import DUPLICATE
from jarvis.testing.ports import free_port
from jarvis.testing.processes import NodeProcess, jarvis, linked, until
from tests.home_assistant.double import HomeAssistantDouble, furnished

ROOMS = ("kitchen", "bedroom", "hall")
LINK_S = 15.0


def ended(node: NodeProcess, **where: str) -> int:
    """How many of its links ended; of two that rooms dialled at once one is given up, which ends nothing."""
    return sum(row["reason"] != DUPLICATE for row in node.logged("net.unlinked", **where))


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of nodes that have no language model and look for none."""
    return {"JARVIS_OLLAMA_URL": "", "JARVIS_MODELS_DIR": str(tmp_path_factory.mktemp("no-models"))}


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory, quiet: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("home")
    jarvis("init", "--name", "kitchen", data_dir=folder / "kitchen", env=quiet).json()
    with NodeProcess(folder / "kitchen", "--no-mdns", "--bind", "127.0.0.1", env=quiet) as kitchen:
        for room in ROOMS[1:]:
            invitation = kitchen.post("/api/v2/nodes/invitations", {"name": room, "room": room})
            joined = jarvis(
                *("node", "join", invitation["code"], "--peer", invitation["peer"]),
                data_dir=folder / room,
                env=quiet,
            )
            joined.json()
    return folder


class Home:
    """Data directories of one test, and the processes on them."""

    def __init__(self, folder: Path, quiet: dict[str, str]) -> None:
        self.folder = folder
        self.env = quiet
        self._nodes: list[NodeProcess] = []
        self._ports: dict[str, int] = {}

    def node(self, room: str, *options: str, env: dict[str, str] | None = None) -> NodeProcess:
        """A node of this room, not started: on loopback, without mDNS, always on the same port."""
        port = self._ports.setdefault(room, free_port())
        options = ("--no-mdns", "--bind", "127.0.0.1", "--peer-port", str(port), *options)
        node = NodeProcess(self.folder / room, *options, env=self.env | (env or {}))
        self._nodes.append(node)
        return node

    def address(self, room: str) -> str:
        return f"127.0.0.1:{self._ports.setdefault(room, free_port())}"

    def pair(self, *options: str) -> tuple[NodeProcess, NodeProcess]:
        """Kitchen and bedroom, running and linked."""
        kitchen, bedroom = self._linked(("kitchen", "bedroom"), *options)
        return kitchen, bedroom

    def all_three(self) -> tuple[NodeProcess, NodeProcess, NodeProcess]:
        """Every room, running and linked with all others."""
        kitchen, bedroom, hall = self._linked(ROOMS)
        return kitchen, bedroom, hall

    def _linked(self, rooms: Sequence[str], *options: str) -> list[NodeProcess]:
        """Started all at once. Each dials all others, so that whoever is there last finds those who gave up for now."""
        nodes = []
        for room in rooms:
            peers = [part for other in rooms if other != room for part in ("--peer", self.address(other))]
            nodes.append(self.node(room, *peers, *options))
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_ready()
        until(lambda: linked(*nodes), LINK_S, "the links")
        return nodes

    def close(self) -> None:
        for node in self._nodes:
            print(f"--- {node.data_dir.name} said:\n{node.stderr[-8_000:]}")  # shown when the test failed
            node.close()


@pytest.fixture
def home(founded: Path, quiet: dict[str, str], tmp_path: Path) -> Iterator[Home]:
    for room in ROOMS:
        shutil.copytree(founded / room, tmp_path / room)
    made = Home(tmp_path, quiet)
    yield made
    made.close()


@pytest.fixture
def house() -> Iterator[HomeAssistantDouble]:
    """It runs in a thread of its own, as it would on a machine of its own."""
    double, loop = furnished(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(double.start(), loop).result(10)
    yield double
    asyncio.run_coroutine_threadsafe(double.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
