"""What is prepared as sound is what is said."""

from __future__ import annotations

import asyncio

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.common import MINUTES, common_replies
from jarvis.assistant.wording.durations import say_duration
from tests.assistant.homes import MemoryHome, request, whole


def said(*asked: str) -> str:
    """The answer to the last of them, without any model."""

    async def ask() -> str:
        assistant, home, text = Assistant(()), MemoryHome(), ""
        for one in asked:
            text = await whole(await assistant.answer(request(one), home))
        return text

    return asyncio.run(ask())


@pytest.mark.parametrize("minutes", MINUTES)
def test_timers_are_prepared_as_they_are_said(minutes: int) -> None:
    length = say_duration(60 * minutes)
    assert said(f"Set a timer for {length}") in common_replies()
    if " and " not in length:
        assert said(f"Set a timer for {length}", "Cancel the timer") in common_replies()


@pytest.mark.parametrize(
    "text",
    ["Never mind", "What timers do I have?", "Cancel the timer", "Set a timer", "Remember", "Tell me about rivers",
     "What did I ask you to remember?", "What is the weather like?", "How many apples are left over?", ""],
)  # fmt: skip
def test_other_short_answers_are_prepared_as_they_are_said(text: str) -> None:
    assert said(text) in common_replies()


def test_it_fits_the_memory_it_is_given() -> None:
    """About 60 ms a letter at 22 kHz."""
    letters = sum(len(text) for text in common_replies())
    assert letters * 0.06 * 22_050 * 2 < 6 * 1024 * 1024
    assert len(set(common_replies())) == len(common_replies())
