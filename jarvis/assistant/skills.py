"""What each intent does and says. A skill gets its slots, the request and the home, and returns one reply. It never
asks a language model and never invents: what it cannot know, it says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jarvis.assistant.directions import room_of
from jarvis.assistant.durations import say_duration
from jarvis.assistant.intents import Match
from jarvis.assistant.types import Home, PastTurn, Request, TimerInfo

MAX_TIMER_S = 24 * 3600
"""A longer one is a date, and those need a calendar."""
MAX_SPOKEN = 5
"""Items of a list read aloud; more than that nobody keeps in mind."""
NOT_PRIVATE = "I could not make this private."
MAX_REMEMBERED_CHARS = 500
"""Of one note: half a minute of speech."""


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    closes: bool = False
    asks: bool = False
    moves_to: str = ""
    """The room in which the conversation goes on."""


Skill = Callable[[Match, Request, Home], Awaitable[Said]]


async def tell_time(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said("I don't know the time: the clock of this device has not been set.")
    now = home.now()
    return Said(f"It's {now.hour % 12 or 12}:{now.minute:02d} {'AM' if now.hour < 12 else 'PM'}.")


async def tell_date(match: Match, request: Request, home: Home) -> Said:
    if not home.clock_is_set:
        return Said("I don't know the date: the clock of this device has not been set.")
    day = match.slots.get("day", "today")
    date = home.now() + timedelta(days={"tomorrow": 1, "yesterday": -1}.get(day, 0))
    return Said(f"{day.capitalize()} {'was' if day == 'yesterday' else 'is'} {_date(date)}.")


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
    timers = _soonest_first(await home.list_timers())
    name = match.slots.get("name")
    if name is not None:
        timers = [timer for timer in timers if _same_name(timer.name, name)]
        if not timers:
            return Said(f"There is no {name} timer.")
    if not timers:
        return Said("There are no timers.")
    if len(timers) == 1:
        return Said(f"{_timer(timers[0]).capitalize()} has {_left(timers[0])} left.")
    told = "; ".join(f"{_timer(timer)} has {_left(timer)} left" for timer in timers[:MAX_SPOKEN])
    more = f"; and {len(timers) - MAX_SPOKEN} more" if len(timers) > MAX_SPOKEN else ""
    return Said(f"There are {len(timers)} timers: {told}{more}.")


async def cancel_timer(match: Match, request: Request, home: Home) -> Said:
    timers = _soonest_first(await home.list_timers())
    if not timers:
        return Said("There are no timers to cancel.")
    chosen = _chosen(match, timers)
    if not chosen:
        what = match.slots.get("name") or say_duration(match.slots.get("seconds", 0))
        return Said(f"There is no {what} timer.")
    if len(chosen) > 1 and not match.slots.get("all"):
        told = ", ".join(_timer(timer) for timer in chosen[:MAX_SPOKEN])
        return Said(f"There are {len(chosen)} timers: {told}. Which one should I cancel?", asks=True)
    cancelled = [timer for timer in chosen if await home.cancel_timer(timer.timer_id)]
    if not cancelled:
        return Said("It was over already.")
    if len(cancelled) > 1:
        return Said(f"Cancelled {len(cancelled)} timers.")
    return Said(f"Cancelled {_timer(cancelled[0])}.")


async def what_can_you_do(match: Match, request: Request, home: Home) -> Said:
    return Said(
        "I can tell the time and the date, set, list and cancel timers, remember things for you, "
        "repeat what you or I said, in any room, and chat."
    )


async def who_are_you(match: Match, request: Request, home: Home) -> Said:
    where = f" in {_the(request.room)}" if request.room else ""
    return Said(f"I'm {request.assistant_name}, your assistant{where}.")


async def stop(match: Match, request: Request, home: Home) -> Said:
    await home.stop_ringing()
    return Said("Okay.", closes=True)


async def never_mind(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay.", closes=True)


async def go_on(match: Match, request: Request, home: Home) -> Said:
    """The session was chosen already: the question is whether it goes on here."""
    asked = str(match.slots.get("room", ""))
    named = room_of(match, request.rooms)
    last = request.turns[-1] if request.turns else None
    if asked and not named:
        return Said(f"I don't know a room called {asked}.")
    if last is None:
        return Said(f"There is nothing to continue{_in_asked_room(match)}.")
    moves = match.intent == "continue" and named and _room(named) != _room(request.room)
    if moves and _room(last.room) != _room(named):
        if request.private:
            return Said("This conversation stays in this room.")
        return Said(f"Okay, let's continue in {_the(named)}.", moves_to=named)
    said = f"In {_the(last.room)} you said" if _elsewhere(last, request) else "You said"
    return Said(f"{said}: “{last.heard}”" + (f" I said: “{last.reply}”" if last.reply else ""))


async def keep_private(match: Match, request: Request, home: Home) -> Said:
    return Said("Okay. From now on, what we say stays in this room." if request.private else NOT_PRIVATE)


async def share_again(match: Match, request: Request, home: Home) -> Said:
    if request.always_private:
        return Said("This room keeps everything to itself. You can change that in its settings.")
    return Said("Okay. What we say now is shared with the other rooms again.")


async def repeat(match: Match, request: Request, home: Home) -> Said:
    turn = _last(request, match.slots.get("room"), lambda turn: bool(turn.reply))
    if turn is None:
        return Said(f"I have not said anything{_in_asked_room(match)} yet.")
    if _elsewhere(turn, request):
        return Said(f"In {_the(turn.room)} I said: “{turn.reply}”")
    return Said(turn.reply)


async def what_did_i_ask(match: Match, request: Request, home: Home) -> Said:
    turn = _last(request, match.slots.get("room"), lambda turn: bool(turn.heard))
    if turn is None:
        return Said(f"You have not asked me anything{_in_asked_room(match)} yet.")
    if _elsewhere(turn, request):
        return Said(f'In {_the(turn.room)} you asked: "{turn.heard}"')
    return Said(f'You asked: "{turn.heard}"')


async def remember(match: Match, request: Request, home: Home) -> Said:
    if "text" in match.missing:
        return Said("What should I remember?", asks=True)
    text = str(match.slots["text"])
    if len(text) > MAX_REMEMBERED_CHARS:
        return Said("That is too long for me to remember. Please tell me in fewer words.")
    await home.remember(text)
    return Said(f"I'll remember: {text}.")


async def recall(match: Match, request: Request, home: Home) -> Said:
    texts = await home.remembered()
    if not texts:
        return Said("You have not asked me to remember anything.")
    told = "; ".join(texts[-MAX_SPOKEN:])
    older = len(texts) - MAX_SPOKEN
    more = f" And {older} older {'thing' if older == 1 else 'things'}." if older > 0 else ""
    return Said(f"You asked me to remember: {told}.{more}")


SKILLS: dict[str, Skill] = {
    "time": tell_time,
    "date": tell_date,
    "timer_set": set_timer,
    "timer_list": list_timers,
    "timer_cancel": cancel_timer,
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
    "remember": remember,
    "recall": recall,
}


def _date(date: datetime) -> str:
    return f"{date:%A}, {date:%B} {date.day}, {date.year}"


def _soonest_first(timers: list[TimerInfo]) -> list[TimerInfo]:
    return sorted(timers, key=lambda timer: (timer.remaining_s, timer.timer_id))


def _same_name(own: str, asked: str) -> bool:
    return own.casefold() == asked.casefold()


def _chosen(match: Match, timers: list[TimerInfo]) -> list[TimerInfo]:
    """Those the person may mean."""
    if "name" in match.slots:
        return [timer for timer in timers if _same_name(timer.name, match.slots["name"])]
    if "seconds" in match.slots:
        return [timer for timer in timers if timer.seconds == match.slots["seconds"]]
    return timers


def _timer(timer: TimerInfo) -> str:
    if len(timer.name.split()) > 2:
        return f"the timer “{timer.name}”"
    return (
        f"the {timer.name or say_duration(timer.seconds)} timer".replace("minutes timer", "minute timer")
        .replace("hours timer", "hour timer")
        .replace("seconds timer", "second timer")
    )


def _left(timer: TimerInfo) -> str:
    return say_duration(max(1, timer.remaining_s))


def _last(request: Request, room: str | None, fits: Callable[[PastTurn], bool]) -> PastTurn | None:
    """The newest turn that fits, in `room` when one was named."""
    for turn in reversed(request.turns):
        if fits(turn) and (room is None or _room(turn.room) == _room(room)):
            return turn
    return None


def _elsewhere(turn: PastTurn, request: Request) -> bool:
    return bool(turn.room) and _room(turn.room) != _room(request.room)


def _room(name: str) -> str:
    return " ".join(name.casefold().split()).removeprefix("the ")


def _in_asked_room(match: Match) -> str:
    return f" in {_the(match.slots['room'])}" if "room" in match.slots else ""


def _the(room: str) -> str:
    """ "the kitchen", but "Tom's room" and "room 5" as they are."""
    bare = "'" in room or "’" in room or any(letter.isdigit() for letter in room) or _room(room) != room.casefold()
    return room if bare else f"the {room}"
