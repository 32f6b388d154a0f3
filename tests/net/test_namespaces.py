"""Two nodes in two network namespaces joined by a bridge: nothing but mDNS brings them together."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.netns
ROOT = Path(__file__).parents[2]


class Houses:
    """Namespaces `a` and `b`, each with one end of a veth whose other end is in a bridge of a third namespace."""

    def __init__(self, name: str) -> None:
        self.switch, self.a, self.b = f"{name}s", f"{name}a", f"{name}b"

    def build(self) -> None:
        for space in (self.switch, self.a, self.b):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        for space in (self.a, self.b):
            ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", space, "netns", self.switch)
            ip("-n", self.switch, "link", "set", space, "master", "br0", "up")
            ip("-n", space, "link", "set", "eth0", "up")

    def address(self, space: str, last: int) -> None:
        ip("-n", space, "addr", "add", f"10.77.0.{last}/24", "dev", "eth0")

    def cable(self, space: str, state: str) -> None:
        ip("-n", self.switch, "link", "set", space, state)

    def tear_down(self) -> None:
        for space in (self.a, self.b, self.switch):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


class Process:
    """A node in a namespace, and what it tells."""

    def __init__(self, space: str, folder: Path, seed: int, bind: str, heartbeat_s: float = 2.0) -> None:
        folder.mkdir()
        command = [sys.executable, "-m", "tests.net.namespace_node", str(folder), str(seed), bind, str(heartbeat_s)]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", space, *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._told: queue.Queue[dict[str, Any]] = queue.Queue(maxsize=1_000)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self._told.put(json.loads(line))

    def wait_for(self, event: str, within_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + within_s
        while True:
            told = self._told.get(timeout=max(deadline - time.monotonic(), 0.001))
            if told["event"] == event:
                return told

    def end(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(5)
            self.process.stdout.close()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def houses() -> Iterator[Houses]:
    missing = "" if os.geteuid() == 0 else "not root"
    if shutil.which("ip") is None:
        missing = "no `ip` program"
    built = Houses(f"jv{os.getpid()}")
    if not missing:
        try:
            built.build()
        except subprocess.CalledProcessError as error:
            built.tear_down()
            missing = f"`ip` failed: {error.stderr.decode().strip()}"
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"network namespaces are needed in CI: {missing}")
        pytest.skip(f"network namespaces cannot be made here: {missing}")
    try:
        yield built
    finally:
        built.tear_down()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    try:
        yield started
    finally:
        for process in started:
            process.end()


def test_two_namespaces_link_by_mdns_alone_and_again_after_an_outage(
    houses: Houses, processes: list[Process], tmp_path: Path
) -> None:
    houses.address(houses.a, 1)
    houses.address(houses.b, 2)
    processes += [Process(houses.a, tmp_path / "a", 1, "0.0.0.0"), Process(houses.b, tmp_path / "b", 2, "0.0.0.0")]
    for process in processes:
        process.wait_for("ready", 20)
    for process in processes:
        assert process.wait_for("linked", 10)["address"].startswith("10.77.0.")
        process.wait_for("frame", 5)

    # The cable is pulled until both ends have given the link up, and put back.
    houses.cable(houses.b, "down")
    for process in processes:
        process.wait_for("unlinked", 40)
    houses.cable(houses.b, "up")
    back = time.monotonic()
    for process in processes:
        process.wait_for("linked", 10)
        process.wait_for("frame", 5)
    print(f"linked again {time.monotonic() - back:.1f} s after the cable came back")


def test_a_short_outage_is_over_when_the_cable_is_back(
    houses: Houses, processes: list[Process], tmp_path: Path
) -> None:
    """Too short for the heartbeat, long enough that TCP alone would then wait for many seconds more."""
    houses.address(houses.a, 1)
    houses.address(houses.b, 2)
    processes += [
        Process(houses.a, tmp_path / "a", 1, "0.0.0.0", heartbeat_s=60),
        Process(houses.b, tmp_path / "b", 2, "0.0.0.0", heartbeat_s=60),
    ]
    for process in processes:
        process.wait_for("linked", 15)
        process.wait_for("frame", 15)
    houses.cable(houses.b, "down")
    with contextlib.suppress(queue.Empty):
        # Its own end of the cable is dead and it waits for answers: usually it gives the link up already now.
        processes[1].wait_for("unlinked", 4)
    houses.cable(houses.b, "up")
    back = time.monotonic()
    for process in processes:
        process.wait_for("linked", 4)
        process.wait_for("frame", 3)
    print(f"talking again {time.monotonic() - back:.1f} s after the cable came back")


def test_an_address_that_appears_after_the_start_is_enough(
    houses: Houses, processes: list[Process], tmp_path: Path
) -> None:
    houses.address(houses.a, 1)
    processes += [Process(houses.a, tmp_path / "a", 1, "0.0.0.0"), Process(houses.b, tmp_path / "b", 2, "0.0.0.0")]
    for process in processes:
        process.wait_for("ready", 20)
    houses.address(houses.b, 2)
    given = time.monotonic()
    for process in processes:
        process.wait_for("linked", 15)
    print(f"linked {time.monotonic() - given:.1f} s after the address appeared")


def test_ipv6_alone_is_enough(houses: Houses, processes: list[Process], tmp_path: Path) -> None:
    processes += [Process(houses.a, tmp_path / "a", 1, "::"), Process(houses.b, tmp_path / "b", 2, "::")]
    for process in processes:
        process.wait_for("ready", 20)
    for process in processes:
        assert process.wait_for("linked", 15)["address"].startswith("[fe80:")
