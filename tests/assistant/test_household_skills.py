"""Lists, what is remembered and forgotten, reminders, alarms that come again, and questions about the home: what is
done, and what is said of it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, cast

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.templates.understanding import shipped
from jarvis.assistant.types import Home, PastTurn, Request, RoomInfo
from jarvis.assistant.wording.moments import Moment
from jarvis.assistant.wording.recurring import Recurrence, recurrence, say_days
from tests.assistant.homes import MemoryHome, ScriptedModel, request, turn, whole

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


def said(home: MemoryHome, intent: str, missing: tuple[str, ...] = (), **slots: Any) -> str:
    match = Match(intent, slots, missing)
    return asyncio.run(SKILLS[intent](match, Request("", "kitchen"), cast(Home, home))).text


def test_a_question_is_answered_with_what_was_remembered_and_no_model_is_asked() -> None:
    home, model = MemoryHome(), ScriptedModel(trusted=True)

    async def ask(text: str) -> str:
        return await whole(await Assistant([model]).answer(Request(text, "kitchen"), cast(Home, home)))

    async def main() -> None:
        for text in ("Remember that the spare key is under the mat.", "Remember that the wifi password is hunter two."):
            await ask(text)
        assert await ask("Where is the spare key?") == "You asked me to remember: the spare key is under the mat."
        assert "hunter two" in await ask("what's the wifi password")
        assert "under the mat" in await ask("do you know where the key is?") and not model.asked
        for text in ("Where is the key of the car?", "The key.", "What is it?"):
            model.asked.clear()
            assert "under the mat" not in await ask(text), text

    asyncio.run(main())


def test_a_shopping_list() -> None:
    home = MemoryHome()
    assert said(home, "list_show") == "There is nothing on the shopping list."
    assert said(home, "list_names") == "There are no lists."
    assert said(home, "list_add", items=["milk"], list="shopping") == "Milk is on the shopping list now."
    assert (
        said(home, "list_add", items=["eggs", "bread"], list="grocery")
        == "Eggs and bread are on the shopping list now."
    )
    assert said(home, "list_add", items=["Milk"]) == "Milk is on the shopping list already."
    assert home.kept == {"shopping": ["milk", "eggs", "bread"]}
    assert said(home, "list_show") == "On the shopping list: milk, eggs and bread."
    assert said(home, "list_has", items=["egg"]) == "Yes, egg is on the shopping list."
    assert said(home, "list_has", items=["tea"]) == "Tea is not on the shopping list."
    assert said(home, "list_has", items=["milk", "tea"]) == "Yes, milk is on the shopping list, but not tea."
    assert said(home, "list_remove", items=["the eggs", "salt"]) == "I took eggs off the shopping list."
    assert said(home, "list_remove", items=["salt"]) == "Salt is not on the shopping list."
    assert said(home, "list_add", items=["call Bob"], list="to-do") == "Call Bob is on the to do list now."
    assert said(home, "list_names") == "There are 2 lists: shopping, with 2 things; to do, with 1 thing."
    assert said(home, "list_create", list="shopping") == "There is a shopping list already, with milk and bread."
    assert said(home, "list_create", list="packing") == "What should I put on the packing list?"
    assert said(home, "list_clear") == "I took 2 things off the shopping list. It is empty now."
    assert said(home, "list_clear") == "The shopping list is empty already."
    assert said(home, "list_add", list="shopping") == "What should I put on the shopping list?"


def test_what_was_asked_for_is_answered_in_the_next_sentence() -> None:
    home = MemoryHome()

    async def talk(*said: str) -> str:
        turns: list[PastTurn] = []
        for text in said:
            reply = await whole(await Assistant().answer(request(text, *turns), cast(Home, home)))
            turns.append(turn(text, reply))
        return reply

    packing = asyncio.run(talk("Make a packing list.", "Sunscreen, two towels and a Swiss knife."))
    assert packing == "Sunscreen, two towels and a Swiss knife are on the packing list now."
    assert home.kept == {"packing": ["Sunscreen", "two towels", "a Swiss knife"]}
    asyncio.run(talk("Add something to the shopping list", "Why is the sky blue?"))
    asyncio.run(talk("Add something to the shopping list", "Never mind."))
    assert "shopping" not in home.kept
    said = asyncio.run(talk("Remind me to water the plants", "Every Monday at nine in the morning."))
    assert said == "Alarm set for every Monday at 9:00 AM: water the plants."
    assert asyncio.run(talk("Remind me to call mum", "In ten minutes")) == "Call mum timer set for 10 minutes."


def test_forgetting_takes_away_one_thing_at_a_time() -> None:
    home = MemoryHome(
        notes=["the spare key is under the mat", "Anna's birthday is in May", "the car key is in the hall"]
    )
    assert said(home, "recall", about="spare key") == "You asked me to remember: the spare key is under the mat."
    assert said(home, "recall", about="bicycle") == "You have not asked me to remember anything about bicycle."
    assert said(home, "forget", about="bicycle") == "You have not asked me to remember anything about bicycle."
    assert said(home, "forget", about="the") == "You have not asked me to remember anything about the."
    assert said(home, "forget", about="key").startswith("There are 2 such things: ") and len(home.notes) == 3
    assert said(home, "forget", about="the spare keys") == "I forgot: the spare key is under the mat."
    assert said(home, "forget", last=True) == "I forgot: the car key is in the hall."
    assert home.notes == ["Anna's birthday is in May"]
    assert said(home, "forget", all=True) == "I forgot the one thing I remembered." and not home.notes
    assert said(home, "forget", all=True).startswith("There is nothing to forget")


def test_alarms_that_come_again() -> None:
    home = MemoryHome()  # a Saturday, at seven past three in the afternoon
    at = {"hour": 6, "minute": 45, "half": None, "day": None}
    assert said(home, "alarm_set", at=at, every=WORKDAYS) == "Alarm set for every weekday at 6:45 AM."
    assert home.timers[0].every == WORKDAYS and home.timers[0].seconds == (39 * 60 + 38) * 60
    assert said(home, "alarm_list") == "There is an alarm every weekday at 6:45 AM."
    pills = {
        "at": {"hour": 8, "minute": 0, "half": "pm", "day": None},
        "every": ("mon", "thu"),
        "name": "take the pills",
    }
    assert said(home, "alarm_set", **pills) == "Alarm set for every Monday and Thursday at 8:00 PM: take the pills."
    assert said(home, "reminder_list") == "There is one reminder: take the pills, every Monday and Thursday at 8:00 PM."
    assert said(home, "alarm_cancel", at=at) == "Cancelled the alarm, every weekday."
    assert said(home, "alarm_set", ("at",), name="call mum") == "When should I remind you to call mum?"


def test_reminders_are_timers_and_alarms_with_something_to_say() -> None:
    home = MemoryHome()
    assert said(home, "reminder_list") == "There are no reminders."
    assert said(home, "reminder_cancel", all=True) == "There are no reminders to cancel."
    said(home, "timer_set", seconds=600, name="pasta")
    said(home, "timer_set", seconds=1200, name="check the oven")
    said(home, "alarm_set", at={"hour": 6, "minute": 0, "half": "pm", "day": None}, name="call mum")
    listed = "There are 2 reminders: check the oven, in 20 minutes; call mum, at 6:00 PM."
    assert said(home, "reminder_list") == listed
    assert said(home, "reminder_cancel", name="feed the cat") == "There is no reminder to feed the cat."
    assert said(home, "reminder_cancel").startswith("There are 2 reminders")
    assert said(home, "reminder_cancel", name="call mum") == "Cancelled the reminder: call mum."
    assert said(home, "reminder_cancel", all=True) == "Cancelled the reminder: check the oven."
    assert [one.name for one in home.timers] == ["pasta"]


def test_questions_about_the_home() -> None:
    home = MemoryHome()
    assert said(home, "nodes_online") == "Online: the kitchen. Not online: the hall."
    assert said(home, "nodes_online", room="hall") == "The hall is not online."
    assert said(home, "nodes_online", room="cellar") == "I don't know a room called cellar."
    assert said(home, "rooms_list") == "There are 2 rooms: the kitchen and the hall."
    home.known_rooms = [RoomInfo("kitchen", True), RoomInfo("hall", True)]
    assert said(home, "nodes_online") == "All 2 rooms are online: the kitchen and the hall."
    home.known_rooms = home.known_rooms[:1]
    assert said(home, "nodes_online") == "Only the kitchen is here, and it is online."
    assert said(home, "node_status") == "Everything is working."
    home.problems.append("Links, degraded: 1 of 2 peers.")
    assert said(home, "node_status") == "Not everything is working. Links, degraded: 1 of 2 peers."
    assert said(home, "node_version") == "This is Jarvis, version 1.2.3."


def test_what_nothing_here_can_do_is_said() -> None:
    home = MemoryHome()
    assert said(home, "weather", day="tomorrow") == "I can't tell: nothing here knows the weather."
    assert said(home, "media_play", what="jazz") == "There is no music player here that I could control."
    named = Request("", "kitchen", turns=[turn("hello")])
    assert "goes on" in asyncio.run(SKILLS["session_new"](Match("session_new"), named, cast(Home, home))).text


def test_a_plugin_may_know_the_weather_and_opens_no_door() -> None:
    async def main() -> None:
        async def knows(match: Match, request: Request, home: Home) -> str:
            return f"Rain {match.slots['day']}."

        assistant = Assistant()
        assistant.learn(shipped(), {"weather": knows, "time": knows})
        replies = [await assistant.answer(request(text), MemoryHome()) for text in ("Will it rain tomorrow?", "Time?")]
        assert [await whole(reply) for reply in replies] == ["Rain tomorrow.", "It's 3:07 PM."]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("day", "answer"),
    [
        ("christmas", "There are 34 days until Christmas."),
        ("sunday", "Sunday is tomorrow."),
        ("11-21", "November 21 is today."),
        ("02-30", "I don't know when 02-30 is."),
        ("easter", "I don't know when easter is."),
    ],
)
def test_days_until(day: str, answer: str) -> None:
    assert said(MemoryHome(), "days_until", day=day) == answer


def test_dates() -> None:
    home = MemoryHome()
    assert said(home, "date", day="friday") == "Friday is November 27."
    assert said(home, "date", day="12-24") == "December 24, 2026, is a Thursday."
    assert said(home, "date", day="yesterday") == "Yesterday was Friday, November 20, 2026."
    home.clock_is_set = False
    assert said(home, "days_until", day="friday").startswith("I don't know the date")


@pytest.mark.parametrize(
    ("hour", "half", "reminds", "found"),
    [(7, None, False, 7), (7, "pm", False, 19), (12, "am", False, 0), (12, None, True, 12), (2, None, False, 14),
     (6, None, True, 18), (6, None, False, 6), (20, None, True, 20), (0, None, False, 0)],
)  # fmt: skip
def test_which_half_of_the_day(hour: int, half: Any, reminds: bool, found: int) -> None:
    assert recurrence(Moment(hour, 0, half), ["tue", "mon"], reminds=reminds) == Recurrence(found, 0, ("mon", "tue"))


def test_the_next_time() -> None:
    saturday = datetime(2026, 11, 21, 15, 7)
    assert Recurrence(15, 7, ("sat",)).after(saturday) == datetime(2026, 11, 28, 15, 7), "not the moment itself"
    assert Recurrence(15, 8, ("sat",)).after(saturday) == datetime(2026, 11, 21, 15, 8)
    assert Recurrence(6, 45, WORKDAYS).after(saturday) == datetime(2026, 11, 23, 6, 45)
    assert say_days(("sat", "sun")) == "every Saturday and Sunday"
