"""Supervision above a worker: with a double in virtual time for its rules, with a real child for what it is for."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from jarvis.core.codec import Value
from jarvis.core.errors import EngineFailed, InvalidInput, JarvisError, Missing
from jarvis.core.events import Event
from jarvis.engines.breaker import BreakerSettings
from jarvis.engines.engine import Engine
from jarvis.engines.worker import Busy, Worker
from jarvis.testing.engines import TARGET


class Clock:
    def __init__(self) -> None:
        self.ms = 0.0

    def mono_ms(self) -> float:
        return self.ms

    def wall_ms(self) -> int:
        return 0


class Scripted:
    """A worker that does what the test says."""

    def __init__(self) -> None:
        self.state, self.restarts, self.pid = "stopped", 0, None
        self.script: list[JarvisError | Value] = []
        self.starts = 0
        self.load: JarvisError | None = None
        self.hold: asyncio.Event | None = None

    def rss_bytes(self) -> int:
        return 1_000 if self.pid else 0

    async def start(self) -> None:
        if self.pid:
            return
        if self.load is not None:
            self.state = "failed"
            raise self.load
        self.starts += 1
        self.state, self.pid = "ready", 100 + self.starts

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        await self.start()
        if self.hold is not None:
            await self.hold.wait()
        answer = self.script.pop(0) if self.script else "well"
        if isinstance(answer, EngineFailed):
            self.state, self.pid = "failed", None
        if isinstance(answer, JarvisError):
            raise answer
        return answer

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        await self.start()
        for item in list(self.script):
            if isinstance(item, JarvisError):
                self.state, self.pid = "failed", None
                raise item
            yield item

    async def restart(self) -> None:
        self.pid = None
        await self.start()

    async def close(self) -> None:
        self.state, self.pid = "stopped", None

    def die(self) -> None:
        self.pid = None


BROKEN = EngineFailed("It broke.")


class Bench:
    def __init__(self, **options: float) -> None:
        self.clock, self.worker, self.events = Clock(), Scripted(), list[Event]()
        self.engine = Engine(
            "stt",
            "stt",
            self.worker,
            clock=self.clock,
            emit=self.events.append,
            breaker=BreakerSettings(jitter=0),
            **options,
        )

    async def call(self) -> Value:
        return await self.engine.call("echo", deadline_s=1)

    async def fails(self) -> None:
        self.worker.script = [BROKEN]
        with pytest.raises(EngineFailed, match="It broke"):
            await self.call()

    def names(self) -> list[str]:
        return [event.name for event in self.events]


def test_it_opens_after_three_failures_and_closes_by_a_success() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(3):
            assert bench.engine.status()["breaker"] == "closed"
            await bench.fails()
        assert bench.engine.status()["breaker"] == "open"
        assert bench.engine.component()["state"] == "failed" and "It broke" in bench.engine.component()["detail"]
        with pytest.raises(EngineFailed, match="left alone for 2 s more") as refused:
            await bench.call()
        assert "jarvis engine restart stt" in refused.value.fix
        bench.clock.ms += 2_000
        assert bench.engine.status()["breaker"] == "half-open" and bench.engine.component()["state"] == "degraded"
        await bench.fails()
        assert bench.engine.status()["breaker"] == "open"
        bench.clock.ms += 4_000
        assert await bench.call() == "well"
        assert bench.engine.status()["breaker"] == "closed" and bench.engine.component()["state"] == "ok"
        assert bench.names() == ["engine.failed"] * 4 + ["engine.ready"]

    asyncio.run(main())


def test_only_what_is_wrong_with_the_engine_counts() -> None:
    async def main() -> None:
        bench = Bench()
        for error in (Busy("Others have it."), InvalidInput("No sound."), Busy("Others have it.")) * 3:
            bench.worker.script = [error]
            with pytest.raises(type(error)):
                await bench.call()
        assert bench.engine.status()["breaker"] == "closed" and "engine.failed" not in bench.names()

    asyncio.run(main())


def test_what_is_not_installed_is_no_failure_and_is_looked_for_again() -> None:
    async def main() -> None:
        bench = Bench()
        bench.worker.load = Missing("The model is not installed.", fix="Pull it.")
        for _ in range(5):
            with pytest.raises(Missing):
                await bench.engine.start()
        assert bench.engine.component() == {"state": "failed", "detail": "The model is not installed. Pull it."}
        assert not bench.engine.lendable
        bench.worker.load = None
        with pytest.raises(Missing):
            await bench.call()
        bench.clock.ms += 5_000
        assert await bench.call() == "well"
        assert bench.engine.component()["state"] == "ok" and bench.engine.lendable

    asyncio.run(main())


def test_a_cancelled_trial_gives_its_place_back() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(3):
            await bench.fails()
        bench.clock.ms += 2_000
        bench.worker.hold = asyncio.Event()
        trial = asyncio.create_task(bench.call())
        await asyncio.sleep(0.01)
        with pytest.raises(EngineFailed, match="left alone"):
            await bench.call()
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)
        bench.worker.hold.set()
        assert await bench.call() == "well"

    asyncio.run(main())


def test_a_worker_that_ends_unseen_is_brought_back_after_its_pause() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.call()
        bench.worker.die()
        await bench.engine.tend()
        assert bench.engine.state == "failed" and bench.engine.pid is None
        await bench.engine.tend()
        assert bench.worker.starts == 1, "its pause is not over"
        bench.clock.ms += 500
        await bench.engine.tend()
        assert bench.engine.state == "ready" and bench.worker.starts == 2
        assert bench.engine.component()["state"] == "degraded", "nothing has proved yet that it works"
        await bench.call()
        assert bench.engine.component()["state"] == "ok"
        assert bench.names() == ["engine.ready", "engine.failed", "engine.ready"]

    asyncio.run(main())


def test_pauses_grow_when_it_does_not_come_back() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.call()
        bench.worker.die()
        bench.worker.load = BROKEN
        tries_ms = []
        for _ in range(40_000):
            failures = bench.engine.breaker.failures
            await bench.engine.tend()
            if bench.engine.breaker.failures > failures:
                tries_ms.append(bench.clock.ms)
            bench.clock.ms += 10
        gaps = [round(b - a) for a, b in itertools.pairwise(tries_ms)]
        assert gaps == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000][: len(gaps)]
        assert len(gaps) >= 8
        bench.worker.load = None
        bench.clock.ms += 120_000
        await bench.engine.tend()
        assert bench.engine.status()["breaker"] == "half-open"
        assert await bench.call() == "well"

    asyncio.run(main())


def test_memory_is_given_back_after_idling_and_never_during_a_call() -> None:
    async def main() -> None:
        bench = Bench(idle_s=60)
        await bench.call()
        bench.worker.hold = asyncio.Event()
        call = asyncio.create_task(bench.call())
        await asyncio.sleep(0.01)
        bench.clock.ms += 3_600_000
        await bench.engine.tend()
        assert bench.engine.state == "ready"
        bench.worker.hold.set()
        await call
        bench.clock.ms += 59_000
        await bench.engine.tend()
        assert bench.engine.state == "ready"
        bench.clock.ms += 2_000
        await bench.engine.tend()
        assert (bench.engine.state, bench.engine.rss_bytes()) == ("stopped", 0)
        assert bench.engine.component() == {"state": "off", "detail": "ended, because nobody needed it"}
        assert await bench.call() == "well"
        assert bench.names() == ["engine.ready", "engine.released", "engine.ready"]

    asyncio.run(main())


def test_what_will_be_asked_soon_is_loaded_without_waiting_for_the_next_look() -> None:
    async def main() -> None:
        bench = Bench(idle_s=60)
        supervising = asyncio.create_task(bench.engine.supervise())
        await asyncio.sleep(0)
        bench.engine.want()
        for _ in range(20):  # turns of the loop, and no second
            await asyncio.sleep(0)
        assert bench.engine.state == "ready"
        bench.clock.ms += 59_000
        await bench.engine.tend()
        assert (bench.engine.state, bench.worker.starts) == ("ready", 1), "wanting counts as use"
        bench.clock.ms += 2_000
        await bench.engine.tend()
        assert bench.engine.state == "stopped", "nobody asked in the end"
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)

    asyncio.run(main())


def test_wanting_respects_the_pause_of_one_that_fails() -> None:
    async def main() -> None:
        bench = Bench()
        bench.worker.load = EngineFailed("It does not load.")
        bench.engine.want()
        await bench.engine.tend()
        bench.worker.load = None
        bench.engine.want()
        await bench.engine.tend()
        assert bench.worker.starts == 0
        bench.clock.ms += 1_000
        bench.engine.want()
        await bench.engine.tend()
        assert bench.worker.starts == 1

    asyncio.run(main())


def test_a_dead_engine_that_nobody_needs_stays_dead() -> None:
    async def main() -> None:
        bench = Bench(idle_s=60)
        await bench.call()
        bench.clock.ms += 61_000
        bench.worker.die()
        for _ in range(5):
            await bench.engine.tend()
            bench.clock.ms += 10_000
        assert bench.worker.starts == 1 and bench.engine.state == "stopped"

    asyncio.run(main())


def test_a_stream_that_breaks_off_counts_and_one_that_is_left_does_not() -> None:
    async def main() -> None:
        bench = Bench()
        bench.worker.script = ["a", "b"]
        async with aclosing(bench.engine.stream("count", deadline_s=1, idle_s=1)) as items:
            async for _ in items:
                break
        assert bench.engine.breaker.failures == 0
        bench.worker.script = ["a", BROKEN]
        for _ in range(3):
            with pytest.raises(EngineFailed, match="It broke"):
                [item async for item in bench.engine.stream("count", deadline_s=1, idle_s=1)]
        assert bench.engine.breaker.state == "open"

    asyncio.run(main())


# --- a real child ---------------------------------------------------------------------------------------------------


def with_engine(use: Callable[[Engine, list[Event]], Awaitable[None]], **settings: str) -> None:
    async def main() -> None:
        events: list[Event] = []
        worker = Worker("test", TARGET, dict(settings), start_deadline_s=20)
        engine = Engine("test", "stt", worker, emit=events.append)
        try:
            async with asyncio.timeout(60):
                await use(engine, events)
        finally:
            await engine.close()

    asyncio.run(main())


def test_killed_in_mid_call_it_answers_and_tells_of_it() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        await engine.start()
        call = asyncio.create_task(engine.call("slowly", 0.3, deadline_s=20))
        await asyncio.sleep(0.05)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        assert await call == 0.3
        assert engine.restarts == 1 and engine.status()["breaker"] == "closed"
        assert [event.name for event in events] == ["engine.ready", "engine.failed", "engine.ready"]

    with_engine(use)


def test_killed_while_idle_it_is_loaded_again_before_anybody_asks() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        await engine.start()
        supervisor = asyncio.create_task(engine.supervise())
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while engine.pid in (None, first) or engine.state != "ready":  # noqa: ASYNC110 - the kernel's, not ours
            await asyncio.sleep(0.02)
        supervisor.cancel()
        assert await engine.call("echo", 1, deadline_s=20) == 1
        assert engine.restarts == 1

    with_engine(use)


def test_memory_comes_back_and_the_next_call_loads_it_again() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        await engine.call("echo", 1, deadline_s=20)
        pid, held = engine.pid, engine.rss_bytes()
        assert pid is not None and held > 1_000_000
        engine.idle_s = 1e-6
        await engine.tend()
        assert engine.rss_bytes() == 0 and not Path(f"/proc/{pid}").exists()
        assert await engine.call("echo", 2, deadline_s=20) == 2
        assert engine.restarts == 0, "it was ended on purpose"

    with_engine(use)


def test_a_call_that_comes_while_it_is_ended_for_idleness_is_answered() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        for _ in range(5):
            await engine.start()
            engine.idle_s = 1e-6
            ending = asyncio.create_task(engine.tend())
            await asyncio.sleep(0)
            assert await engine.call("echo", 1, deadline_s=20) == 1
            await ending

    with_engine(use)


def test_restart_during_a_call_repeats_it_and_counts_no_failure() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        await engine.start()
        first = engine.pid
        call = asyncio.create_task(engine.call("slowly", 0.5, deadline_s=20))
        await asyncio.sleep(0.05)
        await engine.restart()
        assert await call == 0.5
        assert engine.pid != first and engine.breaker.failures == 0
        assert "engine.failed" not in [event.name for event in events]

    with_engine(use)


def test_restart_closes_an_open_breaker() -> None:
    async def use(engine: Engine, events: list[Event]) -> None:
        for _ in range(3):
            with pytest.raises(EngineFailed):
                await engine.call("crash", deadline_s=20)
        assert engine.status()["breaker"] == "open"
        await engine.restart()
        assert engine.status()["breaker"] == "closed" and engine.state == "ready"
        assert await engine.call("echo", 1, deadline_s=20) == 1

    with_engine(use)
