"""Nodes as real processes, for tests and benches: starts them, waits for their ready line under a deadline, calls their
API, kills or stops them, keeps what they log. It leaves no process behind, and it never waits without a deadline.

    with NodeProcess(data_dir, "--no-mdns") as node:
        node.ask("What time is it?")
        node.kill()
        node.start()
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from jarvis.api.client import Client, segment

T = TypeVar("T")

READY_S = 30.0
"""A node is ready in 0.7 s; a machine that does a dozen other things takes ten times as long."""
STOP_S = 5.0
"""What a node promises."""
COMMAND_S = 60.0
LOOK_EVERY_S = 0.01
"""How often a condition in another process is looked at."""
READY_LINE_BYTES = 4_096
_CLONE_NEWNET = 0x40000000
PROGRAM = ("-m", "jarvis_cli")


def until(condition: Callable[[], T], within_s: float, what: str = "the condition") -> T:
    """Look until `condition()` is true and return it. Raises AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within_s:g} s; last seen: {value!r}")
        time.sleep(LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        if self.code:
            raise AssertionError(f"The command failed ({self.code}): {self.err}")
        return json.loads(self.out)


def run(*command: str, env: Mapping[str, str], within_s: float) -> Ran:
    """Run a program to its end. Past the deadline it is killed with all it started: a child that lives on would hold
    the pipes, and whoever reads them."""
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=within_s)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=STOP_S)
        raise
    return Ran(process.returncode, out, err)


def jarvis(
    *arguments: str,
    data_dir: Path,
    env: Mapping[str, str] | None = None,
    netns: str = "",
    within_s: float = COMMAND_S,
    program: Sequence[str] = PROGRAM,
) -> Ran:
    """Run one command to its end, with `--json`."""
    command = [*_prefix(netns), sys.executable, *program, *arguments, "--json", "--data-dir", str(data_dir)]
    return run(*command, env=_environment(env), within_s=within_s)


class NodeProcess:
    """`jarvis run` on one data directory. `options` are its flags; `env` is added to this process's environment."""

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        env: Mapping[str, str] | None = None,
        netns: str = "",
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.data_dir = data_dir
        self.options = options
        self.netns = netns
        self.ready: dict[str, Any] = {}
        self._env = _environment(env)
        self._program = tuple(program)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> NodeProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def use_program(self, *program: str) -> None:
        """Run this with Python instead of the command itself, from the next start on."""
        self._program = program

    # --- its life -----------------------------------------------------------------------------------------------

    def start(self, within_s: float = READY_S) -> dict[str, Any]:
        """Start it and return its ready line. Raises AssertionError with what it logged when there is none."""
        self.launch()
        return self.wait_ready(within_s)

    def wait_ready(self, within_s: float = READY_S) -> dict[str, Any]:
        """The ready line of a node that was launched."""
        process = self._running()
        assert process.stdout is not None
        line, deadline = b"", time.monotonic() + within_s
        while not line.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            readable, _, _ = select.select([process.stdout], [], [], max(left_s, 0.0))
            piece = os.read(process.stdout.fileno(), READY_LINE_BYTES) if readable else b""
            if not piece:
                if self.alive:
                    self.kill()
                raise AssertionError(f"The node in {self.data_dir} did not become ready:\n{self.stderr[-4_000:]}")
            line += piece
        self.ready = json.loads(line)
        return self.ready

    def launch(self) -> None:
        """Start it without waiting."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        self._let_go()
        if self._log is None:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        command = [*_prefix(self.netns), sys.executable, *self._program, "run", "--json"]
        command += ["--data-dir", str(self.data_dir), *self.options]
        self._process = subprocess.Popen(
            command, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log
        )

    def kill(self) -> None:
        """`kill -9`, now."""
        process = self._running()
        process.kill()
        process.wait(STOP_S)

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = STOP_S) -> int:
        """Ask it to end and return its exit code. Raises AssertionError when it does not in time."""
        self._running().send_signal(number)
        return self.wait(within_s)

    def wait(self, within_s: float) -> int:
        try:
            return self._running().wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"The node in {self.data_dir} did not end within {within_s:g} s.") from None

    def close(self) -> None:
        """End it however it is; its log is gone afterwards."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._let_go()
        self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def peer_address(self) -> str:
        return f"127.0.0.1:{self.ready['peer_port']}"

    # --- what is seen of it -------------------------------------------------------------------------------------

    @property
    def stderr(self) -> str:
        """Everything it logged, over all its lives."""
        if self._log is None:
            return ""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode("utf-8", "replace")

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines of this event that have these fields."""
        rows = []
        for line in self.stderr.splitlines():
            with contextlib.suppress(ValueError):  # a line that `kill -9` cut goes on with another life's first
                rows += [json.loads(line)] if line.startswith("{") else []
        wanted = {"event": event, **fields}
        return [row for row in rows if wanted.items() <= row.items()]

    def rss_bytes(self) -> int:
        """Memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descendants(self) -> set[int]:
        return descendants(self.pid)

    # --- its API ------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Raises what the node raised; Unreachable when it is gone."""
        with in_netns(self.netns):
            return Client(self.data_dir).call(method, path, **more)

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.call("POST", path, body=body or {}, **more)

    def ask(self, text: str, session: str | None = None, *, deadline_s: float = COMMAND_S) -> dict[str, Any]:
        answer = self.post("/api/v2/chat", {"text": text, "session": session}, deadline_s=deadline_s)
        assert isinstance(answer, dict)
        return answer

    def set_config(self, key: str, value: str, **more: Any) -> dict[str, Any]:
        entry = self.call("PUT", f"/api/v2/config/{segment(key)}", body={"value": value, **more})
        assert isinstance(entry, dict)
        return entry

    def texts(self, session: str) -> list[str]:
        """What people said in a session, oldest first."""
        return [row["text"] for row in self.get(f"/api/v2/sessions/{session}")["turns"] if row["role"] == "user"]

    def connected(self) -> int:
        """How many peers are linked."""
        return sum(peer["connected"] for peer in self.get("/api/v2/sync")["peers"])

    def verify(self) -> dict[str, Any]:
        verdict = self.get("/api/v2/sync/verification")
        assert isinstance(verdict, dict)
        return verdict

    # --- within -------------------------------------------------------------------------------------------------

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


def linked(*nodes: NodeProcess) -> bool:
    """Whether each of these is linked to all the others."""
    return all(node.connected() >= len(nodes) - 1 for node in nodes)


def agree(*nodes: NodeProcess) -> bool:
    """Whether all hold the same, by their own comparison over the links and by ours of their digests."""
    verdicts = [node.verify() for node in nodes]
    compared = all(len(one["peers"]) >= len(nodes) - 1 and one["agree"] for one in verdicts)
    return compared and len({one["digest"] for one in verdicts}) == 1


def descendants(pid: int) -> set[int]:
    """Every living process below this one. Read it before the parent ends: orphans change their parent."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    open_pids = [pid]
    while open_pids:
        below = children.get(open_pids.pop(), [])
        found.update(below)
        open_pids += below
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def in_netns(name: str) -> Iterator[None]:
    """Sockets that this thread makes within are of that network namespace; "" is where we are."""
    if not name:
        yield
        return
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(Path("/run/netns") / name)
        try:
            yield
        finally:
            _set_namespace(own)
    finally:
        os.close(own)


def _enter(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        _set_namespace(handle)
    finally:
        os.close(handle)


def _set_namespace(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _prefix(netns: str) -> list[str]:
    return ["ip", "netns", "exec", netns] if netns else []


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(env or {})}
