"""What the intents about alarms do and say: once, or on days that come again. A device that does not know the time sets
none."""

from __future__ import annotations

from datetime import datetime

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import MAX_SPOKEN, Said
from jarvis.assistant.skills.which import cancel, named, timers_of
from jarvis.assistant.types import Home, Request, TimerInfo
from jarvis.assistant.wording.moments import Moment, next_moment, say_moment
from jarvis.assistant.wording.recurring import recurrence, say_days, say_time

NO_CLOCK = "I don't know what time it is, so I can't set an alarm: the clock of this device has not been set."


async def set_alarm(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said(NO_CLOCK)
    name = str(match.slots.get("name", ""))
    if "at" not in match.slots:
        return Said(f"When should I remind you to {name}?" if name else "For when?", asks=True)
    moment = Moment(**match.slots["at"])
    if match.slots.get("every"):
        again = recurrence(moment, match.slots["every"], reminds=bool(name))
        at = again.after(home.now())
        await home.set_alarm(at, name, again.days)
        return Said(f"Alarm set for {say_days(again.days)} at {say_time(at)}{f': {name}' if name else ''}.")
    at = next_moment(moment, home.now())
    if at <= home.now():
        return Said("That time is over already.")
    await home.set_alarm(at, name)
    return Said(f"Alarm set for {say_moment(at, home.now())}{f': {name}' if name else ''}.")


async def list_alarms(match: Match, request: Request, home: Home) -> Said:
    alarms = await timers_of(match, home, alarms=True)
    if not alarms:
        return Said("There are no alarms.")
    told = [named(alarm, request, match, when=_when(alarm, home)) for alarm in alarms[:MAX_SPOKEN]]
    more = f", and {len(alarms) - MAX_SPOKEN} more" if len(alarms) > MAX_SPOKEN else ""
    if len(alarms) == 1:
        return Said(f"There is {told[0].replace('the ', 'an ', 1) if not alarms[0].name else told[0]}.")
    return Said(f"There are {len(alarms)} alarms: {'; '.join(told)}{more}.")


async def cancel_alarm(match: Match, request: Request, home: Home) -> Said:
    alarms = await timers_of(match, home, alarms=True)
    if "at" in match.slots:
        meant = Moment(**match.slots["at"])
        alarms = [one for one in alarms if (at := _moment(one, home)) and meant.fits(at)]
    if not alarms:
        return Said("There is no such alarm." if "at" in match.slots else "There are no alarms to cancel.")
    return await cancel(match, request, home, alarms)


SKILLS = {"alarm_set": set_alarm, "alarm_list": list_alarms, "alarm_cancel": cancel_alarm}


def _moment(alarm: TimerInfo, home: Home) -> datetime | None:
    if alarm.due_ms is None:
        return None
    return datetime.fromtimestamp(alarm.due_ms / 1000, home.now().tzinfo)


def _when(alarm: TimerInfo, home: Home) -> str:
    at = _moment(alarm, home)
    if at is None or not home.clock_is_set:
        return ""
    return f" {say_days(alarm.every)} at {say_time(at)}" if alarm.every else f" at {say_moment(at, home.now())}"
