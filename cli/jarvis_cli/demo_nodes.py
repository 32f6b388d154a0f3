"""The demo's nodes: ordinary `jarvis run` processes with data directories of their own. Whatever ends the demo, a kill
included, ends them too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from jarvis.api.client import Client
from jarvis.core.errors import BadConfiguration, EngineFailed, JarvisError, Missing, NotAllowed, Unreachable

READY_S = 30.0
"""To open the store and both ports on a busy machine."""
COMMAND_S = 20.0
"""Founding takes a second. Joining waits for the home to be found, which multicast does in two or never."""
STOP_S = 6.0
"""A node ends within five seconds."""
_LINE_BYTES = 64 * 1024

# A process that asks the kernel for TERM when its parent dies, before it becomes the command (prctl(2),
# PR_SET_PDEATHSIG = 1): a demo that is killed must not leave nodes behind.
_COMMAND = (
    "import ctypes, sys; hasattr(ctypes.CDLL(None), 'prctl') and ctypes.CDLL(None).prctl(1, 15); "
    "from jarvis_cli.main import main; sys.exit(main())"
)
_KEPT_VARIABLES = ("JARVIS_MODELS_DIR", "JARVIS_MODELS_FROM", "JARVIS_OLLAMA_URL", "JARVIS_OLLAMA_MODEL")
_BY_CODE = {kind.exit_code: kind for kind in (Unreachable, NotAllowed, BadConfiguration)}


class DemoNode:
    """One node of the demo: `name` is its room too."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.data_dir = home / name
        self._log = home / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, Any] = {}

    async def command(self, *arguments: str) -> Any:
        """Run one `jarvis` command on this node's directory; its JSON. Raises what the command said."""
        process = await self._spawn(*arguments, stderr=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(COMMAND_S):
                out, err = await process.communicate()
        except TimeoutError:
            raise Unreachable(f"`jarvis {arguments[0]}` took over {COMMAND_S:g} s.") from None
        finally:
            await _end(process)
        if process.returncode != 0:
            raise _said(err, process.returncode or 1)
        return json.loads(out)

    async def start(self, *flags: str) -> None:
        """Run the node, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = await self._spawn(
                "run", "--api-port", "0", "--peer-port", "0", "--audio", "none", *flags, stderr=log
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            await self.stop()
            raise _said(self._log.read_bytes()[-_LINE_BYTES:], 1)
        self.ready = json.loads(line)

    async def stop(self) -> None:
        """TERM, then, if it must be, KILL. Stopping what does not run is no error."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    async def get(self, path: str) -> Any:
        return await asyncio.to_thread(Client(self.data_dir).get, path)

    async def post(self, path: str, body: dict[str, Any], deadline_s: float = 60.0) -> Any:
        return await asyncio.to_thread(Client(self.data_dir).post, path, body, deadline_s=deadline_s)

    async def hear(self, audio: bytes, deadline_s: float) -> Any:
        """Play a file into the node at the speed it was recorded at."""

        def upload() -> Any:
            return Client(self.data_dir).upload("/api/v2/voice", audio, realtime=True, deadline_s=deadline_s)

        return await asyncio.to_thread(upload)

    def client(self) -> Client:
        return Client(self.data_dir)

    async def _spawn(self, *arguments: str, stderr: Any) -> asyncio.subprocess.Process:
        # In a session of their own: Ctrl-C reaches the demo alone, which stops its nodes in order.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _COMMAND,
            *arguments,
            "--json",
            "--data-dir",
            str(self.data_dir),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=_environment(),
            limit=_LINE_BYTES,
            start_new_session=True,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """The user's, without what they set for a node of theirs."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("JARVIS_") or name in _KEPT_VARIABLES
    }


def _said(err: bytes, code: int) -> JarvisError:
    """The error that a command told on its last line of stderr."""
    kind = _BY_CODE.get(code, EngineFailed)
    for line in reversed(err.decode("utf-8", "replace").splitlines()):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)["error"]
            return (
                Missing(told["message"], fix=told["fix"])
                if kind is EngineFailed
                else kind(told["message"], fix=told["fix"])
            )
    return EngineFailed("A node of the demo ended before it was ready.", fix="See what `jarvis doctor` says.")
