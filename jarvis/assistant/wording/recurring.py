"""Alarms that come again: on which days of the week, at what time on the wall. Pure. What counts is the wall's time,
so that on a night when clocks change it still rings at seven."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jarvis.assistant.skills.said import a_list
from jarvis.assistant.wording.days import SHORT, WEEKDAYS, WEEKEND, WORKDAYS
from jarvis.assistant.wording.moments import Moment

_MORNING = range(4, 12)
"""Hours at which "every day at seven" means the morning, as far as anybody wakes somebody."""
_DAYTIME = range(7, 12)
"""And as far as they remind somebody."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    hour: int
    """0 to 23."""
    minute: int
    days: tuple[str, ...]
    """Of `mon` to `sun`; at least one, in the order of the week."""

    def after(self, when: datetime) -> datetime:
        """The first such moment after `when`, by the wall: both have the zone that `when` has."""
        wall = when.replace(tzinfo=None)
        for later in range(8):
            day = wall + timedelta(days=later)
            at = day.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
            if SHORT[at.weekday()] in self.days and at > wall:
                return at.replace(tzinfo=when.tzinfo)
        raise AssertionError("a week has every day")


def recurrence(moment: Moment, days: Collection[str], *, reminds: bool) -> Recurrence:
    """Of a time of day as it was said: without "am" or "pm" one wakes in the morning, and reminds by day."""
    hour = moment.hour
    if moment.half is not None:
        hour = hour % 12 + (12 if moment.half == "pm" else 0)
    elif 1 <= hour <= 12:
        hour = hour if hour in (_DAYTIME if reminds else _MORNING) else hour % 12 + 12
    return Recurrence(hour, moment.minute, tuple(day for day in SHORT if day in days))


def say_days(days: Sequence[str]) -> str:
    """ "every day", "every weekday", "every Monday and Thursday"."""
    known = {SHORT: "every day", WORKDAYS: "every weekday", WEEKEND: "every Saturday and Sunday"}
    return known.get(tuple(days)) or f"every {a_list(WEEKDAYS[SHORT.index(day)].capitalize() for day in days)}"


def say_time(at: datetime) -> str:
    """ "7:30 AM"."""
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}"
