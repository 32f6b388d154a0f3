"""What each intent does and says. A skill gets its slots, the request and the home, and returns one reply. It never
asks a language model and never invents: what it cannot know, it says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from jarvis.assistant.directions import room_of, same
from jarvis.assistant.house.phrases import SKILLS as HOUSE_SKILLS
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.alarms import SKILLS as ALARM_SKILLS
from jarvis.assistant.skills.aloud import SKILLS as ALOUD_SKILLS
from jarvis.assistant.skills.heard import elsewhere, in_asked_room, last, what_did_i_ask
from jarvis.assistant.skills.knowledge import SKILLS as KNOWLEDGE_SKILLS
from jarvis.assistant.skills.lists import SKILLS as LIST_SKILLS
from jarvis.assistant.skills.memory import SKILLS as MEMORY_SKILLS
from jarvis.assistant.skills.questions import SKILLS as QUESTION_SKILLS
from jarvis.assistant.skills.reminders import SKILLS as REMINDER_SKILLS
from jarvis.assistant.skills.said import Said, the
from jarvis.assistant.skills.sums import SKILLS as SUM_SKILLS
from jarvis.assistant.skills.timers import SKILLS as TIMER_SKILLS
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.days import WEEKDAYS, date_of

NOT_PRIVATE = "I could not make this private."
_FEASTS = {
    "christmas": "12-25", "christmas day": "12-25", "christmas eve": "12-24", "halloween": "10-31",
    "valentine's day": "02-14", "new year": "01-01", "new year's": "01-01", "new year's day": "01-01",
    "new year's eve": "12-31", "saint patrick's day": "03-17",
}  # fmt: skip
"""Those whose day is the same every year."""


Skill = Callable[[Match, Request, Home], Awaitable[Said]]


async def tell_time(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said("I don't know the time: the clock of this device has not been set.")
    now = home.now()
    return Said(f"It's {now.hour % 12 or 12}:{now.minute:02d} {'AM' if now.hour < 12 else 'PM'}.")


async def tell_date(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said("I don't know the date: the clock of this device has not been set.")
    day = str(match.slots.get("day", "today"))
    if day == "yesterday":
        return Said(f"Yesterday was {_date(home.now().date() - timedelta(days=1))}.")
    found = date_of(day, home.now())
    if found is None:
        return Said("There is no such day.")
    if day in ("today", "tomorrow"):
        return Said(f"{day.capitalize()} is {_date(found)}.")
    if day in WEEKDAYS:
        return Said(f"{day.capitalize()} is {found:%B} {found.day}.")
    return Said(f"{found:%B} {found.day}, {found.year}, is a {found:%A}.")


async def days_until(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said("I don't know the date: the clock of this device has not been set.")
    asked = str(match.slots["day"])
    found = date_of(_FEASTS.get(asked, asked), home.now())
    if found is None:
        return Said(f"I don't know when {asked} is.")
    name = f"{found:%B} {found.day}" if asked[:1].isdigit() else asked.title()
    days = (found - home.now().date()).days
    if days < 2:
        return Said(f"{name} is {'tomorrow' if days else 'today'}.")
    return Said(f"There are {days} days until {name}.")


async def what_can_you_do(match: Match, request: Request, home: Home) -> Said:
    return Said(
        "I can tell the time and the date, set and change timers, alarms and reminders, keep lists, do sums, "
        "announce things in other rooms, remember things for you, repeat what you or I said, in any room, and chat."
    )


async def who_are_you(match: Match, request: Request, home: Home) -> Said:
    where = f" in {the(request.room)}" if request.room else ""
    return Said(f"I'm {request.assistant_name}, your assistant{where}.")


async def stop(match: Match, request: Request, home: Home) -> Said:
    rang = await home.stop_ringing()
    if not rang and "alarm" in request.text.casefold():  # "turn off the alarm" is also said of one that is only set
        return await ALARM_SKILLS["alarm_cancel"](Match("alarm_cancel"), request, home)
    return Said("Okay.", closes=True)


async def never_mind(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay.", closes=True)


async def go_on(match: Match, request: Request, home: Home) -> Said:
    """The session was chosen already: the question is whether it goes on here."""
    asked = str(match.slots.get("room", ""))
    named = room_of(match, request.rooms)
    newest = request.turns[-1] if request.turns else None
    if asked and not named:
        return Said(f"I don't know a room called {asked}.")
    if newest is None:
        return Said(f"There is nothing to continue{in_asked_room(match)}.")
    moves = match.intent == "continue" and named and not same(named, request.room)
    if moves and not same(newest.room, named):
        if request.private:
            return Said("This conversation stays in this room.")
        return Said(f"Okay, let's continue in {the(named)}.", moves_to=named)
    said = f"In {the(newest.room)} you said" if elsewhere(newest, request) else "You said"
    return Said(f"{said}: “{newest.heard}”" + (f" I said: “{newest.reply}”" if newest.reply else ""))


async def keep_private(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay. From now on, what we say stays in this room." if request.private else NOT_PRIVATE)


async def share_again(match: Match, request: Request, home: Home) -> Said:
    if request.always_private:
        return Said("This room keeps everything to itself. You can change that in its settings.")
    return Said("Okay. What we say now is shared with the other rooms again.")


async def repeat(match: Match, request: Request, home: Home) -> Said:
    turn = last(request, match.slots.get("room"), lambda turn: bool(turn.reply))
    if turn is None:
        return Said(f"I have not said anything{in_asked_room(match)} yet.")
    if elsewhere(turn, request):
        return Said(f"In {the(turn.room)} I said: “{turn.reply}”")
    return Said(turn.reply)


SKILLS: dict[str, Skill] = {
    **TIMER_SKILLS,
    **ALARM_SKILLS,
    **ALOUD_SKILLS,
    **REMINDER_SKILLS,
    **LIST_SKILLS,
    **MEMORY_SKILLS,
    **SUM_SKILLS,
    **QUESTION_SKILLS,
    **KNOWLEDGE_SKILLS,
    **HOUSE_SKILLS,
    "time": tell_time,
    "date": tell_date,
    "days_until": days_until,
    "what_can_you_do": what_can_you_do,
    "who_are_you": who_are_you,
    "stop": stop,
    "never_mind": never_mind,
    "continue": go_on,
    "go_back": go_on,
    "private": keep_private,
    "share_again": share_again,
    "repeat": repeat,
    "what_did_i_ask": what_did_i_ask,
}


def _date(day: date) -> str:
    return f"{day:%A}, {day:%B} {day.day}, {day.year}"
