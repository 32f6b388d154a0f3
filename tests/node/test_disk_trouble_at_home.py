"""A running node whose disk becomes full, or may suddenly not be written: it says so, promises nothing that it cannot
keep, loses nothing that it promised, and goes on by itself when it can. Real processes on real small file systems."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from jarvis.core.errors import JarvisError
from jarvis.testing.processes import NodeProcess, agree, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.store.support import DyingDisk, small_disk

DISK_KIB = 4_096
SAID_S, RECOVERED_S, AGREED_S = 5.0, 10.0, 40.0
"""A peer is dialled again within 30 s, and asked again within 16 s."""


class Trouble(Protocol):
    """A disk at `at`, what can happen to it, and its end."""

    at: Path
    sentences: tuple[str, ...]
    """One of these is said."""

    def begin(self) -> None: ...

    def end(self) -> None: ...


class Full:
    sentences = ("The disk is full; nothing was written.",)

    def __init__(self, at: Path) -> None:
        self.at = at
        self._ballast = at / "ballast"

    def begin(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65_536, 4_096, 1):  # to the last byte
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def end(self) -> None:
        self._ballast.unlink()


class Dying(DyingDisk):
    sentences = ("cannot be written.", "The disk failed to read or write the store.")
    """The second by kernels that do not say beforehand that a write will fail."""


@contextmanager
def a_disk(kind: str, at: Path) -> Iterator[Trouble]:
    if kind == "full":
        with small_disk(at, DISK_KIB) as disk:
            yield Full(disk)
        return
    trouble = Dying(at)
    try:
        yield trouble
    finally:
        trouble.unmount()


@contextmanager
def kitchen_on(home: Home, disk: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    """The kitchen on a disk of its own, and the bedroom."""
    shutil.copytree(home.folder / "kitchen", disk / "kitchen")
    shutil.rmtree(home.folder / "kitchen")
    (home.folder / "kitchen").symlink_to(disk / "kitchen")
    kitchen = home.node("kitchen", "--peer", home.address("bedroom"))  # so that it dials when it comes back
    bedroom = home.node("bedroom", "--peer", home.address("kitchen"))
    kitchen.start()
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    try:
        yield kitchen, bedroom
    finally:
        print(kitchen.stderr[-8_000:])
        kitchen.close()  # before its disk goes


class Load:
    """Sets values without a pause, and keeps what each may hold."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self.allowed: dict[str, list[str]] = {}
        """The value last acknowledged, and those after it whose write failed for its caller: one of them may have
        reached the disk all the same."""
        self.answers = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.002):
            number += 1
            key, value = f"test.k{number % 5}", str(number)
            self.allowed.setdefault(key, []).append(value)
            with suppress(JarvisError):
                self._node.set_config(key, value)
                self.allowed[key] = [value]
                self.answers += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def store_of(node: NodeProcess) -> dict[str, Any]:
    part = node.get("/api/v2/health")["components"]["store"]
    assert isinstance(part, dict)
    return part


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(JarvisError) as caught:
        call()
    assert caught.value.fix, "it says what to do"
    return str(caught.value)


def said(trouble: Trouble, text: str) -> bool:
    return any(sentence in text for sentence in trouble.sentences)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_in_trouble_is_said_and_survived(home: Home, tmp_path: Path, kind: str) -> None:
    with a_disk(kind, tmp_path / "disk") as trouble, kitchen_on(home, trouble.at) as (kitchen, bedroom):
        first = kitchen.ask("Remember the first thing.")
        load = Load(kitchen)
        until(lambda: load.answers > 20, 10, "the load")
        trouble.begin()
        until(lambda: store_of(kitchen)["state"] == "failed", SAID_S, "the state in status")
        load.stop()

        # It says so, to whoever looks and whoever writes; and lives.
        assert said(trouble, store_of(kitchen)["detail"])
        shown = jarvis("status", data_dir=kitchen.data_dir, env=home.env)
        assert shown.code == 0 and said(trouble, shown.out)
        for call in (
            lambda: kitchen.ask("Remember the second thing."),
            lambda: kitchen.set_config("test.lost", "x"),
            lambda: kitchen.set_config("test.lost", "x", local=True),
        ):
            assert said(trouble, refusal(call))
        asked = jarvis("ask", "What time is it?", data_dir=kitchen.data_dir, env=home.env)
        assert asked.code == 1 and said(trouble, asked.err) and "Traceback" not in asked.err

        # Nobody else is harmed, and nobody is blamed.
        elsewhere = bedroom.ask("Remember what the bedroom said.", session="new")["session_id"]
        assert kitchen.alive and not kitchen.logged("peer refused") and not bedroom.logged("peer refused")

        trouble.end()
        until(lambda: store_of(kitchen)["state"] == "ok", RECOVERED_S, "the recovery, without a restart")
        kitchen.set_config("test.after", "x")
        until(lambda: agree(kitchen, bedroom), AGREED_S, "agreement")
        assert kitchen.texts(elsewhere) == ["Remember what the bedroom said."]
        assert len(kitchen.logged("store.commit_failed")) <= 2, "once, not for each attempt"

        kitchen.stop()
        kitchen.start()
        until(lambda: agree(kitchen, bedroom), AGREED_S, "agreement after a restart")
        for node in (kitchen, bedroom):
            values = {row["key"]: row["value"] for row in node.get("/api/v2/config")}
            assert all(values[key] in allowed for key, allowed in load.allowed.items()), (values, load.allowed)
            assert "test.lost" not in values
            assert node.texts(first["session_id"]) == ["Remember the first thing."]
            assert node.get("/api/v2/audit/verification")["ok"]
            assert "Traceback" not in node.stderr


def test_a_node_does_not_start_on_a_full_disk_and_does_later(home: Home, tmp_path: Path) -> None:
    with a_disk("full", tmp_path / "disk") as trouble, kitchen_on(home, trouble.at) as (kitchen, bedroom):
        session = kitchen.ask("Remember the first thing.")["session_id"]
        kitchen.kill()
        trouble.begin()
        ran = jarvis("run", "--no-mdns", "--bind", "127.0.0.1", data_dir=kitchen.data_dir, env=home.env)
        assert ran.code == 1 and "full" in ran.err and "Traceback" not in ran.err
        trouble.end()
        kitchen.start()
        until(lambda: agree(kitchen, bedroom), AGREED_S, "agreement")
        assert kitchen.texts(session) == ["Remember the first thing."]
