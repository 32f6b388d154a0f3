"""What the home calls its things is known as soon as somebody begins to speak."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.house.calling import Names
from jarvis.core.errors import JarvisError, Missing, StoreFailed, Unreachable
from jarvis.core.events import EventBus
from jarvis.home_assistant.things import Devices, House, Thing
from jarvis.node.hearing.home_names import HomeNames
from jarvis.voice.events import SpeechStarted
from tests.assistant.homes import MemoryHome

EARLIER = Assistant().hint()


@dataclass
class Things:
    now: House = field(default_factory=House)
    broken: JarvisError | None = None

    async def house(self) -> House:
        if self.broken is not None:
            raise self.broken
        return self.now


class Told(Assistant):
    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def know(self, names: Names) -> None:
        super().know(names)
        self.told.set()


def test_it_is_read_again_when_somebody_speaks() -> None:
    assistant, events, things = Told(), EventBus(), Things()
    home = MemoryHome(devices=cast(Devices, things), kept={"packing": ["socks"]})
    names = HomeNames(assistant, events, home, lambda: ["hall"])

    async def told(expected: str) -> None:
        async with asyncio.timeout(5):
            await assistant.told.wait()
        assistant.told.clear()
        assert assistant.hint().removeprefix(EARLIER).strip() == expected

    async def main() -> None:
        running = asyncio.create_task(names.run())
        try:
            await told("The hall, the packing list.")
            things.now = House((Thing("climate.hall", ("EcoBee",), None, "heat"),))
            await home.set_timer(60, "pasta")
            events.publish(SpeechStarted(at_ms=0, turn="1", stream_ms=0))
            await told("The hall, the EcoBee, the packing list, the pasta timer.")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        things.broken = Unreachable("It is away.")
        home.timers.clear()
        await names.refresh()
        assert "EcoBee" in assistant.hint() and "pasta" not in assistant.hint(), "things keep their names meanwhile"
        things.broken = Missing("No Home Assistant is set up.")
        await names.refresh()
        assert "EcoBee" not in assistant.hint()
        home.broken = StoreFailed("The disk is full.")
        home.kept = {"other": ["x"]}
        await names.refresh()
        assert "hall" in assistant.hint()

    asyncio.run(main())
