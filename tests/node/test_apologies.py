"""Apologies are made while the voice works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jarvis.core.errors import EngineFailed
from jarvis.core.events import EventBus
from jarvis.engines.events import EngineReady
from jarvis.node.hearing.apologies import Apologies


def test_once_the_voice_is_there_and_again_only_when_that_failed() -> None:
    made: list[Sequence[str]] = []

    async def prepare(texts: Sequence[str]) -> None:
        made.append(texts)
        if len(made) == 1:
            raise EngineFailed("It broke.")

    async def main() -> None:
        events = EventBus()
        running = asyncio.create_task(Apologies(events, prepare, ["Sorry."]).run())
        for kind, times in (("stt", 0), ("tts", 1), ("tts", 2)):
            await asyncio.sleep(0)
            assert not running.done()
            events.publish(EngineReady(at_ms=0, engine=kind, kind=kind, restarts=0))
            for _ in range(3):
                await asyncio.sleep(0)
            assert len(made) == times
        await asyncio.wait_for(running, 5)

    asyncio.run(main())
    assert made == [["Sorry."]] * 2
