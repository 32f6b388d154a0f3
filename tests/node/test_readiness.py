"""Apologies are made while the voice works; models come back at a wake word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from jarvis.core.errors import EngineFailed, JarvisError
from jarvis.core.events import EventBus
from jarvis.engines.events import EngineReady
from jarvis.node.readiness import Readiness
from jarvis.voice.events import WakeHeard


class Bench:
    def __init__(self, *outcomes: JarvisError | None) -> None:
        self.events, self.outcomes, self.made, self.started = EventBus(), list(outcomes), 0, list[str]()
        self.states = {"stt": "stopped", "tts": "ready"}
        engines = [
            SimpleNamespace(name=name, state=state, start=self._start(name)) for name, state in self.states.items()
        ]
        self.readiness = Readiness(self.events, cast(Any, engines), self._prepare, ["Sorry."])

    def _start(self, name: str) -> Callable[[], Any]:
        async def start() -> None:
            self.started.append(name)
            raise EngineFailed("Not today.")  # nobody waits for it, and nothing ends

        return start

    async def _prepare(self, texts: Sequence[str]) -> None:
        assert texts == ["Sorry."]
        self.made += 1
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    def ready(self, kind: str) -> None:
        self.events.publish(EngineReady(at_ms=0, engine=kind, kind=kind, restarts=0))


def play(bench: Bench, *scenes: Callable[[], None]) -> None:
    async def main() -> None:
        running = asyncio.create_task(bench.readiness.run())
        for scene in (lambda: None, *scenes):
            for _ in range(5):
                await asyncio.sleep(0)
            scene()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_once_the_voice_is_there_and_again_only_when_that_failed() -> None:
    bench = Bench(EngineFailed("It broke."), None)
    play(bench, *[lambda kind=kind: bench.ready(kind) for kind in ("stt", "tts", "tts", "tts")])
    assert bench.made == 2


def test_what_was_given_back_is_loaded_while_somebody_speaks() -> None:
    bench = Bench()
    play(bench, lambda: bench.events.publish(WakeHeard(at_ms=0, score=0.99, stream_ms=0)))
    assert bench.started == ["stt"]
