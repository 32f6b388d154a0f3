"""A worker with a real child process: answers, streams, crashes, hangs, nonsense, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from jarvis.core.codec import Value
from jarvis.core.errors import DeadlineExceeded, EngineFailed, InvalidInput, Missing
from jarvis.engines import frames
from jarvis.engines.worker import Worker
from jarvis.testing.engines import TARGET
from jarvis.testing.waiting import until


def with_worker(use: Callable[[Worker], Awaitable[None]], **settings: str) -> None:
    async def main() -> None:
        worker = Worker("test", TARGET, dict(settings), start_deadline_s=20)
        try:
            await use(worker)
        finally:
            await worker.close()

    asyncio.run(main())


def test_values_come_back_as_they_went_and_noise_on_stdout_harms_nothing() -> None:
    async def use(worker: Worker) -> None:
        audio = os.urandom(3_000_000)
        for value in (None, "wörld", audio, {"a": [1, 2.5, True]}):
            assert await worker.call("echo", value, deadline_s=10) == value
        assert await worker.call("noise", 7, deadline_s=10) == 7
        assert worker.state == "ready" and worker.restarts == 0
        assert worker.rss_bytes() > 1_000_000

    with_worker(use)


def test_starting_twice_keeps_the_child() -> None:
    async def use(worker: Worker) -> None:
        await worker.start()
        pid = worker.pid
        await asyncio.gather(worker.start(), worker.start())
        assert worker.pid == pid is not None

    with_worker(use)


def test_what_the_engine_refuses_is_told_as_it_said_it() -> None:
    async def use(worker: Worker) -> None:
        with pytest.raises(InvalidInput, match="That is no sound") as caught:
            await worker.call("refuse", deadline_s=10)
        assert caught.value.fix == "Give another."
        with pytest.raises(EngineFailed) as failed:
            await worker.call("raise_secret", deadline_s=10)
        assert "RuntimeError" in str(failed.value) and "swordfish" not in str(failed.value)
        with pytest.raises(InvalidInput, match="_first"):
            await worker.call("_first", deadline_s=10)
        assert worker.restarts == 0

    with_worker(use)


def test_a_crash_is_repeated_once_and_answered(tmp_path: Path) -> None:
    async def use(worker: Worker) -> None:
        assert await worker.call("crash_once", deadline_s=10) == "survived"
        assert worker.restarts == 1 and worker.state == "ready"

    with_worker(use, once=str(tmp_path / "once"))


def test_a_hang_is_killed_at_its_deadline_and_repeated_once(tmp_path: Path) -> None:
    async def use(worker: Worker) -> None:
        assert await worker.call("hang_once", deadline_s=0.5) == "survived"
        assert worker.restarts == 1

    with_worker(use, once=str(tmp_path / "once"))


def test_crashing_and_hanging_twice_is_an_error_and_the_next_call_works() -> None:
    async def use(worker: Worker) -> None:
        with pytest.raises(EngineFailed):
            await worker.call("crash", deadline_s=10)
        assert worker.state == "failed" and worker.pid is None
        with pytest.raises(DeadlineExceeded):
            await worker.call("hang", deadline_s=0.2)
        assert await worker.call("echo", 1, deadline_s=10) == 1

    with_worker(use)


def test_nonsense_from_the_child_is_a_failure_not_a_hang() -> None:
    async def use(worker: Worker) -> None:
        with pytest.raises(EngineFailed, match="nonsense"):
            await worker.call("nonsense", deadline_s=10)

    with_worker(use)


def test_killed_in_mid_call_and_killed_while_idle() -> None:
    async def use(worker: Worker) -> None:
        await worker.start()
        call = asyncio.create_task(worker.call("slowly", 0.5, deadline_s=10))
        await asyncio.sleep(0)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert await call == 0.5
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: worker.pid is None)
        assert await worker.call("echo", 2, deadline_s=10) == 2
        assert worker.restarts == 2

    with_worker(use)


@pytest.mark.parametrize(
    ("load", "error", "words"),
    [
        ("missing", Missing, "not installed"),
        ("crash", EngineFailed, "while it loaded"),
        ("hang", DeadlineExceeded, "did not answer"),
    ],
)
def test_a_child_that_cannot_load_says_why(load: str, error: type[Exception], words: str) -> None:
    async def main() -> None:
        worker = Worker("test", TARGET, {"load": load}, start_deadline_s=2)
        with pytest.raises(error, match=words):
            await worker.start()
        assert worker.state == "failed"
        await worker.close()
        assert worker.pid is None

    asyncio.run(main())


def test_a_stream_yields_and_closing_it_cancels_in_the_child(tmp_path: Path) -> None:
    async def use(worker: Worker) -> None:
        assert [n async for n in worker.stream("count", 5, deadline_s=10, idle_s=10)] == [0, 1, 2, 3, 4]
        closed.unlink()
        async with aclosing(worker.stream("count", 10**9, deadline_s=10, idle_s=10)) as numbers:
            async for number in numbers:
                if number == 3:
                    break
        assert await worker.call("echo", "next", deadline_s=10) == "next"
        assert closed.read_text() == "closed"
        assert worker.restarts == 0

    closed = tmp_path / "closed"
    with_worker(use, once=str(closed))


def test_a_stream_is_repeated_only_when_nothing_had_come(tmp_path: Path) -> None:
    async def use(worker: Worker) -> None:
        numbers = worker.stream("crash_once_then_count", 3, deadline_s=10, idle_s=10)
        assert [n async for n in numbers] == [0, 1, 2]
        got = []
        with pytest.raises(EngineFailed):
            async for number in worker.stream("count_then_crash", 3, deadline_s=10, idle_s=10):
                got.append(number)
        assert got == [0, 1, 2]

    with_worker(use, once=str(tmp_path / "once"))


def test_a_cancelled_call_leaves_the_pipe_in_step() -> None:
    async def use(worker: Worker) -> None:
        big = os.urandom(2_000_000)
        for delay_s in (0, 0.001, 0.003, 0.01):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(worker.call("slowly", 0.05, deadline_s=10), 0.01)
            task = asyncio.create_task(worker.call("echo", big, deadline_s=10))
            await asyncio.sleep(delay_s)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await worker.call("echo", delay_s, deadline_s=10) == delay_s
        assert worker.restarts == 0

    with_worker(use)


def test_waiting_for_a_busy_worker_has_the_callers_deadline() -> None:
    async def use(worker: Worker) -> None:
        await worker.start()
        busy = asyncio.create_task(worker.call("slowly", 0.6, deadline_s=10))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded, match="busy"):
            await worker.call("echo", 1, deadline_s=0.1)
        assert await busy == 0.6

    with_worker(use)


def test_closing_in_mid_call_ends_the_call_and_the_child() -> None:
    async def use(worker: Worker) -> None:
        await worker.start()
        pid = worker.pid
        call = asyncio.create_task(worker.call("hang", deadline_s=30))
        await asyncio.sleep(0)
        await worker.close()
        with pytest.raises(EngineFailed, match="closed"):
            await call
        assert pid is not None and not alive(pid) and worker.state == "stopped"

    with_worker(use)


def test_closing_while_an_old_answer_is_dropped_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(worker: Worker) -> None:
        await worker.start()
        read, closing = worker._read, list[asyncio.Task[None]]()

        async def old_answer() -> dict[str, Value]:
            if closing:
                return await read()
            closing.append(asyncio.create_task(worker.close()))
            await until(lambda: worker._process is None)
            return {"id": -1}

        monkeypatch.setattr(worker, "_read", old_answer)
        with pytest.raises(EngineFailed, match="was closed"):
            await worker.call("echo", 1, deadline_s=10)
        await asyncio.gather(*closing)

    with_worker(use)


@pytest.mark.parametrize("turns", range(6))
def test_closing_that_is_cancelled_as_the_child_ends_is_cancelled(turns: int) -> None:
    """Whoever closes a worker is told to stop at any of the loop's turns: the one who runs it for ever must hear it."""

    async def use(worker: Worker) -> None:
        await worker.start()
        process = worker._process
        assert process is not None
        closing = asyncio.create_task(worker.close())
        await process.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        if closing.cancel():  # not when it is done already
            await asyncio.wait({closing})
            assert closing.cancelled()

    with_worker(use)


def test_restart_frees_a_worker_that_hangs() -> None:
    async def use(worker: Worker) -> None:
        call = asyncio.create_task(worker.call("hang", deadline_s=60))
        await until(lambda: worker.state == "ready")
        call.cancel()
        await worker.restart()
        assert await worker.call("echo", 3, deadline_s=10) == 3

    with_worker(use)


ORPHAN = """
import asyncio, sys
from jarvis.engines.worker import Worker
async def main():
    worker = Worker("orphan", "jarvis.testing.engines:Misbehaving", {})
    await worker.start()
    asyncio.get_running_loop().create_task(worker.call("hang", deadline_s=600))
    await asyncio.sleep(0)
    print(worker.pid, file=sys.stderr, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_the_child_dies_with_its_parent_even_in_mid_call() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert parent.stderr is not None
    pid = int(parent.stderr.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stderr.close()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.01)


def test_a_frame_over_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidInput, match="too many"):
        frames.encode({"audio": bytes(frames.LIMITS.size_bytes)})
    with pytest.raises(InvalidInput, match="limit"):
        frames.body_length(b"\xff\xff\xff\xff")


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_child_is_given_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("JARVIS_LLM_FIRST_KEY", "JARVIS_HOME_ASSISTANT_TOKEN_FILE", "CREDENTIALS_DIRECTORY", "JARVIS_OTHER")
    for name in names:
        monkeypatch.setenv(name, "x")

    async def run() -> None:
        worker = Worker("test", TARGET, {})
        try:
            await worker.start()
            given = [await worker.call("environment", name, deadline_s=10) for name in names]
            assert given == [None, None, None, "x"]
        finally:
            await worker.close()

    asyncio.run(run())


def test_a_child_keeps_its_libraries_from_reporting_their_use() -> None:
    async def run() -> None:
        worker = Worker("test", TARGET, {})
        try:
            await worker.start()
            assert await worker.call("environment", "ORT_DISABLE_TELEMETRY", deadline_s=10) == "1"
        finally:
            await worker.close()

    asyncio.run(run())
