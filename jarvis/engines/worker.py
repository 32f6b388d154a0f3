"""The parent side of a worker: one child process that holds one model, asked one thing at a time.

A crash or a missed deadline kills the child, starts it once more and repeats a call that had not been answered. It
never lets a caller wait beyond its deadline and never leaves a child behind. It knows no model by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import structlog

from jarvis.core.codec import Value
from jarvis.core.errors import DeadlineExceeded, EngineFailed, InvalidBytes, JarvisError
from jarvis.core.secrets import without_secrets
from jarvis.engines import frames

log = structlog.get_logger()

State = Literal["stopped", "starting", "ready", "failed"]
CLOSE_S = 2.0
"""How long a child may take to end by itself. It ends at the end of its input, so this is generous."""
STDERR_BYTES = 16 * 1024
"""Read of standard error at once: a traceback is about 4 KiB."""


class Busy(DeadlineExceeded):
    """Others had the worker until the caller's deadline. It says nothing about the worker's health."""


class _Died(Exception):
    """The child is gone or speaks nonsense."""


class Worker:
    """`target` is `module:factory`; the factory takes `settings` as keywords, in the child. `repeats` says whether a
    call that killed the child is made once more."""

    def __init__(
        self,
        name: str,
        target: str,
        settings: dict[str, Value],
        *,
        start_deadline_s: float = 60,
        repeats: bool = True,
    ) -> None:
        self.name = name
        self.state: State = "stopped"
        self.restarts = 0
        """How many times a child had to be started again."""
        self._target, self._settings = target, settings
        self._start_deadline_s = start_deadline_s
        self._repeats = repeats
        self._began = False  # a child was there since the worker was made or closed: the next one is a restart
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: asyncio.Task[None] | None = None
        self._body_bytes: int | None = None  # a header was read, its body not yet: a cancelled read resumes here
        self._next_id = 1
        self._closing = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def rss_bytes(self) -> int:
        """Memory the child holds, 0 when there is none."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def start(self) -> None:
        """Spawn the child and load its model; nothing when that is done. Raises EngineFailed, DeadlineExceeded, or
        what the engine says, such as Missing."""
        async with self._turn:
            try:
                await self._ensure_ready()
            except _Died as problem:
                await self._failed(problem, last_try=True)

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        """The method's result. Each of at most two tries has `deadline_s`, loading apart; so has waiting for a turn.

        Cancelling it frees the turn, not the child: whoever calls next waits, within its own deadline, until that has
        done what it was asked. Only `restart` stops it sooner.

        Raises DeadlineExceeded, EngineFailed, or what the engine raised.
        """
        async with self._take_turn(deadline_s):
            for last_try in (False, True) if self._repeats else (True,):
                try:
                    await self._ensure_ready()
                    number = self._send("call", method, args)
                    return (await self._answer(number, deadline_s)).get("value")
                except (_Died, DeadlineExceeded) as problem:
                    await self._failed(problem, last_try)
        raise AssertionError("unreachable")

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        """What the method's iterator yields; closing this cancels it in the child. `idle_s` bounds each wait,
        `deadline_s` all the waiting together; time the consumer takes is its own. Nothing is repeated once an item
        has come: then the error is EngineFailed or DeadlineExceeded."""
        async with self._take_turn(deadline_s):
            left_s, yielded = deadline_s, False
            for last_try in (False, True):
                number = None
                try:
                    await self._ensure_ready()
                    number = self._send("stream", method, args)
                    while True:
                        began = time.monotonic()
                        message = await self._answer(number, min(idle_s, left_s))
                        left_s -= time.monotonic() - began
                        if "item" not in message:
                            number = None
                            return
                        yielded = True
                        yield message["item"]
                except (_Died, DeadlineExceeded) as problem:
                    number = None
                    await self._failed(problem, last_try or yielded)
                    left_s = deadline_s
                except JarvisError:
                    number = None
                    raise
                finally:
                    if number is not None:
                        self._cancel(number)

    async def restart(self) -> None:
        """Kill the child, whatever it is doing, and load again: the only cancel a running decode knows. A call that
        somebody still awaits is repeated; cancel it first if it is not wanted."""
        if self._process is not None and self._process.returncode is None:
            _kill(self._process)
            await self._process.wait()
        await self.start()

    async def close(self) -> None:
        """End the child. Calls under way or waiting fail. The next `start` or call brings a new one."""
        self._closing = True
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):  # not wait_for: before 3.12 it loses a cancel as the child ends
                    await process.wait()
        await self._kill()
        # Whoever is in a call sees the child gone and leaves. Only the holder of an unread stream does not.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S), self._turn:
                pass
        self.state, self._began = "stopped", False
        self._closing = False

    @contextlib.asynccontextmanager
    async def _take_turn(self, deadline_s: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(deadline_s):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy(f"The {self.name} engine was busy for {deadline_s:g} s.") from None
        try:
            yield
        finally:
            self._turn.release()

    async def _ensure_ready(self) -> None:
        if self._closing:
            raise EngineFailed(f"The {self.name} engine was closed.")
        if self.pid is not None and self.state == "ready":
            return
        await self._kill()
        self.restarts += self._began
        self.state = "starting"
        try:
            await self._spawn()
            await self._answer(0, self._start_deadline_s)
        except _Died as problem:
            raise _Died(f"{problem} while it loaded") from None
        except BaseException:
            await self._kill()
            self.state = "failed"
            raise
        self.state, self._began = "ready", True
        log.debug("engine ready", engine=self.name, pid=self.pid)

    async def _spawn(self) -> None:
        command = (sys.executable, "-m", "jarvis.engines.host", self._target, str(os.getpid()))
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=without_secrets(os.environ)
        )
        self._body_bytes = None
        self._stderr = asyncio.create_task(self._log_stderr(self._process), name=f"{self.name} stderr")
        self._write({"settings": self._settings})

    def _send(self, do: str, method: str, args: tuple[Value, ...]) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        self._write({"id": number, "do": do, "method": method, "args": list(args)})
        return number

    def _write(self, message: dict[str, Value]) -> None:
        """Not drained: one request at a time is at most one frame in memory, bounded by `frames.LIMITS`."""
        stdin = self._child().stdin
        assert stdin is not None, "made with a pipe"
        stdin.write(frames.encode(message))

    def _cancel(self, number: int) -> None:
        if self.pid is not None:
            self._write({"id": number, "do": "cancel"})

    async def _answer(self, number: int, deadline_s: float) -> dict[str, Value]:
        """The next message for request `number`; those of requests given up earlier are dropped."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    message = await self._read()
                    if message.get("id") == number:
                        break
        except TimeoutError:
            raise DeadlineExceeded(f"The {self.name} engine did not answer within {deadline_s:g} s.") from None
        if "error" in message:
            raise frames.error_from_value(message["error"], self.name)
        return message

    async def _read(self) -> dict[str, Value]:
        stdout = self._child().stdout
        assert stdout is not None, "made with a pipe"
        try:
            if self._body_bytes is None:
                self._body_bytes = frames.body_length(await stdout.readexactly(frames.HEADER.size))
            body = await stdout.readexactly(self._body_bytes)
            self._body_bytes = None
            return frames.decode(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _Died("it ended") from None
        except InvalidBytes as error:
            raise _Died(f"it answered nonsense ({error})") from None

    def _child(self) -> asyncio.subprocess.Process:
        """Raises _Died: `close` may end it between any two steps of a call."""
        if self._process is None:
            raise _Died("it was ended")
        return self._process

    async def _failed(self, problem: Exception, last_try: bool) -> None:
        """Kill what is left; raise when there is no try left."""
        await self._kill()
        if self._closing:
            raise EngineFailed(f"The {self.name} engine was closed.") from None
        self.state, self._began = "failed", True
        log.warning("engine failed", engine=self.name, problem=str(problem), again=not last_try)
        if not last_try:
            return
        if isinstance(problem, DeadlineExceeded):
            raise problem
        raise EngineFailed(
            f"The {self.name} engine failed: {problem}.", fix=f"Try again, or `jarvis engine restart {self.name}`."
        ) from None

    async def _kill(self) -> None:
        process, self._process = self._process, None
        stderr, self._stderr = self._stderr, None
        if process is None:
            return
        if process.returncode is None:
            _kill(process)
        await process.wait()
        if stderr is not None:
            stderr.cancel()
            await asyncio.gather(stderr, return_exceptions=True)

    async def _log_stderr(self, process: asyncio.subprocess.Process) -> None:
        """Drains it, or a chatty library would fill the pipe and stop. Debug only: it may hold what was said."""
        assert process.stderr is not None
        while chunk := await process.stderr.read(STDERR_BYTES):
            log.debug("engine says", engine=self.name, text=chunk.decode("utf-8", "replace").rstrip())


def _kill(process: asyncio.subprocess.Process) -> None:
    """Not `process.kill()`: that polls first, and reaps an ended child before asyncio's watcher can."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
