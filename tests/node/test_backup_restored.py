"""Backups with the real commands and real nodes: made while it runs, restored elsewhere, and back into the home."""

from __future__ import annotations

import base64
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jarvis.api.client import Client
from jarvis.core.errors import NotAllowed
from jarvis.testing.processes import NodeProcess, Ran, agree, jarvis, linked, until
from tests.node.conftest import Home
from tests.node.test_nothing_readable import found_in
from tests.store.support import small_disk

PASSPHRASE = "correct horse battery"
LINK_S = 15.0


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o600)
    return path


def backing(home: Home, secret: Path) -> Callable[..., Ran]:
    def run(room: str, *arguments: str, env: dict[str, str] | None = None) -> Ran:
        env = home.env | {"JARVIS_BACKUP_PASSPHRASE_FILE": str(secret)} | (env or {})
        return jarvis("backup", *arguments, data_dir=home.folder / room, env=env)

    return run


def join(home: Home, inviter: NodeProcess, room: str, *options: str) -> Ran:
    invitation = inviter.post("/api/v2/nodes/invitations", {})
    where = ("node", "join", invitation["code"], "--peer", invitation["peer"], *options)
    return jarvis(*where, data_dir=home.folder / room, env=home.env)


def private_key(folder: Path) -> bytes:
    pem = (folder / "keys" / "node.key").read_bytes()
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))[-32:]


def test_a_home_comes_back_and_its_rooms_come_home(home: Home, secret: Path, tmp_path: Path) -> None:
    backup = backing(home, secret)
    file, theirs = tmp_path / "home.backup", tmp_path / "bedroom.backup"
    kitchen, bedroom = home.pair()
    session = kitchen.ask("Remember that the Zanzibar key is under the flowerpot.")["session_id"]
    kitchen.set_config("curtain.colour", "vermilion")
    kitchen.set_config("kettle.price", "thirteenpence", local=True)
    until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
    before = kitchen.get(f"/api/v2/sessions/{session}")
    said = kitchen.get("/api/v2/config/curtain.colour")

    # While it runs.
    made = backup("kitchen", "create", str(file)).json()
    assert made["bytes"] == file.stat().st_size and made["records"] > 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    words = ("zanzibar", "flowerpot", "vermilion", "thirteenpence", "kitchen")
    assert not found_in(file.read_bytes(), words)
    assert private_key(home.folder / "kitchen") not in file.read_bytes()
    assert kitchen.get("/api/v2/audit", action="backup.created")
    # While it does not. The bedroom is no owner.
    bedroom.stop()
    backup("bedroom", "create", str(theirs)).json()
    info = kitchen.get("/api/v2/nodes/self")
    kitchen.kill()

    # The owner's disk is lost; its backup is restored on another device.
    restored = backup("attic", "restore", str(file)).json()
    assert restored["member"] and (restored["records"], restored["left_out"]) == (made["records"], 0)
    attic = home.node("attic")
    attic.start()
    now = attic.get("/api/v2/nodes/self")
    assert now["node_id"] == restored["node_id"] != info["node_id"] and now["roles"] == ["owner"]
    assert (now["name"], now["home_id"], now["home_name"]) == (info["name"], info["home_id"], info["home_name"])
    assert now["incarnation"] != info["incarnation"]
    assert attic.get(f"/api/v2/sessions/{session}") == before
    assert attic.get("/api/v2/config/curtain.colour") == said
    assert attic.get("/api/v2/config/kettle.price")["value"] == "thirteenpence"
    assert attic.get("/api/v2/audit/verification")["ok"]

    # A living member meets it: same directory, same node, and nothing is lost.
    renamed = join(home, attic, "bedroom", "--name", "cellar")
    assert renamed.code == 1 and "keeps its name" in renamed.err
    assert join(home, attic, "bedroom").code == 0
    bedroom.start()
    until(lambda: linked(attic, bedroom), LINK_S, "the link")
    until(lambda: agree(attic, bedroom), LINK_S, "agreement")
    roles = {row["node_id"]: row["roles"] for row in bedroom.get("/api/v2/nodes")}
    assert roles[restored["node_id"]] == ["owner"] and roles[info["node_id"]] == ["member"]

    # A member's backup can be read, and is invited.
    guest = backup("guest", "restore", str(theirs), "--name", "guest room").json()
    assert not guest["member"]
    reading = home.node("guest", "--peer", home.address("bedroom"))
    reading.start()
    assert reading.get(f"/api/v2/sessions/{session}") == before
    assert reading.get("/api/v2/nodes/self")["roles"] == [] and reading.get("/api/v2/health")["health"] >= 50
    with pytest.raises(NotAllowed, match="no member"):
        reading.ask("What time is it?")
    assert join(home, attic, "guest").code == 78, "not while it runs"
    reading.stop()
    joined = join(home, attic, "guest").json()
    assert (joined["node_id"], joined["name"]) == (guest["node_id"], "guest room")
    reading.start()
    until(lambda: linked(attic, bedroom, reading), LINK_S, "the links")
    reading.ask("Remember that I am back.")
    until(lambda: agree(attic, bedroom, reading), LINK_S, "agreement")
    assert {row["name"] for row in attic.get("/api/v2/nodes")} >= {"guest room", "bedroom"}


def test_only_its_own_home_takes_a_restored_node(home: Home, secret: Path, tmp_path: Path) -> None:
    jarvis("init", "--name", "villa", data_dir=home.folder / "villa", env=home.env).json()
    villa = home.node("villa")
    villa.start()
    refused = join(home, villa, "bedroom")
    assert refused.code == 77 and "another home's" in refused.err
    assert len(villa.get("/api/v2/nodes")) == 1


def test_two_branches_of_a_home_are_not_mixed(home: Home, secret: Path, tmp_path: Path) -> None:
    """The owner admitted somebody after the backup was made: what was restored cannot know that."""
    backup = backing(home, secret)
    kitchen = home.node("kitchen")
    kitchen.start()
    backup("kitchen", "create", str(tmp_path / "home.backup")).json()
    assert join(home, kitchen, "late").code == 0
    late_before = sorted(path.name for path in (home.folder / "late").rglob("*") if path.is_file())
    kitchen.kill()
    backup("attic", "restore", str(tmp_path / "home.backup")).json()
    attic = home.node("attic")
    attic.start()
    refused = join(home, attic, "late")
    assert refused.code == 78 and "apart" in refused.err
    assert sorted(path.name for path in (home.folder / "late").rglob("*") if path.is_file()) == late_before


def test_what_goes_wrong_costs_one_sentence(home: Home, secret: Path, tmp_path: Path) -> None:
    backup = backing(home, secret)
    file = tmp_path / "home.backup"
    backup("hall", "create", str(file)).json()
    whole = file.read_bytes()

    def fails(ran: Ran, code: int, says: str) -> None:
        assert ran.code == code and says in ran.err and "Traceback" not in ran.err and ran.out == "", ran.err
        assert list(tmp_path.glob(".*.part")) == []

    fails(backup("hall", "create", str(file)), 78, "there already")
    assert file.read_bytes() == whole
    assert backup("hall", "create", str(file), "--force").code == 0 and file.read_bytes() != whole
    fails(backup("hall", "create", str(tmp_path / "no" / "x")), 1, "cannot be used")
    fails(backup("hall", "create", str(tmp_path), "--force"), 78, "there already")
    fails(backup("nowhere", "create", str(tmp_path / "x")), 78, "no node")
    fails(backup("hall", "restore", str(file)), 78, "already holds a node")
    fails(backup("new", "restore", str(tmp_path / "none")), 1, "no file")
    fails(backup("new", "restore", str(secret)), 1, "not a backup")
    no_secret = {"JARVIS_BACKUP_PASSPHRASE_FILE": ""}
    fails(backup("new", "restore", str(file), env=no_secret), 1, "no terminal")
    secret.write_text("another passphrase\n")
    fails(backup("new", "restore", str(file)), 1, "passphrase is not")
    secret.write_text("short\n")
    fails(backup("hall", "create", str(tmp_path / "x")), 1, "8 to 1024")
    secret.unlink()
    fails(backup("hall", "create", str(tmp_path / "x")), 78, "cannot be read")
    assert not (tmp_path / "x").exists()


def test_no_room_on_the_disk_leaves_nothing_half(home: Home, secret: Path, tmp_path: Path) -> None:
    backup = backing(home, secret)
    at = tmp_path / "small"
    backup("kitchen", "create", str(tmp_path / "home.backup")).json()
    with small_disk(at, 16):
        (at / "filler").write_bytes(bytes(16 * 1024))
        ran = backup("kitchen", "create", str(at / "home.backup"))
        assert ran.code == 1 and "No space" in ran.err and [one.name for one in at.iterdir()] == ["filler"]
        env = home.env | {"JARVIS_BACKUP_PASSPHRASE_FILE": str(secret)}
        ran = jarvis("backup", "restore", str(tmp_path / "home.backup"), data_dir=at / "node", env=env)
        assert ran.code == 1 and "Traceback" not in ran.err and not (at / "node" / "keys" / "node.key").exists()


def test_the_recovery_phrase_opens_what_was_sealed_to_it(home: Home, tmp_path: Path) -> None:
    """Asked for on a terminal, as a person meets it."""
    founded = jarvis("init", data_dir=tmp_path / "a", env=home.env).json()
    file = tmp_path / "a.backup"
    jarvis("backup", "create", str(file), "--to-recovery-key", data_dir=tmp_path / "a", env=home.env).json()
    code, shown = on_a_terminal(home, tmp_path / "b", ["restore", str(file)], [founded["recovery_phrase"]])
    assert code == 0 and "twelve words" in shown and founded["recovery_phrase"] not in shown, shown
    wrong = "abandon " * 11 + "about"
    code, shown = on_a_terminal(home, tmp_path / "c", ["restore", str(file)], [wrong])
    assert code == 1 and "not the one of this backup's home" in shown


def test_a_passphrase_is_asked_for_twice(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "hall.backup"
    typed = [PASSPHRASE, PASSPHRASE]
    code, shown = on_a_terminal(home, home.folder / "hall", ["create", str(file)], typed)
    assert code == 0 and file.exists() and PASSPHRASE not in shown, shown
    code, shown = on_a_terminal(home, tmp_path / "new", ["restore", str(file)], [PASSPHRASE])
    assert code == 0 and "node join" in shown, shown


def on_a_terminal(home: Home, data_dir: Path, arguments: list[str], typed: list[str]) -> tuple[int, str]:
    """Run `jarvis backup` with a person who types a line at each question."""
    command = [sys.executable, "-m", "jarvis_cli", "backup", *arguments, "--data-dir", str(data_dir)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | home.env, start_new_session=True
    )
    os.close(theirs)
    shown, answered, deadline = b"", 0, time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            readable, _, _ = select.select([ours], [], [], 0.1)
            try:
                piece = os.read(ours, 4_096) if readable else b""
            except OSError:  # the other end is closed
                break
            shown += piece
            if answered < len(typed) and piece.rstrip().endswith(b":"):
                os.write(ours, typed[answered].encode() + b"\n")
                answered += 1
            if not piece and process.poll() is not None:
                break
        return process.wait(10), shown.decode(errors="replace")
    finally:
        os.close(ours)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)


def test_whoever_leaves_in_the_middle_is_not_waited_for(home: Home, secret: Path, tmp_path: Path) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    rows = Client(kitchen.data_dir).stream("/api/v2/backups", {"passphrase": PASSPHRASE})
    assert next(rows)["done"] is False
    rows.close()  # type: ignore[attr-defined]
    backup = backing(home, secret)
    until(lambda: backup("kitchen", "create", str(tmp_path / "x"), "--force").code == 0, 10, "the next backup")
