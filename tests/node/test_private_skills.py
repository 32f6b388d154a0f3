"""What a private conversation may ask of the home: timers without their names, and nothing for all to remember."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import Home, Request
from jarvis.core.errors import NotAllowed
from jarvis.node.talk.private_skills import MAX_NAMES, PrivateSkills
from tests.assistant.homes import MemoryHome


def test_a_timer_s_name_stays_here() -> None:
    async def main() -> None:
        home = MemoryHome()
        private = PrivateSkills(cast(Home, home))

        async def say(text: str) -> str:
            reply = await Assistant().answer(Request(text, "bedroom", private=True), cast(Home, private))
            return "".join([piece async for piece in reply.pieces])

        assert await say("Set a ravioli timer for ten minutes.") == "Ravioli timer set for 10 minutes."
        assert [timer.name for timer in home.timers] == [""], "the home does not know"
        assert "ravioli" in (await say("How much time is left on the ravioli timer?")).lower()
        assert private.called(home.timers[0]).name == "ravioli", "and this room rings it by its name"
        assert await say("Cancel the ravioli timer.") == "Cancelled the ravioli timer." and not home.timers
        assert "stays here" in await say("Remember that the saxophone is mine.") and not home.notes
        with pytest.raises(NotAllowed):
            await private.remember("saxophone")
        assert "stays here" in await say("Add a saxophone to the shopping list.") and not home.kept
        for number in range(2 * MAX_NAMES):
            await private.set_timer(60, f"timer {number}")
        assert len(private._names) == MAX_NAMES

    asyncio.run(main())
