"""What is said and done about reminders: timers and alarms that say what they are for. They are set as such; here they
are told and cancelled together, since nobody remembers which of both one was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import MAX_SPOKEN, Said
from jarvis.assistant.types import Home, Request, TimerInfo
from jarvis.assistant.wording.durations import say_duration
from jarvis.assistant.wording.moments import say_moment
from jarvis.assistant.wording.recurring import say_days, say_time
from jarvis.assistant.wording.words import split


async def list_reminders(match: Match, request: Request, home: Home) -> Said:
    found = await _reminders(home)
    if not found:
        return Said("There are no reminders.")
    told = "; ".join(f"{one.name}, {_when(one, home)}" for one in found[:MAX_SPOKEN])
    more = f"; and {len(found) - MAX_SPOKEN} more" if len(found) > MAX_SPOKEN else ""
    count = "is one reminder" if len(found) == 1 else f"are {len(found)} reminders"
    return Said(f"There {count}: {told}{more}.")


async def cancel_reminder(match: Match, request: Request, home: Home) -> Said:
    found, name = await _reminders(home), match.slots.get("name")
    if not found:
        return Said("There are no reminders to cancel.")
    if name is not None:
        found = [one for one in found if _words(str(name)) <= _words(one.name)]
        if not found:
            return Said(f"There is no reminder to {name}.")
    if len(found) > 1 and not match.slots.get("all"):
        told = "; ".join(one.name for one in found[:MAX_SPOKEN])
        return Said(f"There are {len(found)} reminders: {told}. Say which one to cancel.")
    gone = [one for one in found if await home.cancel_timer(one.timer_id)]
    if not gone:
        return Said("It was over already.")
    return Said(f"Cancelled the reminder: {gone[0].name}." if len(gone) == 1 else f"Cancelled {len(gone)} reminders.")


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "reminder_list": list_reminders,
    "reminder_cancel": cancel_reminder,
}


async def _reminders(home: Home) -> list[TimerInfo]:
    """The next first. A pasta timer has a name too, but reminds of nothing."""
    named = [one for one in await home.list_timers() if one.name and (one.alarm or len(one.name.split()) > 1)]
    return sorted(named, key=lambda one: (one.paused, one.remaining_s, one.timer_id))


def _when(one: TimerInfo, home: Home) -> str:
    if one.due_ms is None or not home.clock_is_set or not one.alarm:
        return f"in {say_duration(max(1, one.remaining_s))}"
    at = datetime.fromtimestamp(one.due_ms / 1000, home.now().tzinfo)
    if one.every:
        return f"{say_days(one.every)} at {say_time(at)}"
    return f"at {say_moment(at, home.now())}"


def _words(text: str) -> set[str]:
    return {word.text for word in split(text)}
