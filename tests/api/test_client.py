"""The commands' client: it finds the node, and raises what the node raised."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jarvis.api import runtime
from jarvis.api.client import Client, segment
from jarvis.core import errors
from tests.api.double import TOKEN, ScriptedNode, served, wav_bytes


def test_it_asks_the_node_that_runs_there(tmp_path: Path) -> None:
    with served(ScriptedNode(tmp_path)):
        client = Client(tmp_path)
        assert client.post("/api/v2/chat", {"text": "hi"})["reply"] == "Ten past ten."
        assert client.get("/api/v2/audit", since="2026", action=None)[0]["at"] == "2026"
        assert client.put("/api/v2/config/a.b", {"value": "x"})["value"] == "x"
        assert client.delete("/api/v2/timers/tt")["cancelled"] is True
        heard = client.upload("/api/v2/voice", wav_bytes(), wake=False, realtime=True, deadline_s=10)
        assert heard["wake"] is False


@pytest.mark.parametrize("key", ["a.b", "a/b", "ä ?&#%", "..", "."])
def test_any_characters_survive_in_a_path(key: str, tmp_path: Path) -> None:
    with served(ScriptedNode(tmp_path)):
        assert Client(tmp_path).get(f"/api/v2/config/{segment(key)}")["key"] == key


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("A.", fix="B."),
        errors.NotAllowed("A.", fix="B."),
        errors.BadConfiguration("A.", fix="B."),
        errors.Missing("A."),
        errors.Overloaded("A."),
        errors.InvalidInput("A."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_raises_what_the_node_raised(error: errors.JarvisError, tmp_path: Path) -> None:
    with served(ScriptedNode(tmp_path, fails=error)), pytest.raises(errors.JarvisError) as caught:
        Client(tmp_path).post("/api/v2/chat", {"text": "hi"})
    raised = caught.value
    assert type(raised) is type(error)
    assert (str(raised), raised.fix, raised.exit_code) == (str(error), error.fix, error.exit_code)


def test_an_error_the_node_did_not_expect_is_still_one_sentence(tmp_path: Path) -> None:
    with (
        served(ScriptedNode(tmp_path, fails=RuntimeError("x"))),
        pytest.raises(errors.EngineFailed, match="did not expect"),
    ):
        Client(tmp_path).post("/api/v2/chat", {"text": "hi"})


def test_no_node_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.Unreachable, match="is not running") as caught:
        Client(tmp_path)
    assert caught.value.exit_code == 69 and "jarvis run" in caught.value.fix


@pytest.mark.parametrize("content", ["", "{", "[]", '{"api_url": "http://127.0.0.1:1"}', "null", '{"pid": "x"}'])
def test_a_damaged_runtime_file_means_no_node(content: str, tmp_path: Path) -> None:
    path = tmp_path / runtime.RUNTIME_FILE
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(errors.Unreachable):
        Client(tmp_path)


def test_a_killed_nodes_file_is_not_believed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    runtime.write(tmp_path, runtime.Runtime("http://127.0.0.1:1", TOKEN, gone.pid))
    with pytest.raises(errors.Unreachable):
        Client(tmp_path)


def test_a_port_nobody_listens_on_is_unreachable(tmp_path: Path) -> None:
    runtime.write(tmp_path, runtime.Runtime("http://127.0.0.1:1", TOKEN, os.getpid()))
    with pytest.raises(errors.Unreachable):
        Client(tmp_path).get("/healthz")


@pytest.mark.parametrize(
    ("tail", "whole"), [(b"0\r\n\r\n", True), (b"", False), (b"4\r\n{2", False), (b"5\r\n{2}\n\n\r\n", False)]
)
def test_a_stream_that_a_killed_node_left_is_no_whole_answer(tail: bytes, whole: bool, tmp_path: Path) -> None:
    """Whatever was between two pieces when it ended: a command that was told half must not say that it is done."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        runtime.write(tmp_path, runtime.Runtime(f"http://127.0.0.1:{listening.getsockname()[1]}", TOKEN, os.getpid()))

        def answer() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\n\n\r\n" + tail)

        answering = threading.Thread(target=answer)
        answering.start()
        rows = []
        with contextlib.nullcontext() if whole else pytest.raises(errors.Unreachable):
            for row in Client(tmp_path).stream("/api/v2/knowledge"):
                rows.append(row)
        answering.join(10)
    assert rows[0] == {}


def test_another_nodes_port_with_a_stale_token_is_unreachable(tmp_path: Path) -> None:
    with served(ScriptedNode(tmp_path / "other")) as url:
        runtime.write(tmp_path, runtime.Runtime(url, "stale", os.getpid()))
        with pytest.raises(errors.Unreachable):
            Client(tmp_path).get("/api/v2/nodes")


def test_a_node_leaves_its_successors_file_alone(tmp_path: Path) -> None:
    runtime.write(tmp_path, runtime.Runtime("http://127.0.0.1:1", TOKEN, os.getppid()))
    runtime.remove(tmp_path, os.getpid())
    assert json.loads((tmp_path / runtime.RUNTIME_FILE).read_text())["pid"] == os.getppid()
