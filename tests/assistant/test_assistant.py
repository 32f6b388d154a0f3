"""What the assistant decides and says, with a home in memory and scripted language models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from jarvis.assistant import replies as module
from jarvis.assistant.assistant import Assistant
from jarvis.assistant.house.calling import MAX_CHARS, Names
from jarvis.assistant.language.guard import Kind
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.types import Reply, Request
from jarvis.core.errors import EngineFailed, InvalidInput, StoreFailed
from jarvis.home_assistant.things import Area, House, Thing
from tests.assistant.homes import MemoryHome, ScriptedModel, request, turn, whole


def answer(asked: Request | str, home: MemoryHome | None = None, *models: ScriptedModel) -> tuple[Reply, str]:
    async def ask() -> tuple[Reply, str]:
        wanted = request(asked) if isinstance(asked, str) else asked
        reply = await Assistant(models).answer(wanted, home or MemoryHome())
        return reply, await whole(reply)

    return asyncio.run(ask())


def says(asked: Request | str, home: MemoryHome | None = None) -> str:
    return answer(asked, home)[1]


def test_time_and_date() -> None:
    assert says("What time is it?") == "It's 3:07 PM."
    assert says("What's the date?") == "Today is Saturday, November 21, 2026."
    assert says("What day is tomorrow?") == "Tomorrow is Sunday, November 22, 2026."
    assert says("What day was yesterday?") == "Yesterday was Friday, November 20, 2026."
    midnight = MemoryHome(at=MemoryHome.at.replace(hour=0, minute=0))
    assert says("What time is it?", midnight) == "It's 12:00 AM."


def test_a_device_that_does_not_know_the_time_says_so() -> None:
    home = MemoryHome(clock_is_set=False, at=MemoryHome.at.replace(year=1970))
    for text in ("What time is it?", "What's the date?"):
        reply, said = answer(text, home)
        assert "don't know" in said and "1970" not in said and reply.intent in ("time", "date")


def test_an_intent_reply_says_where_it_comes_from() -> None:
    reply, _ = answer("Set a pasta timer for 8 minutes")
    assert (reply.source, reply.provider, reply.intent) == ("intent", "intents", "timer_set")
    assert reply.slots == {"name": "pasta", "seconds": 480}
    assert reply.ok and not reply.closes and not reply.asks


def test_timers() -> None:
    home = MemoryHome()
    assert says("What timers do I have?", home) == "There are no timers."
    assert says("Cancel the timer", home) == "There are no timers to cancel."
    assert says("Set a pasta timer for 8 minutes", home) == "Pasta timer set for 8 minutes."
    assert says("How much time is left?", home) == "The pasta timer has 8 minutes left."
    assert says("Set a timer for an hour and a half", home) == "Timer set for 1 hour and 30 minutes."
    assert [(timer.name, timer.seconds) for timer in home.timers] == [("pasta", 480), ("", 5400)]
    assert says("List my timers", home) == (
        "There are 2 timers: the pasta timer has 8 minutes left; "
        "the 1 hour and 30 minute timer has 1 hour and 30 minutes left."
    )
    reply, said = answer("Cancel the timer", home)
    assert reply.asks and "Which one" in said and len(home.timers) == 2
    asked = turn("Cancel the timer", said)
    assert says(request("The pasta one.", asked), home) == "Cancelled the pasta timer."
    assert says("Cancel the egg timer", home) == "There is no egg timer."
    assert says("Cancel the 90 minute timer", home) == "Cancelled the 1 hour and 30 minute timer."
    assert home.timers == []


def test_all_timers_are_cancelled_at_once() -> None:
    home = MemoryHome()
    for text in ("Set a timer for one minute", "Set a timer for two minutes", "Set an egg timer for 3 minutes"):
        says(text, home)
    assert says("Cancel all timers", home) == "Cancelled 3 timers."
    assert home.timers == []


def test_a_missing_length_is_asked_for_and_its_answer_understood() -> None:
    home = MemoryHome()
    reply, said = answer("Set a pasta timer", home)
    assert reply.asks and said.endswith("?") and home.timers == []
    assert says(request("Eight minutes.", turn("Set a pasta timer", said)), home) == "Pasta timer set for 8 minutes."
    assert home.timers[0].name == "pasta"
    # The same words without the question are free text.
    assert answer("Eight minutes.", home)[0].intent == "cant_tell"


@pytest.mark.parametrize(
    "text", ["Set a timer for zero seconds", "Set a timer for 25 hours", "Set a timer for 99999999 hours"]
)
def test_impossible_lengths_are_refused_in_words(text: str) -> None:
    home = MemoryHome()
    assert "second" in says(text, home) or "up to 24 hours" in says(text, home)
    assert home.timers == []


def test_a_reminder_is_a_timer_that_says_what_for() -> None:
    home = MemoryHome()
    assert says("Remind me in ten minutes to check the oven", home) == "Timer set for 10 minutes: check the oven."
    assert home.timers[0].name == "check the oven"


def test_remember_and_recall() -> None:
    home = MemoryHome()
    assert "not asked me to remember" in says("What did I ask you to remember?", home)
    assert says("Remember that my locker is number twelve.", home) == "I'll remember: my locker is number twelve."
    says("Don't forget to call Mum", home)
    assert says("What did I ask you to remember?", home) == (
        "You asked me to remember: my locker is number twelve; call Mum."
    )
    for number in range(6):
        says(f"Remember that thing {number} exists", home)
    assert says("What do you remember?", home).endswith("thing 5 exists. And 3 older things.")
    reply, said = answer("Remember that", home)
    assert reply.asks
    assert says(request("Anna is allergic to nuts.", turn("Remember that", said)), home) == (
        "I'll remember: Anna is allergic to nuts."
    )
    assert "too long" in says("Remember that " + "la " * 300, home)


def test_what_did_i_ask_gives_the_words_heard_and_names_another_room() -> None:
    here = turn("What time is it?", "It's 3:07 PM.", room="kitchen")
    asked = "What did I just ask you?"
    assert says(request(asked, here, room="kitchen")) == 'You asked: "What time is it?"'
    assert says(request(asked, here, room="bedroom")) == 'In the kitchen you asked: "What time is it?"'
    assert says(request(asked, here, room="Kitchen")) == 'You asked: "What time is it?"'
    toms = turn("Set a timer for 3 minutes", room="Tom's room")
    assert says(request(asked, here, toms, room="bedroom")) == 'In Tom\'s room you asked: "Set a timer for 3 minutes"'
    assert says(request("What did I ask you in the kitchen?", here, toms)) == 'You asked: "What time is it?"'
    assert says(request(asked)) == "You have not asked me anything yet."
    assert (
        says(request("What did I ask you in the cellar?", here)) == "You have not asked me anything in the cellar yet."
    )


def test_what_did_you_say_gives_the_last_reply() -> None:
    before, silent = turn("What time is it?", "It's 3:07 PM."), turn("Hm", "")
    for text in ("What did you say?", "Repeat that", "Say that again", "Pardon?"):
        assert says(request(text, before, silent)) == "It's 3:07 PM."
        assert says(request(text, before, room="bedroom")) == "In the kitchen I said: “It's 3:07 PM.”"
        assert says(request(text)) == "I have not said anything yet."


def test_stop_and_never_mind_close() -> None:
    for text, intent in (("Stop.", "stop"), ("Never mind", "never_mind"), ("Hey Jarvis, stop", "stop")):
        reply, said = answer(text)
        assert reply.closes and reply.intent == intent and said == "Okay."


def test_it_knows_its_name_and_room() -> None:
    assert says(request("Who are you?", name="Friday", room="study")) == "I'm Friday, your assistant in the study."


def test_an_intent_that_lacks_something_is_known() -> None:
    assistant = Assistant()
    assert assistant.missing_slot("Set a timer for")
    assert assistant.missing_slot("remember that")
    assert not assistant.missing_slot("set a timer for ten minutes")
    assert not assistant.missing_slot("tell me a story")


def test_of_several_ways_to_hear_it_the_one_that_is_an_intent() -> None:
    likeliest = Assistant().likeliest
    assert likeliest(["Castle or tires.", "Cancel old tigers.", "Cancel all timers."]) == (2, True)
    assert likeliest(["Play jazz.", "What time is it?"]) == (0, True)  # an intent itself, though more may follow
    assert likeliest(["Why do cats purr?", "Set a timer for", "Why do cats per?"]) == (0, False)  # nothing whole
    assert likeliest(["Tell me a story."]) == (0, False)


def test_of_several_ways_to_hear_it_the_one_that_names_what_is_here() -> None:
    assistant = Assistant()
    bad, bed = "Turn bad light on.", "Turn Bed Light on."
    assert assistant.likeliest([bad, bed]) == (0, True), "nobody knows the things of this home"
    kitchen = Area(("Kitchen",))
    things = (("light.bed", "Bed Light"), ("climate.hall", "EcoBee"), ("scene.party", "Party Time"))
    house = House(tuple(Thing(one, (name,), kitchen, "on") for one, name in things), (kitchen,))
    assistant.know(Names(["office"], house, ["packing"], ["pasta"]))
    assert assistant.likeliest([bad, bed]) == (1, True)
    assert assistant.likeliest([bad]) == (0, False), "worth another hearing"
    assert assistant.likeliest([bad, "What time is it?", "Turn bat light on."]) == (0, False), (
        "one asks for something else"
    )
    for text in ("Turn on the lights", "Turn on the lights in the kitchen", "Turn everything off", "Make it warmer"):
        assert assistant.likeliest([text, bed]) == (0, True), "a kind, a room, or all"
    incubi, ecobee = "What's the temperature of the incubi?", "What's the temperature of the EcoBee?"
    assert assistant.likeliest([incubi, ecobee]) == (1, True)
    assert assistant.likeliest(["What's the 10th of the Eco Bean?", incubi]) == (1, False), "nearer, and not yet right"
    assert assistant.likeliest(["Run, part of time.", "Run, party time!"]) == (1, True), "the name is all of a scene's"
    assert assistant.likeliest(["Cancel the pastor timer", "Cancel the pasta timer"]) == (1, True)
    assert assistant.likeliest(["Cancel the timer"]) == (0, True)
    match = assistant.understand(ecobee)
    assert match is not None and match.slots == {"thing": "ecobee"}, "no room"
    match = assistant.understand("What's the temperature in the kitchen?")
    assert match is not None and match.slots == {"area": "kitchen"}


def test_a_recogniser_is_told_what_things_are_called_and_not_too_much() -> None:
    assistant = Assistant()
    said = assistant.hint()
    assert said
    many = [Thing(f"sensor.s{one}", (f"Probe {one}",), None, "1") for one in range(500)]
    house = House((*many, Thing("light.n", ("Nanoleaf",), None, "on"), Thing("light.m", ("x" * 50,), None, "on")))
    assistant.know(Names(["office", "Office"], house, ["packing"], ["pasta", ""]))
    told = assistant.hint().removeprefix(said)
    assert told.startswith(" The office, the Nanoleaf, the Probe 0") and told.endswith(".")
    assert "xxx" not in told and told.lower().count("office") == 1
    assert len(told) <= MAX_CHARS + len(" The .")
    assistant.know(Names(["office"], None, ["packing"], ["pasta"]))
    assert assistant.hint().removeprefix(said) == " The office, the packing list, the pasta timer."


def test_whole_intents() -> None:
    whole = Assistant().whole_intent
    assert whole("Set a timer for ten minutes") and whole("What time is it?") and whole("stop")
    assert not whole("set a timer for") and not whole("Set a timer") and not whole("Set a timer for ten")
    assert not whole("Tell me a joke") and not whole("") and not whole("Take turns.")
    assert not whole("Remember that my locker is")  # nobody can tell whether more follows


def test_a_failing_home_is_spoken() -> None:
    home = MemoryHome(broken=StoreFailed("The disk is full."))
    reply, said = answer("Set a timer for ten minutes", home)
    assert said == "Sorry, that did not work. The disk is full." and not reply.ok


def test_silence_is_answered_as_such() -> None:
    reply, said = answer("   ")
    assert not reply.ok and "didn't hear" in said


# Language models


def test_free_text_goes_to_the_first_model_that_is_there() -> None:
    away, here = ScriptedModel(there=False, name="away"), ScriptedModel(["Why did ", "the hen cross? ", "Ask it."])
    reply, said = answer("Tell me a joke", None, away, here)
    assert said == "Why did the hen cross? Ask it."
    assert (reply.source, reply.provider, reply.model, reply.ok) == ("llm", "scripted", "script-1", True)
    assert away.asked == [] and here.closed == 1


def test_without_any_model_it_says_so() -> None:
    reply, said = answer("Tell me a joke")
    assert (reply.source, reply.provider, reply.ok) == ("llm", "none", False) and said == module.NO_MODEL


def test_a_model_that_fails_before_its_first_sentence_is_replaced() -> None:
    failing, next_one = ScriptedModel(["Half a"], EngineFailed("It died."), name="first"), ScriptedModel()
    reply, said = answer("Tell me a joke", None, failing, next_one)
    assert said == "It is a scripted answer." and reply.provider == "scripted" and reply.ok


def test_a_failure_in_mid_answer_is_said() -> None:
    failing, unused = ScriptedModel(["One whole sentence. And ha"], EngineFailed("It died.")), ScriptedModel()
    reply, said = answer("Tell me a joke", None, failing, unused)
    assert said == f"One whole sentence. {module.BROKE_OFF}" and not reply.ok and unused.asked == []


def test_when_all_models_fail_it_says_so() -> None:
    reply, said = answer("Tell me a joke", None, ScriptedModel([], EngineFailed("It died.")), ScriptedModel([]))
    assert said == module.FAILED and not reply.ok
    assert answer("Tell me a joke", None, ScriptedModel([], InvalidInput("Too long.")))[1] == module.TOO_LONG


def test_a_stump_of_a_sentence_is_not_spoken_but_a_whole_answer_without_a_dot_is() -> None:
    assert answer("Tell me a joke", None, ScriptedModel(["One. Two. And th"]))[1] == "One. Two."
    assert answer("Tell me a joke", None, ScriptedModel(["Just ", "this"]))[1] == "Just this"


def test_closing_the_reply_closes_the_model() -> None:
    model = ScriptedModel(["One. ", "Two. ", "Three."])

    async def interrupted() -> list[str]:
        reply = await Assistant([model]).answer(request("Tell me a joke"), MemoryHome())
        assert await anext(reply.pieces) == "One. "
        await reply.pieces.aclose()  # type: ignore[attr-defined]
        return reply.said

    assert asyncio.run(interrupted()) == ["One. "]
    assert model.closed == 1


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("What is the cube root of 27?", "arithmetic"),
        ("Who is at the door?", "device_state"),
        ("Who won last night?", "live_fact"),
        ("Order a pizza", "action"),
    ],
)
def test_a_small_model_is_not_even_asked_what_it_cannot_know(text: str, about: str) -> None:
    small = ScriptedModel(["The front door is locked, and it is 349."])
    reply, said = answer(text, None, small)
    assert small.asked == [] and "can't" in said and "349" not in said
    assert (reply.provider, reply.intent, reply.slots) == ("guard", "cant_tell", {"about": about})
    assert "can't" in answer(text)[1]  # with no model at all, too


def test_a_trusted_model_may_be_asked_for_sums_but_not_for_the_door() -> None:
    trusted = ScriptedModel(["It is 3."], trusted=True)
    assert answer("What is the cube root of 27?", None, trusted, ScriptedModel())[1] == "It is 3."
    assert "can't" in answer("Is the front door locked?", None, trusted)[1]
    assert len(trusted.asked) == 1


def test_the_small_model_does_not_stand_in_for_a_trusted_one_that_fails_at_a_sum() -> None:
    trusted, small = ScriptedModel([], EngineFailed("It died."), trusted=True), ScriptedModel(["It is 349."])
    reply, said = answer("What is the cube root of 27?", None, trusted, small)
    assert "can't tell" in said and small.asked == [] and reply.provider == "guard"


def test_the_docs_name_every_intent_and_every_doubt() -> None:
    text = (Path(__file__).parents[2] / "docs" / "assistant.md").read_text(encoding="utf-8")
    for name in [*SKILLS, *get_args(Kind)]:
        assert f"`{name}`" in text, name
