"""Sentences that go on from another one: "it", "and in the bedroom?", "eggs too", also from another room; and what is
done where nothing fits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jarvis.assistant.following import follow
from jarvis.assistant.intents import match_exactly
from tests.assistant.talking import ROOMS, Talk, in_a_house

SEVEN = {"hour": 7, "minute": 0, "half": None, "day": None}


@pytest.mark.parametrize(
    ("before", "said", "intent", "slots"),
    [
        ("turn on the bedroom lamp", "turn it off again", "home_turn_off", {"thing": "bedroom lamp"}),
        ("turn on the lights in the office", "switch them off", "home_turn_off", {"thing": "lights", "area": "office"}),
        ("turn on the bedroom lamp", "make it brighter", "light_brighten", {"thing": "bedroom lamp"}),
        ("turn on the bedroom lamp", "make it red", "light_set", {"thing": "bedroom lamp", "color": "red"}),
        ("turn on the bedroom lamp", "set it to 30 percent", "light_set", {"thing": "bedroom lamp", "percent": 30}),
        ("turn on the bedroom lamp", "and in the kitchen?", "home_turn_on", {"thing": "lamp", "area": "kitchen"}),
        ("turn on the bedroom lamp", "and the fan", "home_turn_on", {"thing": "fan"}),
        (
            "turn off the lights in the kitchen",
            "and the bedroom",
            "home_turn_off",
            {"thing": "lights", "area": "bedroom"},
        ),
        ("dim the lights", "turn it up a bit", "light_brighten", {"thing": "lights"}),
        ("open the blinds", "close them again", "home_close", {"thing": "blinds"}),
        ("lock the front door", "is it locked?", "home_state", {"thing": "front door", "state": "locked"}),
        (
            "is the front door locked",
            "what about the back door?",
            "home_state",
            {"thing": "back door", "state": "locked"},
        ),
        ("is the front door locked", "lock it", "home_lock", {"thing": "front door"}),
        ("how warm is it in the bedroom", "make it warmer", "climate_warmer", {"area": "bedroom"}),
        ("how warm is it in the bedroom", "and in the kitchen", "climate_tell", {"area": "kitchen"}),
        ("set a pasta timer for 5 minutes", "cancel it", "timer_cancel", {"name": "pasta", "seconds": 300}),
        ("set a timer for 5 minutes", "and another for 10", "timer_set", {"seconds": 600}),
        ("wake me at seven", "cancel that", "alarm_cancel", {"at": SEVEN}),
        ("add milk to the shopping list", "eggs too", "list_add", {"list": "shopping", "items": ["eggs"]}),
        ("add milk to the packing list", "add socks as well", "list_add", {"list": "packing", "items": ["socks"]}),
        ("what's on the shopping list", "add eggs and ham", "list_add", {"list": "shopping", "items": ["eggs", "ham"]}),
        ("add milk to the list", "take it off again", "list_remove", {"items": ["milk"]}),
        ("will it rain today", "what about tomorrow?", "weather", {"aspect": "rain", "day": "tomorrow"}),
        ("what's the weather tomorrow", "and in Paris?", "weather", {"day": "tomorrow", "place": "paris"}),
        ("how many days until christmas", "what about easter", "days_until", {"day": "easter"}),
        ("turn it up", "a bit more", "volume_up", {}),
    ],
)
def test_what_goes_on_from_another(before: str, said: str, intent: str, slots: dict[str, Any]) -> None:
    first = match_exactly(before)
    assert first is not None
    found = follow(said, first, rooms=ROOMS, bare=True)
    assert found is not None and (found.intent, found.slots) == (intent, slots)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("what time is it", "turn it off"),
        ("add milk to the shopping list", "and then we went home"),
        ("add milk to the shopping list", "what about dinner"),
        ("set a timer for five minutes", "and in the bedroom"),
        ("turn on the fan", "make it red"),
        ("what's the weather", "eggs too"),
        ("turn on the lamp", "the fan"),
    ],
)
def test_what_does_not(before: str, said: str) -> None:
    first = match_exactly(before)
    assert first is not None and follow(said, first, rooms=ROOMS, bare=True) is None


def test_a_conversation_about_things() -> None:
    async def run(talk: Talk) -> None:
        for said, answer in [
            ("Turn on the kitchen light", "Turned on the Kitchen Light."),
            ("What time is it?", "It's 3:07 PM."),
            ("Turn it off again", "Turned off the Kitchen Light."),
            ("and on again", "Turned on the Kitchen Light."),
            ("Is it on?", "Yes, the Kitchen Light is on."),
            ("Is the front door locked?", "Yes, the Front door is locked."),
            ("Unlock it", "Should I unlock the Front door?"),
            ("yes", "The Front door is unlocked."),
            ("lock it again", "The Front door is locked."),
        ]:
            assert await talk.say(said) == answer, said

    in_a_house(run)


def test_it_goes_on_in_another_room() -> None:
    """The session's turns come along: "the lights" are those of the room in which they were meant."""

    async def run(talk: Talk) -> None:
        assert await talk.say("turn on the lights") == "Turned on the Kitchen Light."
        talk.room = "bedroom"
        assert await talk.say("turn them off again") == "Turned off the Kitchen Light."
        assert await talk.say("turn them on") == "Turned on the Kitchen Light."
        assert await talk.say("and in here too") == "Turned on the Bedside lamp in the Bedroom."

    in_a_house(run)


def test_nobody_is_let_in_from_a_room_that_was_not_asked() -> None:
    async def run(talk: Talk) -> None:
        await talk.say("is the front door locked")
        assert await talk.say("unlock it") == "Should I unlock the Front door?"
        talk.room = "bedroom"
        await talk.say("yes")
        assert talk.called == []

    in_a_house(run)


def test_nobody_knows_what_it_is_after_a_while() -> None:
    async def run(talk: Talk) -> None:
        await talk.say("turn on the kitchen light")
        talk.wait(299)
        assert await talk.say("turn it off") == "Turned off the Kitchen Light."
        talk.wait(301)
        assert await talk.say("turn it on") == "Which thing do you mean?"
        assert await talk.say("the kitchen light") == "Turned on the Kitchen Light."

    in_a_house(run)


def test_timers_and_lists() -> None:
    async def run() -> None:
        talk = Talk()
        for said, answer in [
            ("Set a pasta timer for eight minutes", "Pasta timer set for 8 minutes."),
            ("Set a timer for eight minutes", "Timer set for 8 minutes."),
            ("cancel that", "Cancelled the 8 minute timer."),
            ("cancel that", "Okay."),
            ("Add milk to the shopping list", "Milk is on the shopping list now."),
            ("eggs too", "Eggs are on the shopping list now."),
            ("and bread", "Bread is on the shopping list now."),
            ("take it off again", "I took bread off the shopping list."),
            ("What's on the shopping list?", "On the shopping list: milk and eggs."),
        ]:
            assert await talk.say(said) == answer, said
        assert [one.name for one in talk.home.timers] == ["pasta"]

    asyncio.run(run())


def test_what_was_said_at_once_is_what_follows() -> None:
    async def run(talk: Talk) -> None:
        await talk.say("what time is it and turn on the kitchen light")
        assert await talk.say("turn it off") == "Turned off the Kitchen Light."
        await talk.say("turn on the kitchen light and set a timer for ten minutes")
        assert await talk.say("cancel it") == "Cancelled the 10 minute timer."

    in_a_house(run)


def test_them_is_all_that_was_said_at_once() -> None:
    async def run(talk: Talk) -> None:
        await talk.say("turn on the kitchen light and the bedroom fan")
        assert await talk.say("turn them off again") == "Turned off the Kitchen Light. Turned off the Bedroom fan."
        assert await talk.say("turn it on") == "Turned on the Bedroom fan."

    in_a_house(run)


def test_a_lamp_is_not_locked() -> None:
    async def run(talk: Talk) -> None:
        await talk.say("is the front door locked")
        await talk.say("turn on the kitchen light")
        assert await talk.say("lock it") == "The Front door is locked."
        await talk.say("turn on the kitchen light")
        await talk.say("turn off the kitchen light")
        await talk.say("turn on the kitchen light")
        assert await talk.say("lock it") == "Which thing do you mean?"

    in_a_house(run)
