"""What the intents about timers do and say: set, tell, end and change one."""

from __future__ import annotations

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import MAX_SPOKEN, Said, capital, in_asked_room
from jarvis.assistant.skills.which import called, cancel, left, named, same_name, the_one, timers_of
from jarvis.assistant.types import Home, Request, TimerInfo
from jarvis.assistant.wording.durations import say_duration

MAX_TIMER_S = 24 * 3600
"""A longer one is a date, and those need a calendar."""
SNOOZE_S = 300


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
    timers = await timers_of(match, home)
    name = match.slots.get("name")
    if name is not None:
        timers = [timer for timer in timers if same_name(timer.name, name)]
        if not timers:
            return Said(f"There is no {name} timer{in_asked_room(match)}.")
    if not timers:
        return Said(f"There are no timers{in_asked_room(match)}.")
    several = [named(timer, request, match) for timer in timers]
    if len(timers) == 1:
        return Said(f"{capital(several[0])} {_state(timers[0])}.")
    told = "; ".join(f"{what} {_state(timer)}" for what, timer in zip(several[:MAX_SPOKEN], timers, strict=False))
    more = f"; and {len(timers) - MAX_SPOKEN} more" if len(timers) > MAX_SPOKEN else ""
    return Said(f"There are {len(timers)} timers: {told}{more}.")


async def cancel_timer(match: Match, request: Request, home: Home) -> Said:
    timers = await timers_of(match, home)
    if not timers:
        return Said(f"There are no timers to cancel{in_asked_room(match)}.")
    return await cancel(match, request, home, timers)


async def add_time(match: Match, request: Request, home: Home) -> Said:
    return await _change(match, request, home, int(match.slots.get("seconds", SNOOZE_S)))


async def take_time(match: Match, request: Request, home: Home) -> Said:
    return await _change(match, request, home, -int(match.slots["seconds"]))


async def pause_timer(match: Match, request: Request, home: Home) -> Said:
    one = the_one(match, request, [timer for timer in await timers_of(match, home) if not timer.paused], "pause")
    if isinstance(one, Said):
        return one
    timer = await home.pause_timer(one.timer_id, True)
    return Said(f"Paused {called(one)}, with {left(timer)} left.")


async def resume_timer(match: Match, request: Request, home: Home) -> Said:
    one = the_one(match, request, [timer for timer in await timers_of(match, home) if timer.paused], "resume")
    if isinstance(one, Said):
        return one
    timer = await home.pause_timer(one.timer_id, False)
    return Said(f"{capital(called(one))} goes on, with {left(timer)} left.")


SKILLS = {
    "timer_set": set_timer,
    "timer_list": list_timers,
    "timer_cancel": cancel_timer,
    "timer_add": add_time,
    "timer_take": take_time,
    "timer_pause": pause_timer,
    "timer_resume": resume_timer,
}


async def _change(match: Match, request: Request, home: Home, seconds: int) -> Said:
    timers = [*await timers_of(match, home), *await timers_of(match, home, alarms=True)]
    running = [timer for timer in timers if not timer.alarm or timer.rings] or timers
    one = the_one(match, request, running, "change")
    if isinstance(one, Said):
        return one
    timer = await home.add_time(one.timer_id, seconds)
    return Said(f"{capital(named(one, request, match))} has {left(timer)} left now.")


def _state(timer: TimerInfo) -> str:
    if timer.rings:
        return "is ringing"
    return f"{'is paused with' if timer.paused else 'has'} {left(timer)} left"
