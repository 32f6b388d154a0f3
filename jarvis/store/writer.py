"""One thread that does all the work of a store, in order, many works at a time. It owns the queue between the event
loop and the disk; it must never touch the loop's state except through `call_soon_threadsafe`, nor forget a caller."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import traceback
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import structlog

from jarvis.core.errors import DeadlineExceeded, JarvisError, Overloaded, StoreFailed
from jarvis.store.protocol import Transaction

QUEUE_WORKS = 1_024
"""Works that may wait: what a busy home writes in some seconds; beyond that callers must slow down."""
COMMIT_WORKS = 256
"""Works in one commit: enough to hide the fsync, few enough that the first of them waits only some milliseconds."""
CLOSE_DEADLINE_S = 4.0
"""A node ends within 5 s; a disk that hangs longer must not keep it."""

Work = Callable[[Transaction], Any]

log = structlog.get_logger()


class Job:
    """One work on its way through the thread, with the future its caller awaits."""

    __slots__ = ("error", "future", "result", "work", "writes")

    def __init__(self, work: Work, future: asyncio.Future[Any], *, writes: bool) -> None:
        self.work = work
        self.future = future
        self.writes = writes
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """In the loop: tell the caller, if still there."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # which a future refuses to carry
            self.future.set_exception(RuntimeError("a work raised StopIteration"))
        else:
            self.future.set_exception(self.error)


class Engine(Protocol):
    """What the thread drives. All three run in the thread; only `open` may raise."""

    def open(self) -> None: ...

    def run(self, jobs: Sequence[Job], done: Callable[[Sequence[Job]], None]) -> None:
        """Give every job its result or error, and hand each to `done` once that may be told."""

    def close(self) -> None: ...


class GroupWriter:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        """None, the last of all, tells the thread to end. A lock of C's wakes it in a third of a Condition's time."""
        self._closing = False
        self._guard = threading.Lock()
        """So that nothing is put once `_closing` is set."""
        # A daemon: a disk that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._main, name="jarvis-store", daemon=True)

    async def start(self) -> None:
        """Returns when the engine is open; raises what its `open` raised."""
        self._thread.start()
        try:
            await asyncio.shield(self._started)
        except asyncio.CancelledError:  # nobody will use it
            self._stop()
            raise
        except BaseException:
            await self.close()
            raise

    async def submit(self, work: Work, *, writes: bool) -> Any:
        job = Job(work, self._loop.create_future(), writes=writes)
        with self._guard:
            if self._closing:
                raise StoreFailed("The store is closed.")
            if self._queue.qsize() >= QUEUE_WORKS:
                raise Overloaded(f"{QUEUE_WORKS} works wait for the disk.", fix="Try again in a moment.")
            self._queue.put(job)
        return await job.future

    async def close(self) -> None:
        self._stop()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):  # not wait_for: before 3.12 it loses a cancel at the end
                await asyncio.shield(self._ended)
        except TimeoutError:
            self._fail_waiting()
            raise DeadlineExceeded(
                f"The store did not close in {CLOSE_DEADLINE_S:.0f} s.", fix="Look whether the disk answers."
            ) from None
        self._thread.join(CLOSE_DEADLINE_S)

    def _stop(self) -> None:
        with self._guard:
            self._closing = True
        self._queue.put(None)

    def _main(self) -> None:
        try:
            self._engine.open()
        except BaseException as error:
            self._tell(self._settle, self._started, error)
            self._tell(self._settle, self._ended, None)
            return
        self._tell(self._settle, self._started, None)
        jobs: list[Job] = []
        try:
            while jobs := self._take():
                self._engine.run(jobs, self._done)
        except BaseException as error:
            # A mistake of ours, not of the disk. What is on disk is whole, so stop here rather than go on in doubt.
            self._stop()
            self._done([_failed(job) for job in jobs])  # first of all: what comes next may fail as well
            # The trace without values: a log may hold no word that was spoken.
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("store.writer_died", error=type(error).__name__, trace=trace)
        finally:
            self._fail_waiting()
            self._engine.close()
            self._tell(self._settle, self._ended, None)

    def _take(self) -> list[Job]:
        """The next works, waiting for one; none when closing and the queue is empty."""
        jobs: list[Job] = []
        while len(jobs) < COMMIT_WORKS and not (jobs and self._queue.empty()):
            job = self._queue.get()
            if job is None:
                self._queue.put(None)  # for the next look
                break
            jobs.append(job)
        return jobs

    def _fail_waiting(self) -> None:
        with self._guard:
            self._closing = True
        waiting = []
        with contextlib.suppress(Empty):
            while True:
                waiting.append(self._queue.get_nowait())
        self._queue.put(None)
        self._done([_failed(job) for job in waiting if job is not None])

    def _done(self, jobs: Sequence[Job]) -> None:
        if jobs:
            self._tell(_settle_all, list(jobs))

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is closed, so nobody waits
            log.debug("store.nobody_waits")

    @staticmethod
    def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _failed(job: Job) -> Job:
    if not isinstance(job.error, JarvisError):
        job.error = StoreFailed("The store stopped before this was written.", fix="Start Jarvis again.")
    return job


def _settle_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.settle()
