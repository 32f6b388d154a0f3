"""The relays people would otherwise use, carrying the same appends between two clients: pycrdt-websocket with clients
in Python, y-websocket with clients in JavaScript. Each is installed into a throw-away directory; server and clients are
processes of their own. Neither signs anything nor keeps it on disk, and their clients do not wait for each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jarvis.testing.ports import free_port

INSTALL_S = 300
RUN_S = 120
HERE = Path(__file__).parent / "relays"


@dataclass(frozen=True)
class Relayed:
    name: str
    per_second: float
    propagation_ms: list[float]


def pycrdt_websocket(count: int, paced: int, gap_s: float) -> Relayed | str:
    """Or why it was not measured."""
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-relay-") as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        failed = _run([sys.executable, "-m", "venv", str(python.parents[1])]) or _run(
            [str(python), "-m", "pip", "install", "-q", "pycrdt-websocket", "uvicorn", "websockets"]
        )
        if failed:
            return f"pycrdt-websocket could not be installed: {failed}"
        port = free_port()
        server = [str(python), str(HERE / "pycrdt_server.py"), str(port)]
        client = [str(python), str(HERE / "pycrdt_client.py"), str(port)]
        return asyncio.run(_measure("pycrdt-websocket", server, client, {}, port, count, paced, gap_s))


def y_websocket(count: int, paced: int, gap_s: float) -> Relayed | str:
    """Or why it was not measured."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        return "y-websocket was not measured: npm and node are not installed."
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-relay-") as folder:
        quiet = ["--no-audit", "--no-fund", "--omit=optional", "--prefix", folder]
        if failed := _run([npm, "install", *quiet, "y-websocket@2", "yjs", "ws"]):
            return f"y-websocket could not be installed: {failed}"
        port = free_port()
        server = [node, f"{folder}/node_modules/y-websocket/bin/server.cjs"]
        script = Path(folder) / "client.cjs"
        shutil.copy(HERE / "y_client.cjs", script)
        environment = {"HOST": "127.0.0.1", "PORT": str(port), "NODE_ENV": "production"}
        return asyncio.run(
            _measure("y-websocket", server, [node, str(script), str(port)], environment, port, count, paced, gap_s)
        )


async def _measure(
    name: str,
    server: Sequence[str],
    client: Sequence[str],
    environment: Mapping[str, str],
    port: int,
    count: int,
    paced: int,
    gap_s: float,
) -> Relayed | str:
    """Twice: as fast as can be, and one by one."""
    with _process(server, environment):
        if not await _listening(port):
            return f"{name}: the server did not start."
        try:
            fast = await _carry(client, "fast", count, 0.0)
            slow = await _carry(client, "paced", paced, gap_s)
        except (TimeoutError, ValueError):
            return f"{name}: the clients did not finish."
    sent, arrived = fast
    seconds = (arrived[-1] - sent[0]) / 1e9
    return Relayed(name, count / seconds, [(there - here) / 1e6 for here, there in zip(*slow, strict=True)])


async def _carry(client: Sequence[str], room: str, count: int, gap_s: float) -> tuple[list[int], list[int]]:
    """Monotonic ns of each append at the writer, and of its arrival at the reader."""
    ends = [
        await asyncio.create_subprocess_exec(
            *client, role, room, str(count), str(gap_s), stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**24
        )
        for role in ("read", "write")
    ]
    try:
        async with asyncio.timeout(RUN_S):
            for end in ends:
                assert end.stdout is not None
                await end.stdout.readline()  # it is in sync
            assert ends[1].stdin is not None
            ends[1].stdin.write(b"go\n")
            times = [json.loads(await end.stdout.readline()) for end in ends if end.stdout]
        return times[1], times[0]
    finally:
        for end in ends:
            if end.returncode is None:
                end.kill()
            await end.wait()


@contextlib.contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.kill()


async def _listening(port: int) -> bool:
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        await asyncio.sleep(0.1)
    return False


def _run(command: Sequence[str]) -> str:
    """ "" when it worked, else the last thing it said."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return "" if ran.returncode == 0 else (said[-1] if said else f"exit code {ran.returncode}")
