"""The node's one list of engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from jarvis.core.errors import EngineFailed, JarvisError, NotFound, StoreFailed
from jarvis.core.events import EventBus
from jarvis.core.time import SystemClock
from jarvis.engines.engine import IDLE_S
from jarvis.engines.worker import Worker
from jarvis.node.minds.engines import Engines
from jarvis.node.minds.offered import OfferedEngines
from jarvis.plugins.kinds import EngineOffer
from jarvis.testing.engines import TARGET


class Bench:
    def __init__(self) -> None:
        self.minutes: str | JarvisError = "30"
        self.followers: list[Callable[[], None]] = []
        self.events = EventBus()
        self.engines = Engines(self.events, SystemClock(), self._idle_minutes, self.followers.append)
        self.stt = self.engines.add("stt", "stt", Worker("stt", TARGET, {}))
        self.tts = self.engines.add("tts", "tts", Worker("tts", TARGET, {"load": "crash"}))

    async def _idle_minutes(self) -> str:
        if isinstance(self.minutes, JarvisError):
            raise self.minutes
        return self.minutes


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_it_lists_restarts_and_closes() -> None:
    async def main() -> None:
        bench = Bench()
        try:
            rows = await bench.engines.list()
            assert [row["name"] for row in rows] == ["stt", "tts"]
            assert rows[0] == {
                "name": "stt", "kind": "stt", "state": "stopped", "pid": None, "rss_bytes": 0, "restarts": 0,
                "breaker": "closed", "detail": "not started",
            }  # fmt: skip
            row = await bench.engines.restart("stt")
            assert row["state"] == "ready" and row["pid"] and row["rss_bytes"] > 1_000_000
            with pytest.raises(NotFound, match="no engine 'nose'") as unknown:
                await bench.engines.restart("nose")
            assert "stt, tts" in unknown.value.fix
            with pytest.raises(EngineFailed, match="while it loaded"):
                await bench.engines.restart("tts")
            states = {name: part["state"] for name, part in bench.engines.components().items()}
            assert states == {"stt": "ok", "tts": "degraded"}
        finally:
            await bench.engines.close()
        assert bench.stt.pid is None and bench.stt.state == "stopped"

    asyncio.run(main())


def test_there_are_no_two_of_a_name() -> None:
    with pytest.raises(ValueError, match="two engines"):
        Bench().engines.add("stt", "stt", Worker("stt", TARGET, {}))


def test_how_long_they_may_idle_is_followed() -> None:
    async def main() -> None:
        bench = Bench()
        running = asyncio.create_task(bench.engines.run())
        await settle()
        assert bench.stt.idle_s == 1_800
        for text, seconds in (("1", 60), ("0", 0), ("soon", IDLE_S)):
            bench.minutes = text
            for changed in bench.followers:
                changed()
            await settle()
            assert bench.stt.idle_s == bench.tts.idle_s == seconds
        bench.minutes = StoreFailed("The disk is gone.")
        bench.followers[0]()
        await settle()
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_fallback_is_told() -> None:
    async def main() -> None:
        bench = Bench()
        with bench.events.subscribe() as told:
            ranked = bench.engines.ranked("stt", bench.tts, bench.stt)
            try:
                assert await ranked.call("echo", 1, deadline_s=20) == 1
            finally:
                await bench.engines.close()
            names = []
            while not names or names[-1] != "engine.helped":
                names.append((await asyncio.wait_for(told.get(), 5)).name)
        assert "engine.failed" in names

    asyncio.run(main())


def test_one_may_come_and_go_while_they_run() -> None:
    offers = [EngineOffer("beeps", "tts", TARGET, {})]
    changed: list[Callable[[], None]] = []

    async def main() -> None:
        bench = Bench()
        offered = OfferedEngines(bench.engines, lambda: offers, changed.append)
        tts = bench.engines.ranked("tts", bench.tts, first=lambda: offered.of_kind("tts"))
        tasks = [asyncio.create_task(one()) for one in (bench.engines.run, offered.run)]
        try:
            await settle()
            (beeps,) = offered.of_kind("tts")
            assert not offered.of_kind("stt") and [row["name"] for row in await bench.engines.list()][-1] == "beeps"
            assert beeps.idle_s == 1_800, "it is told how long it may idle, as the others are"
            assert await tts.call("echo", 1, deadline_s=20) == 1 and beeps.pid is not None and bench.tts.pid is None
            offers[:] = [EngineOffer("stt", "tts", TARGET, {})]  # a name that is taken
            changed[0]()
            async with asyncio.timeout(20):
                while beeps.pid is not None:  # noqa: ASYNC110 - a process tells nobody that it has ended
                    await asyncio.sleep(0.01)
            assert not offered.of_kind("tts") and "beeps" not in bench.engines.components()
            with pytest.raises(EngineFailed):
                await tts.call("echo", 1, deadline_s=20)
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await bench.engines.close()

    asyncio.run(main())
