"""What goes wrong in people's hands: one clear sentence with what to do, the right exit code, no traceback, and nothing
lost. Through the commands, as people meet it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from jarvis_cli.main import main

from jarvis.testing.processes import NodeProcess, Ran, agree, jarvis, until
from tests.node.conftest import Home

HANGS_S = 60.0
"""Its end is the end of this process: no slow machine may come to it."""
FAILED, USAGE, UNREACHABLE, NOT_ALLOWED, CONFIGURATION = 1, 2, 69, 77, 78


def refused(ran: Ran, code: int, *words: str) -> str:
    """The sentence of a command that had to fail, which names what is in `words` and says what to do."""
    assert ran.code == code, (ran.code, ran.err)
    assert ran.out == "", "stdout is for data"
    assert "Traceback" not in ran.err
    error = json.loads(ran.err.strip().splitlines()[-1])["error"]
    sentence = str(error["message"])
    assert sentence.endswith((".", ".'", '."')) and "\n" not in sentence
    told = f"{sentence} {error['fix']}"
    for word in words:
        assert word in told, told
    assert error["fix"], f"what to do now? {sentence}"
    return sentence


class Hands:
    """Runs commands on the rooms of one home: whole commands, in this process, since a new one takes a second."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(self, room: str, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        # A command that should fail and runs instead is ended, and shows what it said until then.
        guard = threading.Timer(HANGS_S, os.kill, (os.getpid(), signal.SIGTERM))
        guard.start()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), own_logging():
                code = main([*arguments, "--json", "--data-dir", str(self.home.folder / room)])
        finally:
            guard.cancel()
        return Ran(code, out.getvalue(), err.getvalue())

    def run(self, room: str, *options: str) -> Ran:
        """`run` that should fail by itself."""
        return self(room, "run", "--no-mdns", "--bind", "127.0.0.1", *options)


@contextlib.contextmanager
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here that is the tests'."""
    root, asyncio_log = logging.getLogger(), logging.getLogger("asyncio")
    handlers, levels = root.handlers[:], (root.level, asyncio_log.level)
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        asyncio_log.setLevel(levels[1])
        structlog.reset_defaults()


@pytest.fixture
def hands(home: Home, monkeypatch: pytest.MonkeyPatch) -> Hands:
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)
    return Hands(home)


def still_whole(home: Home, room: str = "kitchen") -> None:
    """The node starts, and what it held is there."""
    node = home.node(room)
    node.start()
    assert node.get("/api/v2/audit/verification")["ok"]
    assert node.stop() == 0


# --- starting ---------------------------------------------------------------------------------------------------------


def test_a_port_or_address_that_cannot_be_had_is_named(home: Home, hands: Hands) -> None:
    refused(hands("kitchen", "run", "--bind", "kitchen table"), CONFIGURATION, "kitchen table")
    refused(hands("kitchen", "run", "--bind", "203.0.113.7"), CONFIGURATION, "203.0.113.7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(hands.run("kitchen", "--api-port", port), CONFIGURATION, port, "--api-port")
        refused(hands.run("kitchen", "--peer-port", port), CONFIGURATION, port)
    still_whole(home)


def test_no_node_in_the_directory(hands: Hands) -> None:
    refused(hands.run("nowhere"), CONFIGURATION, "no node", "jarvis init")
    assert not (hands.home.folder / "nowhere" / "keys").exists()
    for arguments in (("ask", "What time is it?"), ("session", "list"), ("node", "info"), ("sync", "status")):
        refused(hands("nowhere", *arguments), UNREACHABLE, "not running", "jarvis run")


def test_a_node_that_does_not_run_or_was_killed(home: Home, hands: Hands) -> None:
    refused(hands("kitchen", "ask", "What time is it?"), UNREACHABLE, "not running", "jarvis run")
    kitchen = home.node("kitchen")
    kitchen.start()
    kitchen.kill()
    refused(hands("kitchen", "ask", "What time is it?"), UNREACHABLE, "not running", "jarvis run")


def test_two_runs_on_one_directory(home: Home, hands: Hands) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    refused(hands.run("kitchen"), CONFIGURATION, "Another Jarvis", str(kitchen.pid))
    assert kitchen.ask("What time is it?")["reply"].startswith("It's"), "the first one noticed nothing"
    refused(hands("kitchen", "init"), CONFIGURATION)


def test_init_twice(home: Home, hands: Hands) -> None:
    before = (home.folder / "kitchen" / "keys" / "node.key").read_bytes()
    refused(hands("kitchen", "init", "--name", "attic"), CONFIGURATION, "already holds a node")
    assert (home.folder / "kitchen" / "keys" / "node.key").read_bytes() == before
    still_whole(home)


# --- keys and files that do not fit together --------------------------------------------------------------------------


def swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def test_the_store_key_of_another_home(home: Home, hands: Hands) -> None:
    assert hands("neighbour", "init").code == 0
    ours, theirs = (home.folder / room / "keys" / "store.key" for room in ("kitchen", "neighbour"))
    swap(ours, theirs)
    for room in ("kitchen", "neighbour"):
        refused(hands.run(room), CONFIGURATION, "key")
    swap(ours, theirs)
    still_whole(home)


def test_the_node_key_of_another_home(home: Home, hands: Hands) -> None:
    assert hands("neighbour", "init").code == 0
    for name in ("node.key", "node.crt"):
        swap(home.folder / "kitchen" / "keys" / name, home.folder / "neighbour" / "keys" / name)
    for room in ("kitchen", "neighbour"):
        refused(hands.run(room), CONFIGURATION, "mixes two nodes")
    for name in ("node.key", "node.crt"):
        swap(home.folder / "kitchen" / "keys" / name, home.folder / "neighbour" / "keys" / name)
    still_whole(home)


def test_a_store_key_that_is_not_ours(home: Home, hands: Hands) -> None:
    """Missing, empty, cut, wrong, and readable by others; no new key is made over an old store."""
    key = home.folder / "kitchen" / "keys" / "store.key"
    ours = key.read_bytes()
    key.unlink()
    refused(hands.run("kitchen"), CONFIGURATION, "missing")
    assert not key.exists()
    for content, words in ((b"", "32 bytes"), (bytes(31), "32 bytes"), (bytes(33), "32 bytes"), (bytes(32), "key")):
        key.write_bytes(content)
        key.chmod(0o600)
        refused(hands.run("kitchen"), CONFIGURATION, words)
        assert key.read_bytes() == content
    key.write_bytes(ours)
    key.chmod(0o644)
    refused(hands.run("kitchen"), CONFIGURATION, "chmod 600")
    key.chmod(0o600)
    still_whole(home)


def test_a_node_key_that_is_none_or_another_s(home: Home, hands: Hands) -> None:
    keys = home.folder / "kitchen" / "keys"
    swap(keys / "node.crt", home.folder / "bedroom" / "keys" / "node.crt")
    refused(hands.run("kitchen"), CONFIGURATION, "certificate or key")
    swap(keys / "node.crt", home.folder / "bedroom" / "keys" / "node.crt")
    ours = (keys / "node.key").read_bytes()
    (keys / "node.key").write_bytes(b"not a key")
    refused(hands.run("kitchen"), CONFIGURATION, "not a node's key")
    (keys / "node.key").write_bytes(ours)
    still_whole(home)


def test_a_lost_node_key_does_not_cost_the_store(home: Home, hands: Hands) -> None:
    """Neither `init` nor `join` may found a new node over somebody's data."""
    key = home.folder / "kitchen" / "keys" / "node.key"
    ours = key.read_bytes()
    key.unlink()
    refused(hands("kitchen", "init"), CONFIGURATION, "node's key is missing")
    refused(hands("kitchen", "node", "join", "1234-5678"), CONFIGURATION, "node's key is missing")
    key.write_bytes(ours)
    key.chmod(0o600)
    still_whole(home)


def test_a_damaged_store_is_named_and_left_alone(home: Home, hands: Hands) -> None:
    database = next((home.folder / "kitchen").rglob("*.db"))
    damaged = bytearray(database.read_bytes())
    for page in range(4096, len(damaged), 4096):
        damaged[page : page + 64] = bytes(64)
    database.write_bytes(bytes(damaged))
    ran = hands.run("kitchen")
    refused(ran, ran.code, "store")
    assert ran.code in (FAILED, CONFIGURATION)


@contextmanager
def read_only(folder: Path, disk: Path) -> Iterator[Path]:
    """The folder's content on a small disk that is mounted read-only: root writes through every file mode."""
    if os.geteuid() != 0:
        pytest.skip("Mounting a read-only disk needs root.")
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(disk)], check=True)
    try:
        shutil.copytree(folder, disk / "data")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk / "data"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_read_only_data_directory(home: Home, tmp_path: Path) -> None:
    with read_only(home.folder / "kitchen", tmp_path / "disk") as data:
        sentence = refused(jarvis("run", "--no-mdns", data_dir=data, env=home.env), FAILED, "ead-only")
        assert str(data) in sentence
        refused(jarvis("init", data_dir=data.parent / "new", env=home.env), FAILED, "ead-only")


def test_settings_that_do_not_parse(home: Home, hands: Hands) -> None:
    settings = home.folder / "kitchen" / "jarvis.toml"
    settings.write_text("api_port = \n")
    refused(hands.run("kitchen"), CONFIGURATION, "jarvis.toml")
    settings.write_text('colour = "red"\n')
    refused(hands.run("kitchen"), CONFIGURATION, "colour")
    settings.write_text("api_port = 99999\n")
    refused(hands.run("kitchen"), CONFIGURATION, "api_port")
    settings.unlink()
    refused(hands.run("kitchen", "--api-port", "99999"), USAGE)


# --- joining ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kitchen(home: Home) -> NodeProcess:
    node = home.node("kitchen")
    node.start()
    return node


def invite(kitchen: NodeProcess) -> tuple[str, str]:
    made = kitchen.post("/api/v2/nodes/invitations", {"name": "attic", "room": "attic"})
    return made["code"], made["peer"]


def mistyped(code: str) -> str:
    return re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), code, count=1)


def test_a_mistyped_code_costs_a_try_and_the_right_one_still_works(kitchen: NodeProcess, hands: Hands) -> None:
    code, peer = invite(kitchen)
    sentence = refused(hands("attic", "node", "join", mistyped(code), "--peer", peer), FAILED, "4 tries")
    assert code not in sentence
    refused(hands("attic", "node", "join", "12", "--peer", peer), FAILED)
    refused(hands("attic", "node", "join", "what code", "--peer", peer), FAILED)
    assert hands("attic", "node", "join", code, "--peer", peer).json()["name"] == "attic"
    refused(hands("garage", "node", "join", code, "--peer", peer), NOT_ALLOWED, "used already", "jarvis node invite")
    refused(hands("attic", "node", "join", code, "--peer", peer), NOT_ALLOWED, "used already")
    assert len(kitchen.get("/api/v2/nodes")) == 4


def test_five_wrong_codes_end_the_invitation(kitchen: NodeProcess, hands: Hands) -> None:
    code, peer = invite(kitchen)
    for left in ("4 tries are", "3 tries are", "2 tries are", "1 try is"):
        refused(hands("attic", "node", "join", mistyped(code), "--peer", peer), FAILED, left)
    refused(hands("attic", "node", "join", mistyped(code), "--peer", peer), NOT_ALLOWED, "no tries are left")
    refused(hands("attic", "node", "join", code, "--peer", peer), NOT_ALLOWED, "too many wrong codes")
    assert len(kitchen.get("/api/v2/nodes")) == 3
    assert not (hands.home.folder / "attic" / "keys" / "node.key").exists()


def test_nobody_invites(kitchen: NodeProcess, hands: Hands) -> None:
    refused(hands("attic", "node", "join", "1234-5678", "--peer", kitchen.peer_address), NOT_ALLOWED)
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    refused(hands("attic", "node", "join", "1234-5678", "--peer", f"127.0.0.1:{port}"), UNREACHABLE)
    refused(hands("attic", "node", "join", "1234-5678", "--peer", "kitchen"), FAILED, "HOST:PORT")


def test_nobody_is_invited_while_the_owner_s_node_is_away(home: Home, hands: Hands) -> None:
    kitchen, bedroom = home.pair()
    until(lambda: agree(kitchen, bedroom), 10, "agreement")
    code, peer = invite(bedroom)
    kitchen.stop()
    until(lambda: bedroom.connected() == 0, 10, "the link's end")
    refused(hands("bedroom", "node", "invite"), UNREACHABLE, "kitchen keeps the owner key", "Start kitchen")
    # It went after the code was made: the joiner hears whose node is missing, and the code stays good.
    refused(hands("attic", "node", "join", code, "--peer", peer), NOT_ALLOWED, "kitchen keeps the owner key")
    kitchen.start()
    until(lambda: bedroom.connected() == 1, 15, "the link again")
    assert hands("attic", "node", "join", code, "--peer", peer).json()["name"] == "attic"


def test_a_join_that_was_killed_half_way_can_be_repeated(kitchen: NodeProcess, hands: Hands) -> None:
    """Killed at several moments: the same directory joins with a new code, and no half node stays in it."""
    attic = hands.home.folder / "attic"
    for look_for in ("lock", "founding", "store/jarvis.db", "keys/store.key"):
        code, peer = invite(kitchen)
        command = [sys.executable, "-m", "jarvis_cli", "node", "join", code, "--peer", peer, "--data-dir", str(attic)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: (attic / look_for).exists() or process.poll() is not None, 20, look_for)  # noqa: B023
        process.kill()
        process.wait(10)
        if (attic / "keys" / "node.key").exists():
            return  # it had finished: nothing to repeat
    code, peer = invite(kitchen)
    assert hands("attic", "node", "join", code, "--peer", peer).json()["name"] == "attic"
    still_whole(hands.home, "attic")


# --- using ------------------------------------------------------------------------------------------------------------


def test_what_there_is_not(kitchen: NodeProcess, hands: Hands) -> None:
    refused(hands("kitchen", "session", "show", "zzzz"), FAILED, "zzzz", "jarvis session list")
    refused(hands("kitchen", "session", "export", "zzzz", "--format", "md"), FAILED, "zzzz")
    refused(hands("kitchen", "ask", "What time is it?", "--session", "zzzz"), FAILED, "zzzz")
    refused(hands("kitchen", "timer", "cancel", "zzzz"), FAILED, "zzzz")
    refused(hands("kitchen", "config", "get", "no.such"), FAILED, "no.such", "jarvis config list")
    refused(hands("kitchen", "config", "get", "node.room", "--node", "cellar"), FAILED, "cellar")
    refused(hands("kitchen", "config", "unset", "no.such"), FAILED, "no.such")
    refused(hands("kitchen", "audit", "list", "--since", "tomorrow-ish"), FAILED, "tomorrow-ish")
    refused(hands("kitchen", "say", "hello", "--room", "cellar"), FAILED, "cellar")


def test_a_prefix_of_several_sessions(kitchen: NodeProcess, hands: Hands) -> None:
    """33 sessions: two at least begin alike, since an id's first character is one of 32."""
    ids = sorted(kitchen.post("/api/v2/sessions", {"title": "t"})["session_id"] for _ in range(33))
    shared = next(one[0] for one, other in itertools.pairwise(ids) if one[0] == other[0])
    refused(hands("kitchen", "session", "show", shared), FAILED, shared)
    assert hands("kitchen", "session", "show", ids[0]).json()["session_id"] == ids[0]


def test_texts_that_are_too_long_or_nothing(kitchen: NodeProcess, hands: Hands) -> None:
    before = kitchen.get("/api/v2/sync")["records"]
    refused(hands("kitchen", "ask", ""), FAILED)
    refused(hands("kitchen", "ask", "   "), FAILED, "empty")
    refused(hands("kitchen", "ask", "x" * 8_100), FAILED, "8000")
    refused(hands("kitchen", "ask", "x" * 60_000), FAILED)
    refused(hands("kitchen", "config", "set", "a.b", "x" * 5_000), FAILED, "4096")
    refused(hands("kitchen", "session", "new", "--title", "x" * 9_000), FAILED)
    for key in ("Assistant Name", "", "a..b", ".a", "a/b", "node/x/y", "ä.b", "a" * 200, "../../x"):
        refused(hands("kitchen", "config", "set", key, "value"), FAILED)
    assert kitchen.get("/api/v2/sync")["records"] == before
    assert kitchen.ask("What time is it?")["reply"].startswith("It's")


def test_bytes_that_are_no_text(kitchen: NodeProcess, hands: Hands) -> None:
    before = kitchen.get("/api/v2/sync")["records"]
    text = b"half a letter \xff".decode("utf-8", "surrogateescape")
    refused(hands("kitchen", "ask", text), FAILED)
    refused(hands("kitchen", "config", "set", "a.b", text), FAILED)
    assert kitchen.get("/api/v2/sync")["records"] == before
