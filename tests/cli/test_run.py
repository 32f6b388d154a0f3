"""`jarvis run`, init, join and doctor on real nodes: how they begin, refuse and end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.api.routes import ROUTES
from jarvis.testing.processes import NodeProcess, Ran, jarvis, until

ALONE = ("--no-mdns", "--bind", "127.0.0.1")
STUBBORN = """
import asyncio, sys
import structlog
from jarvis.node.library.describing import Describing
from jarvis_cli.main import main

async def run(self):
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            structlog.get_logger().warning("stubborn")

Describing.run = run
sys.exit(main())
"""
"""A node of which one part does not end."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"JARVIS_OLLAMA_URL": "", "JARVIS_MODELS_DIR": str(tmp_path_factory.mktemp("no-models"))}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory, quiet: dict[str, str]) -> Iterator[NodeProcess]:
    folder = tmp_path_factory.mktemp("kitchen")
    jarvis("init", "--name", "kitchen", data_dir=folder, env=quiet).json()
    with NodeProcess(folder, *ALONE, env=quiet) as node:
        yield node


def refused(ran: Ran, code: int, *words: str) -> None:
    """One sentence with these words, on stderr alone."""
    assert (ran.code, ran.out) == (code, ""), ran.err
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert all(word in error["message"] + error["fix"] for word in words), error
    assert "Traceback" not in ran.err


def test_init_shows_the_phrase_once_and_refuses_a_second_home(tmp_path: Path, quiet: dict[str, str]) -> None:
    founded = jarvis("init", "--room", "attic", data_dir=tmp_path / "new", env=quiet).json()
    assert set(founded) >= {"node_id", "name", "room", "home_id", "recovery_phrase"}
    assert (founded["name"], founded["room"]) == ("attic", "attic")
    assert len(founded["recovery_phrase"].split()) == 12
    refused(jarvis("init", data_dir=tmp_path / "new", env=quiet), 78, "already holds a node")


def test_the_ready_line_is_all_of_stdout(kitchen: NodeProcess) -> None:
    assert set(kitchen.ready) == {"event", "node_id", "api_url", "peer_port"}
    assert kitchen.ready["event"] == "ready" and kitchen.ready["api_url"].startswith("http://127.0.0.1:")


ASKED = {"/api/v2/knowledge/search": {"q": "timer"}}
"""What a route asks for."""


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.method == "GET" and "{" not in one.path], ids=lambda one: one.path
)
def test_the_real_node_gives_what_the_api_promises(route: object, kitchen: NodeProcess) -> None:
    kitchen.ask("set a timer for nine minutes")
    value = kitchen.get(route.path, **ASKED.get(route.path, {}))  # type: ignore[attr-defined]
    for one in value if route.many else [value]:  # type: ignore[attr-defined]
        assert set(route.gives) <= set(one)  # type: ignore[attr-defined]


def test_answers_without_any_model(kitchen: NodeProcess) -> None:
    answer = kitchen.ask("what did I just ask you", "new")
    assert answer["source"] == "intent" and answer["reply"]


def test_config_comes_back_as_the_api_promises(kitchen: NodeProcess) -> None:
    gives = {one.method: set(one.gives) for one in ROUTES if one.path == "/api/v2/config/{key}"}
    assert gives["PUT"] <= set(kitchen.set_config("house.colour", "blue"))
    assert gives["GET"] <= set(kitchen.get("/api/v2/config/house.colour"))
    assert gives["DELETE"] <= set(kitchen.call("DELETE", "/api/v2/config/house.colour"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_in_time_and_leaves_no_address(
    number: signal.Signals, code: int, tmp_path: Path, quiet: dict[str, str]
) -> None:
    jarvis("init", data_dir=tmp_path, env=quiet).json()
    with NodeProcess(tmp_path, *ALONE, env=quiet) as node:
        api_file = tmp_path / "run" / "api.json"
        assert stat.S_IMODE(api_file.stat().st_mode) == 0o600
        assert node.stop(number) == code  # within 5 s
        assert not api_file.exists() and "Traceback" not in node.stderr
    refused(jarvis("status", data_dir=tmp_path, env=quiet), 69, "not running", "jarvis run")


@pytest.mark.parametrize("times", [1, 2])
def test_what_never_ends_is_ended_and_named(times: int, tmp_path: Path, quiet: dict[str, str]) -> None:
    jarvis("init", data_dir=tmp_path, env=quiet).json()
    with NodeProcess(tmp_path, *ALONE, env=quiet, program=("-c", STUBBORN)) as node:
        for _ in range(times - 1):
            os.kill(node.pid, signal.SIGTERM)
            until(lambda: node.logged("stubborn"), 5, "the first to be heard")
        assert node.stop() == 1  # within 5 s
        assert "At work still: captions, library.\n" in node.stderr and "Traceback" not in node.stderr


def test_it_is_told_what_stands_in_its_way(kitchen: NodeProcess, tmp_path: Path, quiet: dict[str, str]) -> None:
    refused(jarvis("run", data_dir=tmp_path / "nothing", env=quiet), 78, "no node", "jarvis init")
    refused(jarvis("run", *ALONE, data_dir=kitchen.data_dir, env=quiet), 78, str(kitchen.pid))
    jarvis("init", data_dir=tmp_path / "other", env=quiet).json()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag in ("--api-port", "--peer-port"):
            refused(jarvis("run", *ALONE, flag, port, data_dir=tmp_path / "other", env=quiet), 78, port)
    refused(jarvis("run", "--audio", "loud", data_dir=tmp_path / "other", env=quiet), 78, "audio")


def test_a_sound_that_is_none_is_refused_in_a_sentence(kitchen: NodeProcess, tmp_path: Path) -> None:
    pytest.importorskip("soundfile", reason="needs the voice extra")
    (tmp_path / "noise.wav").write_bytes(os.urandom(5_000))
    # With its models installed, so that the command has none to fetch; the node never comes to load them.
    models = {"JARVIS_MODELS_DIR": os.environ.get("JARVIS_MODELS_DIR", "")}
    refused(jarvis("hear", str(tmp_path / "noise.wav"), data_dir=kitchen.data_dir, env=models), 1, "WAV")


def test_invite_and_join_by_address(kitchen: NodeProcess, tmp_path: Path, quiet: dict[str, str]) -> None:
    invited = jarvis("node", "invite", "--name", "bedroom", data_dir=kitchen.data_dir, env=quiet).json()
    wrong = "0000" if not invited["code"].startswith("0000") else "1111"
    mistyped = wrong + invited["code"][4:]
    bedroom = tmp_path / "bedroom"
    refused(jarvis("node", "join", mistyped, "--peer", invited["peer"], data_dir=bedroom, env=quiet), 1, "not right")
    joined = jarvis("node", "join", invited["code"], "--peer", invited["peer"], data_dir=bedroom, env=quiet).json()
    assert set(joined) >= {"node_id", "home_id", "home_name"}
    assert joined["node_id"] in {row["node_id"] for row in jarvis("node", "list", data_dir=kitchen.data_dir).json()}


def test_doctor_finds_a_healthy_running_node_and_a_loose_key(
    kitchen: NodeProcess, tmp_path: Path, quiet: dict[str, str]
) -> None:
    found = jarvis("doctor", data_dir=kitchen.data_dir, env=quiet).json()
    checks = {check["name"]: check for check in found["checks"]}
    assert found["ok"] and all(set(check) >= {"name", "ok", "detail", "fix"} for check in found["checks"])
    assert kitchen.ready["api_url"] in checks["node"]["detail"]
    assert not checks["model.whisper-tiny.en"]["ok"] and "models pull" in checks["model.whisper-tiny.en"]["fix"]
    assert {"python", "data_dir", "keys", "ports", "portaudio", "ollama", "clock", "mdns"} <= set(checks)

    jarvis("init", data_dir=tmp_path / "own", env=quiet).json()
    (tmp_path / "own" / "keys" / "store.key").chmod(0o644)
    ran = jarvis("doctor", data_dir=tmp_path / "own", env=quiet)
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert ran.code == 1 and not checks["keys"]["ok"] and "chmod 600" in checks["keys"]["fix"]
    assert not checks["node"]["ok"]
