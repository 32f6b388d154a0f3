"""What the intents about time and date do and say. A device that does not know the time tells none."""

from __future__ import annotations

from datetime import date, timedelta

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.days import WEEKDAYS, date_of

_FEASTS = {
    "christmas": "12-25", "christmas day": "12-25", "christmas eve": "12-24", "halloween": "10-31",
    "valentine's day": "02-14", "new year": "01-01", "new year's": "01-01", "new year's day": "01-01",
    "new year's eve": "12-31", "saint patrick's day": "03-17",
}  # fmt: skip
"""Those whose day is the same every year."""


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


SKILLS = {"time": tell_time, "date": tell_date, "days_until": days_until}


def _date(day: date) -> str:
    return f"{day:%A}, {day:%B} {day.day}, {day.year}"
