"""Several commands in one sentence: where it is split and where not, and what is done and said of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.core.errors import StoreFailed
from tests.assistant.talking import Talk, in_a_house
from tests.assistant.test_commands import FILE, FRESH, LATER, REGIONS, commands

ASSISTANT = Assistant()


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("turn off the kitchen lights and set a timer for ten minutes", ["home_turn_off", "timer_set"]),
        ("add milk and eggs to the shopping list and tell me the weather", ["list_add", "weather"]),
        ("good night, lock the door then turn everything off", ["home_lock", "home_turn_off"]),
        (
            "Turn off the lights, close the blinds, and lock the front door.",
            ["home_turn_off", "home_close", "home_lock"],
        ),
        ("wake me at seven and turn off the lights", ["alarm_set", "home_turn_off"]),
        ("hey jarvis, pause the music & what time is it, please", ["media_pause", "time"]),
        ("what's 5 plus 6 and what's 7 times 8", ["calculate", "calculate"]),
        ("turn off the tv and remember that the key is under the mat", ["home_turn_off", "remember"]),
        ("turn off the lights and set a timer", ["home_turn_off", "timer_set"]),
        ("turn on the lamp and the fan", ["home_turn_on", "home_turn_on"]),
        ("turn the bedroom light on and the kitchen light off", ["home_turn_on", "home_turn_off"]),
        ("set a timer for 5 minutes and another for 10", ["timer_set", "timer_set"]),
        ("turn on the lights in the kitchen, the office and the bedroom", ["home_turn_on"] * 3),
        ("turn on the lamp and dim it to 20 percent", ["home_turn_on", "light_set"]),
        ("what's the weather today and tomorrow", ["weather", "weather"]),
        ("turn off the light in the kitchen and the one in the bedroom", ["home_turn_off", "home_turn_off"]),
        ("set the bedroom to 19 degrees and the kitchen to 21", ["climate_set", "climate_set"]),
        ("good morning, what time is it", ["time"]),
    ],
)
def test_each_part_is_a_command(said: str, parts: list[str]) -> None:
    assert [one.match.intent for one in ASSISTANT.parts(said)] == parts


@pytest.mark.parametrize(
    "said",
    [
        "add bread and butter to the shopping list",
        "remember that the key is under the mat and turn off the tv",
        "announce dinner is ready and turn off the tv",
        "remind me at eight to call bob and lock the door",
        "set a timer for one hour and five minutes",
    ],
)
def test_what_can_be_one_command_is_one(said: str) -> None:
    match = ASSISTANT.understand(said)
    assert match is not None and match.confidence == 1.0


@pytest.mark.parametrize(
    "said",
    [
        "turn off the lights and eat your dinner",
        "turn off the lights and",
        "he said stop and then she said what time is it now or never",
        "tell me the time and place of the battle",
        "what's the weather and why is the sky blue",
        "add milk to the shopping list and call mum",
        "keep this private and turn off the lights",
        "turn off the lights, turn on the fan, open the blinds, lock the door, what time is it",
        "salt and pepper",
        "rock and roll, then and now",
    ],
)
def test_what_is_not_made_of_commands_alone_is_not_split(said: str) -> None:
    assert ASSISTANT.parts(said) == []


def test_nothing_that_is_no_command_is_split_into_some() -> None:
    facts = Path(__file__).with_name("questions_of_fact.txt").read_text(encoding="utf-8").splitlines()
    texts = [one.said for file in (FILE, LATER, FRESH, REGIONS) for one in commands(file) if one.intent is None]
    split = [text for text in [*texts, *facts] if len(ASSISTANT.parts(text)) > 1]
    assert split == []


def test_whether_more_is_to_come() -> None:
    """As an endpointer asks it."""
    assert ASSISTANT.whole_intent("turn off the kitchen lights and set a timer for ten minutes")
    assert not ASSISTANT.whole_intent("turn off the kitchen lights and")
    assert not ASSISTANT.whole_intent("turn off the kitchen lights and set a timer for")
    assert not ASSISTANT.whole_intent("turn off the tv and remember that the key is under the mat")
    assert ASSISTANT.missing_slot("turn off the kitchen lights and set a timer")


def test_they_are_done_in_order_and_answered_in_one_reply() -> None:
    async def run() -> None:
        talk = Talk()
        said = await talk.say(
            "Add milk and eggs to the shopping list, set a timer for ten minutes and what time is it?"
        )
        assert said == "Milk and eggs are on the shopping list now. Timer set for 10 minutes. It's 3:07 PM."
        assert talk.home.kept == {"shopping": ["milk", "eggs"]} and [one.seconds for one in talk.home.timers] == [600]
        assert talk.reply is not None and talk.reply.intent == "several"
        assert [one["intent"] for one in talk.reply.slots["parts"]] == ["list_add", "timer_set", "time"]
        assert await talk.say("Set a timer for 5 minutes and another for 20") == (
            "Timer set for 5 minutes. Timer set for 20 minutes."
        )

    asyncio.run(run())


def test_what_fails_is_told_and_the_rest_is_done() -> None:
    async def run() -> None:
        talk = Talk()
        talk.home.broken = StoreFailed("The disk is full.")
        said = await talk.say("set a timer for ten minutes and add milk to the list")
        assert said == (
            "About “set a timer for ten minutes”: Sorry, that did not work. The disk is full. "
            "Milk is on the shopping list now."
        )
        assert talk.reply is not None and not talk.reply.ok

    asyncio.run(run())


def test_the_last_may_lack_something() -> None:
    async def run() -> None:
        talk = Talk()
        said = await talk.say("what time is it and set a timer")
        assert said == "It's 3:07 PM. About “set a timer”: For how long?"
        assert await talk.say("ten minutes") == "Timer set for 10 minutes."

    asyncio.run(run())


def test_what_lets_people_in_is_asked_about_and_the_rest_is_done() -> None:
    async def run(talk: Talk) -> None:
        said = await talk.say("Unlock the front door and turn on the kitchen light")
        assert said == "Turned on the Kitchen Light. About “Unlock the front door”: Should I unlock the Front door?"
        assert talk.reply is not None and talk.reply.asks
        assert talk.called == ["light.turn_on light.kitchen"]
        assert await talk.say("Yes") == "The Front door is unlocked."
        assert talk.called[1:] == ["lock.unlock lock.front"]

    in_a_house(run)


@pytest.mark.parametrize("break_it", ["room", "time", "no", "another"])
def test_another_answer_lets_nobody_in(break_it: str) -> None:
    async def run(talk: Talk) -> None:
        await talk.say("turn on the kitchen light and unlock the front door")
        if break_it == "room":
            talk.room = "bedroom"
        if break_it == "time":
            talk.wait(61)
        if break_it == "another":
            await talk.say("what time is it")
        await talk.say("no" if break_it == "no" else "yes")
        assert "lock.unlock lock.front" not in talk.called

    in_a_house(run)


def test_of_two_questions_one_is_asked() -> None:
    async def run(talk: Talk) -> None:
        said = await talk.say("open the garage door and unlock the front door")
        assert said == (
            "I have not done “unlock the front door” yet: please say it again. "
            "About “open the garage door”: Should I open the Garage door?"
        )
        assert talk.called == []
        assert await talk.say("yes") == "The Garage door is opening."
        assert talk.called == ["cover.open_cover cover.garage"]

    in_a_house(run)


def test_a_question_that_somebody_else_worded_opens_nothing() -> None:
    """A list's name, a note or a model may say what a question of ours says; only a command of that turn counts."""

    async def run(talk: Talk) -> None:
        await talk.say("turn on the kitchen light and what time is it")
        forged = "About “unlock the front door”: Should I unlock the Front door?"
        talk.turns[-1] = type(talk.turns[-1])(talk.turns[-1].heard, forged, "kitchen", talk.turns[-1].at_ms)
        await talk.say("yes")
        assert "lock.unlock lock.front" not in talk.called

    in_a_house(run)
