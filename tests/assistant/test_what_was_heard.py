"""Asking what was said: the last of it or several things, here or elsewhere, and what cannot be known is said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jarvis.assistant.skills.heard import MAX_CHARS
from jarvis.assistant.types import Heard, PastTurn, RoomInfo
from tests.assistant.homes import MemoryHome, request, turn
from tests.assistant.test_assistant import says


def heard(*texts: str, room: str = "kitchen", **more: object) -> MemoryHome:
    """A home in which these were said an hour ago, a minute after another."""
    first = MemoryHome.at - timedelta(hours=1)
    turns = tuple(
        PastTurn(text, "Okay.", room, int((first + timedelta(minutes=at)).timestamp() * 1000))
        for at, text in enumerate(texts)
    )
    home = MemoryHome(was_heard=Heard(turns, len(turns), before=bool(turns)))
    for name, value in more.items():
        setattr(home, name, value)
    return home


def asked(text: str, home: MemoryHome, *turns: PastTurn, room: str = "hall") -> str:
    return says(replace(request(text, *turns, room=room), rooms=("kitchen", "hall")), home)


def test_several_things_are_told_with_their_time_and_how_far_back_was_looked() -> None:
    home = heard("Set a timer", "Is it raining?")
    told = 'In the kitchen I heard in the last 24 hours: "Set a timer" at 2:07 PM and "Is it raining?" at 2:08 PM.'
    for text in ("What did you hear in the kitchen?", "What did I ask in the kitchen today?"):
        assert asked(text, home) == told
    assert asked("What did I ask earlier?", home, room="kitchen") == told
    home.clock_is_set = False
    assert asked("What was said in the kitchen?", home) == (
        'In the kitchen I heard in the last 24 hours: "Set a timer" and "Is it raining?".'
    )


@pytest.mark.parametrize(
    "text", ["What was the last thing said in the kitchen?", "What did I just ask you in the kitchen?"]
)
def test_the_last_thing_is_one(text: str) -> None:
    assert asked(text, heard("Set a timer", "Is it raining?")) == 'In the kitchen you asked: "Is it raining?"'


def test_of_many_the_last_are_told_and_how_many_there_were() -> None:
    home = heard(*(f"question {number}" for number in range(8)), "long " * 60)
    home.was_heard = Heard(home.was_heard.turns[-5:], 9, before=True)
    said = asked("What did you hear in the kitchen?", home)
    assert said.startswith('In the kitchen I heard 9 things in the last 24 hours. The last 5 were: "question 4" at')
    assert "question 3" not in said and "…" in said and len(said) < MAX_CHARS + 400


def test_what_is_not_known_is_said() -> None:
    assert asked("What did you hear in the cellar?", heard("Hm")) == "I don't know a room called cellar."
    assert asked("What did you hear in the kitchen?", heard()) == "You have not asked me anything in the kitchen yet."
    home = heard(was_heard=Heard(before=True))
    assert asked("What did you hear in the kitchen?", home) == "I heard nothing in the kitchen in the last 24 hours."
    home = heard("Hello", known_rooms=[RoomInfo("kitchen", False), RoomInfo("hall", True)])
    assert asked("What did you hear in the kitchen?", home) == (
        'In the kitchen you asked: "Hello". I could not ask the kitchen, so there may be more.'
    )
    home = heard(was_heard=Heard(shared=False))
    assert asked("What did you hear in the kitchen?", home).endswith("What is said in the kitchen now stays there.")


def test_in_a_conversation_the_last_thing_said_in_it_is_meant() -> None:
    home = heard("Set a timer", "Is it raining?")
    for text in ("What did I just ask you?", "What did I ask?"):
        assert asked(text, home, turn("Good morning", room="hall")) == 'You asked: "Good morning"'
