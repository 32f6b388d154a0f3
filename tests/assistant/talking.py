"""A conversation with the assistant, in one room after another, for its tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import PastTurn, Reply, Request
from tests.assistant.homes import MemoryHome, whole
from tests.home_assistant.double import HomeAssistantDouble
from tests.home_assistant.test_client import with_home

ROOMS = ("kitchen", "bedroom", "living room", "office")


@dataclass
class Talk:
    """Its turns are those of one session, whichever rooms they are from."""

    home: MemoryHome = field(default_factory=MemoryHome)
    room: str = "kitchen"
    double: HomeAssistantDouble | None = None
    turns: list[PastTurn] = field(default_factory=list)
    assistant: Assistant = field(default_factory=Assistant)
    reply: Reply | None = None

    async def say(self, text: str) -> str:
        request = Request(text, self.room, turns=tuple(self.turns), rooms=ROOMS)
        self.reply = await self.assistant.answer(request, self.home)
        said = await whole(self.reply)
        self.turns.append(PastTurn(text, said, self.room, round(self.home.at.timestamp() * 1000)))
        return said

    def wait(self, seconds: float) -> None:
        self.home.at += timedelta(seconds=seconds)

    @property
    def called(self) -> list[str]:
        """Services of Home Assistant, with what for."""
        calls = self.double.called if self.double is not None else []
        return [f"{one['domain']}.{one['service']} {' '.join(one['target']['entity_id'])}" for one in calls]


def in_a_house(talk: Callable[[Talk], Awaitable[None]], **changes: Any) -> None:
    """With Home Assistant's double behind it."""

    async def run(double: HomeAssistantDouble, client: Any) -> None:
        await talk(Talk(MemoryHome(devices=client), double=double))

    with_home(run, **changes)
