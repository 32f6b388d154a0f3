"""Which of the timers or alarms that run a sentence means, what they are called aloud, and how one is ended. What one
room changes, another may have changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.assistant.directions import same
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import MAX_SPOKEN, Said, in_asked_room, the
from jarvis.assistant.types import Home, Request, TimerInfo
from jarvis.assistant.wording.durations import say_duration
from jarvis.assistant.wording.recurring import say_days


async def timers_of(match: Match, home: Home, *, alarms: bool = False) -> list[TimerInfo]:
    """The next to ring first; only of the room that was named."""
    found = [timer for timer in await home.list_timers() if timer.alarm is alarms]
    room = match.slots.get("room")
    found = [timer for timer in found if room is None or same(timer.room, room)]
    return sorted(found, key=lambda timer: (timer.paused, timer.remaining_s, timer.timer_id))


def the_one(match: Match, request: Request, timers: Sequence[TimerInfo], verb: str) -> TimerInfo | Said:
    """The timer that is meant, or what to say where there is none, or more than one."""
    if not timers:
        return Said(f"There are no timers to {verb}{in_asked_room(match)}.")
    chosen = _chosen(match, request, timers)
    if not chosen:
        return _none_such(match, "timer")
    if len(chosen) > 1:
        return Said(f"There are {len(chosen)} timers: {_told(chosen)}. Which one do you mean?", asks=True)
    return chosen[0]


async def cancel(match: Match, request: Request, home: Home, timers: Sequence[TimerInfo]) -> Said:
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
    return Said(f"Cancelled {called(cancelled[0])}{again}.")


def called(timer: TimerInfo) -> str:
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


def named(timer: TimerInfo, request: Request, match: Match, *, when: str = "") -> str:
    """With its room, where that is another one than this and than was asked for."""
    elsewhere = timer.room and not same(timer.room, request.room) and "room" not in match.slots
    return f"{called(timer)}{when}{f' in {the(timer.room)}' if elsewhere else ''}"


def left(timer: TimerInfo) -> str:
    return say_duration(max(1, timer.remaining_s))


def same_name(own: str, asked: str) -> bool:
    return own.casefold() == asked.casefold()


def _chosen(match: Match, request: Request, timers: Sequence[TimerInfo]) -> list[TimerInfo]:
    """Those the person may mean: the one that rings, or the one of their room, before others."""
    slots = match.slots
    length = slots.get("length", slots.get("seconds") if match.intent == "timer_cancel" else None)
    chosen = [timer for timer in timers if "name" not in slots or same_name(timer.name, slots["name"])]
    chosen = [timer for timer in chosen if length is None or timer.seconds == length]
    for nearer in (lambda timer: timer.rings, lambda timer: same(timer.room, request.room)):
        near = [timer for timer in chosen if nearer(timer)]
        if len(chosen) > 1 and len(near) == 1 and "name" not in slots and length is None:
            return near
    return chosen


def _none_such(match: Match, what: str) -> Said:
    seconds = match.slots.get("length", match.slots.get("seconds", 0))
    which = match.slots.get("name") or say_duration(seconds)
    return Said(f"There is no {which} {what}{in_asked_room(match)}.")


def _told(timers: Sequence[TimerInfo]) -> str:
    return ", ".join(called(timer) for timer in timers[:MAX_SPOKEN])
