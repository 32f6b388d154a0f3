"""What the intents about timers, alarms and loudness do and say, and announcements. As in `skills` nothing is invented;
what one room changes, another may have changed meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from jarvis.assistant.directions import same
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, the
from jarvis.assistant.types import Home, Request, TimerInfo
from jarvis.assistant.wording.durations import say_duration
from jarvis.assistant.wording.moments import Moment, next_moment, say_moment
from jarvis.assistant.wording.recurring import recurrence, say_days, say_time

MAX_TIMER_S = 24 * 3600
"""A longer one is a date, and those need a calendar."""
MAX_SPOKEN = 5
"""Items of a list read aloud; more than that nobody keeps in mind."""
SNOOZE_S = 300
STEP, FAR_STEP = 10, 25
"""Of the volume, in percent."""
NO_CLOCK = "I don't know what time it is, so I can't set an alarm: the clock of this device has not been set."


async def set_timer(match: Match, request: Request, home: Home) -> Said:
    name = str(match.slots.get("name", ""))
    if "seconds" in match.missing:
        return Said(f"For how long should I set the {name} timer?" if name else "For how long?", asks=True)
    seconds = int(match.slots["seconds"])
    if seconds < 1:
        return Said("A timer needs at least one second.")
    if seconds > MAX_TIMER_S:
        return Said(f"I can set timers of up to {say_duration(MAX_TIMER_S)}.")
    await home.set_timer(seconds, name)
    if len(name.split()) > 2:  # a reminder: say it after, "check the oven timer" is nothing
        return Said(f"Timer set for {say_duration(seconds)}: {name}.")
    return Said(
        f"{name.capitalize()} timer set for {say_duration(seconds)}."
        if name
        else f"Timer set for {say_duration(seconds)}."
    )


async def list_timers(match: Match, request: Request, home: Home) -> Said:
    timers = await _timers(match, home)
    name = match.slots.get("name")
    if name is not None:
        timers = [timer for timer in timers if _same_name(timer.name, name)]
        if not timers:
            return Said(f"There is no {name} timer{_in_asked_room(match)}.")
    if not timers:
        return Said(f"There are no timers{_in_asked_room(match)}.")
    several = [_named(timer, request, match) for timer in timers]
    if len(timers) == 1:
        return Said(f"{_capital(several[0])} {_state(timers[0])}.")
    told = "; ".join(f"{what} {_state(timer)}" for what, timer in zip(several[:MAX_SPOKEN], timers, strict=False))
    more = f"; and {len(timers) - MAX_SPOKEN} more" if len(timers) > MAX_SPOKEN else ""
    return Said(f"There are {len(timers)} timers: {told}{more}.")


async def cancel_timer(match: Match, request: Request, home: Home) -> Said:
    timers = await _timers(match, home)
    if not timers:
        return Said(f"There are no timers to cancel{_in_asked_room(match)}.")
    return await _cancel(match, request, home, timers)


async def add_time(match: Match, request: Request, home: Home) -> Said:
    return await _change(match, request, home, int(match.slots.get("seconds", SNOOZE_S)))


async def take_time(match: Match, request: Request, home: Home) -> Said:
    return await _change(match, request, home, -int(match.slots["seconds"]))


async def pause_timer(match: Match, request: Request, home: Home) -> Said:
    one = _one(match, request, [timer for timer in await _timers(match, home) if not timer.paused], "pause")
    if isinstance(one, Said):
        return one
    timer = await home.pause_timer(one.timer_id, True)
    return Said(f"Paused {_timer(one)}, with {_left(timer)} left.")


async def resume_timer(match: Match, request: Request, home: Home) -> Said:
    one = _one(match, request, [timer for timer in await _timers(match, home) if timer.paused], "resume")
    if isinstance(one, Said):
        return one
    timer = await home.pause_timer(one.timer_id, False)
    return Said(f"{_capital(_timer(one))} goes on, with {_left(timer)} left.")


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
    alarms = await _timers(match, home, alarms=True)
    if not alarms:
        return Said("There are no alarms.")
    told = [_named(alarm, request, match, when=_when(alarm, home)) for alarm in alarms[:MAX_SPOKEN]]
    more = f", and {len(alarms) - MAX_SPOKEN} more" if len(alarms) > MAX_SPOKEN else ""
    if len(alarms) == 1:
        return Said(f"There is {told[0].replace('the ', 'an ', 1) if not alarms[0].name else told[0]}.")
    return Said(f"There are {len(alarms)} alarms: {'; '.join(told)}{more}.")


async def cancel_alarm(match: Match, request: Request, home: Home) -> Said:
    alarms = await _timers(match, home, alarms=True)
    if "at" in match.slots:
        meant = Moment(**match.slots["at"])
        alarms = [one for one in alarms if (at := _moment(one, home)) and meant.fits(at)]
    if not alarms:
        return Said("There is no such alarm." if "at" in match.slots else "There are no alarms to cancel.")
    return await _cancel(match, request, home, alarms)


async def volume(match: Match, request: Request, home: Home) -> Said:
    before = await home.volume()
    if match.intent == "volume_tell":
        return Said(f"The volume is at {before} percent.")
    step = FAR_STEP if match.slots.get("far") else STEP
    wanted = {"volume_up": before + step, "volume_down": before - step}.get(match.intent)
    if wanted is None:
        wanted = round(match.slots["percent"])
        if not 0 <= wanted <= 100:
            return Said("The volume goes from 0 to 100 percent.")
    elif before == max(0, min(100, wanted)):
        return Said("I can't get any louder." if match.intent == "volume_up" else "I am silent already.")
    await home.set_volume(max(0, min(100, wanted)))
    after = await home.volume()
    if after != max(0, min(100, wanted)):
        return Said(f"The volume stays at {after} percent: this device's own settings say so.")
    return Said(f"The volume is at {after} percent.")


async def announce(match: Match, request: Request, home: Home) -> Said:
    if "text" in match.missing:
        return Said("What should I announce?", asks=True)
    done = await home.announce(_capital(str(match.slots["text"])), match.slots.get("room"))
    quiet = f"it is quiet hours in {a_list(map(the, done.quiet))}" if done.quiet else ""
    if not done.rooms:
        return Said(f"I did not: {quiet}." if quiet else "There is no other room that could hear it.")
    return Said(f"Announced in {a_list(map(the, done.rooms))}{f', but {quiet}' if quiet else ''}.")


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "timer_set": set_timer,
    "timer_list": list_timers,
    "timer_cancel": cancel_timer,
    "timer_add": add_time,
    "timer_take": take_time,
    "timer_pause": pause_timer,
    "timer_resume": resume_timer,
    "alarm_set": set_alarm,
    "alarm_list": list_alarms,
    "alarm_cancel": cancel_alarm,
    "volume_set": volume,
    "volume_up": volume,
    "volume_down": volume,
    "volume_tell": volume,
    "announce": announce,
}


async def _change(match: Match, request: Request, home: Home, seconds: int) -> Said:
    timers = [*await _timers(match, home), *await _timers(match, home, alarms=True)]
    running = [timer for timer in timers if not timer.alarm or timer.rings] or timers
    one = _one(match, request, running, "change")
    if isinstance(one, Said):
        return one
    timer = await home.add_time(one.timer_id, seconds)
    return Said(f"{_capital(_named(one, request, match))} has {_left(timer)} left now.")


async def _cancel(match: Match, request: Request, home: Home, timers: Sequence[TimerInfo]) -> Said:
    what = "alarm" if timers[0].alarm else "timer"
    chosen = list(timers) if match.slots.get("all") else _chosen(match, request, timers)
    if not chosen:
        return _none_such(match, what)
    if len(chosen) > 1 and not match.slots.get("all"):
        return Said(f"There are {len(chosen)} {what}s: {_told(chosen)}. Which one should I cancel?", asks=True)
    cancelled = [timer for timer in chosen if await home.cancel_timer(timer.timer_id)]
    if not cancelled:
        return Said("It was over already.")
    if len(cancelled) > 1:
        return Said(f"Cancelled {len(cancelled)} {what}s.")
    again = f", {say_days(cancelled[0].every)}" if cancelled[0].every else ""
    return Said(f"Cancelled {_timer(cancelled[0])}{again}.")


def _one(match: Match, request: Request, timers: Sequence[TimerInfo], verb: str) -> TimerInfo | Said:
    """The timer that is meant, or what to say where there is none, or more than one."""
    if not timers:
        return Said(f"There are no timers to {verb}{_in_asked_room(match)}.")
    chosen = _chosen(match, request, timers)
    if not chosen:
        return _none_such(match, "timer")
    if len(chosen) > 1:
        return Said(f"There are {len(chosen)} timers: {_told(chosen)}. Which one do you mean?", asks=True)
    return chosen[0]


def _chosen(match: Match, request: Request, timers: Sequence[TimerInfo]) -> list[TimerInfo]:
    """Those the person may mean: the one that rings, or the one of their room, before others."""
    slots = match.slots
    length = slots.get("length", slots.get("seconds") if match.intent == "timer_cancel" else None)
    chosen = [timer for timer in timers if "name" not in slots or _same_name(timer.name, slots["name"])]
    chosen = [timer for timer in chosen if length is None or timer.seconds == length]
    for nearer in (lambda timer: timer.rings, lambda timer: same(timer.room, request.room)):
        near = [timer for timer in chosen if nearer(timer)]
        if len(chosen) > 1 and len(near) == 1 and "name" not in slots and length is None:
            return near
    return chosen


async def _timers(match: Match, home: Home, *, alarms: bool = False) -> list[TimerInfo]:
    """The next to ring first; only of the room that was named."""
    found = [timer for timer in await home.list_timers() if timer.alarm is alarms]
    room = match.slots.get("room")
    found = [timer for timer in found if room is None or same(timer.room, room)]
    return sorted(found, key=lambda timer: (timer.paused, timer.remaining_s, timer.timer_id))


def _none_such(match: Match, what: str) -> Said:
    seconds = match.slots.get("length", match.slots.get("seconds", 0))
    which = match.slots.get("name") or say_duration(seconds)
    return Said(f"There is no {which} {what}{_in_asked_room(match)}.")


def _told(timers: Sequence[TimerInfo]) -> str:
    return ", ".join(_timer(timer) for timer in timers[:MAX_SPOKEN])


def _same_name(own: str, asked: str) -> bool:
    return own.casefold() == asked.casefold()


def _timer(timer: TimerInfo) -> str:
    kind = "alarm" if timer.alarm else "timer"
    if len(timer.name.split()) > 2:
        return f"the {kind} “{timer.name}”"
    if timer.alarm:
        return f"the {timer.name} alarm" if timer.name else "the alarm"
    return (
        f"the {timer.name or say_duration(timer.seconds)} timer".replace("minutes timer", "minute timer")
        .replace("hours timer", "hour timer")
        .replace("seconds timer", "second timer")
    )


def _named(timer: TimerInfo, request: Request, match: Match, *, when: str = "") -> str:
    """With its room, where that is another one than this and than was asked for."""
    elsewhere = timer.room and not same(timer.room, request.room) and "room" not in match.slots
    return f"{_timer(timer)}{when}{f' in {the(timer.room)}' if elsewhere else ''}"


def _state(timer: TimerInfo) -> str:
    if timer.rings:
        return "is ringing"
    return f"{'is paused with' if timer.paused else 'has'} {_left(timer)} left"


def _left(timer: TimerInfo) -> str:
    return say_duration(max(1, timer.remaining_s))


def _moment(alarm: TimerInfo, home: Home) -> datetime | None:
    if alarm.due_ms is None:
        return None
    return datetime.fromtimestamp(alarm.due_ms / 1000, home.now().tzinfo)


def _when(alarm: TimerInfo, home: Home) -> str:
    at = _moment(alarm, home)
    if at is None or not home.clock_is_set:
        return ""
    return f" {say_days(alarm.every)} at {say_time(at)}" if alarm.every else f" at {say_moment(at, home.now())}"


def _in_asked_room(match: Match) -> str:
    return f" in {the(match.slots['room'])}" if "room" in match.slots else ""


def _capital(text: str) -> str:
    """Names keep their capitals, which `capitalize` takes."""
    return text[:1].upper() + text[1:]
