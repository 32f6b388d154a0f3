"""What was said, here or in another room: the last of it, or several things. It repeats people in their own words, says
how far back it looked and what it cannot know, and makes nothing up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from jarvis.assistant.directions import room_of, same
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import MAX_SPOKEN, Said, a_list, in_asked_room, the
from jarvis.assistant.types import Heard, Home, PastTurn, Request
from jarvis.assistant.wording.words import split

MAX_CHARS = 120
"""Of one thing that was said, when several are told."""
_NEWEST = frozenset({"just", "last", "latest", "previous", "question", "recent", "now"})
"""Words by which one thing is asked for."""
_SEVERAL = frozenset({"earlier", "before", "today", "all", "things"})
"""Words by which more is asked for than the conversation's last."""


async def what_did_i_ask(match: Match, request: Request, home: Home) -> Said:
    """`room`: where; without one it is the conversation's last, or what was said earlier in this room."""
    asked = str(match.slots.get("room", ""))
    if asked and request.rooms and not room_of(match, request.rooms):
        return Said(f"I don't know a room called {asked}.")
    words = {word.text for word in split(request.text)}
    newest = bool(words & _NEWEST)
    turn = last(request, asked or None, lambda turn: bool(turn.heard))
    if not asked and (newest or not words & _SEVERAL) and turn is not None:
        return _one(turn, request)
    room = room_of(match, request.rooms) or asked or request.room
    heard = await home.heard(room, 1 if newest else MAX_SPOKEN)
    unsure = await _unsure(room, heard, request, home)
    if len(heard.turns) > 1:
        return Said(_several(room, heard, home) + unsure)
    found = heard.turns[-1] if heard.turns else turn
    if found is not None:
        return Said(_one(found, request).text + ("." + unsure if unsure else ""))
    if heard.before:
        return Said(f"I heard nothing in {the(room)} in the last {heard.hours} hours.{unsure}")
    return Said(f"You have not asked me anything{in_asked_room(match)} yet.{unsure}")


def last(request: Request, room: str | None, fits: Callable[[PastTurn], bool]) -> PastTurn | None:
    """The conversation's newest turn that fits, in `room` when one was named."""
    for turn in reversed(request.turns):
        if fits(turn) and (room is None or same(turn.room, room)):
            return turn
    return None


def elsewhere(turn: PastTurn, request: Request) -> bool:
    return bool(turn.room) and not same(turn.room, request.room)


def _one(turn: PastTurn, request: Request) -> Said:
    if elsewhere(turn, request):
        return Said(f'In {the(turn.room)} you asked: "{turn.heard}"')
    return Said(f'You asked: "{turn.heard}"')


def _several(room: str, heard: Heard, home: Home) -> str:
    told = [f'"{_short(turn.heard)}"{_at(turn, home)}' for turn in heard.turns]
    hours = f"in the last {heard.hours} hours"
    if heard.count == len(told):
        return f"In {the(room)} I heard {hours}: {a_list(told)}."
    return f"In {the(room)} I heard {heard.count} things {hours}. The last {len(told)} were: {a_list(told)}."


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS].rsplit(" ", 1)[0] + "…"


def _at(turn: PastTurn, home: Home) -> str:
    """When it was said; nothing where nobody knows the time."""
    if not home.clock_is_set:
        return ""
    now = home.now()
    at = datetime.fromtimestamp(turn.at_ms / 1000, now.tzinfo)
    day = "" if at.date() == now.date() else " yesterday"
    return f" at {at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}{day}"


async def _unsure(room: str, heard: Heard, request: Request, home: Home) -> str:
    """Why there may be more than is known here."""
    if same(room, request.room):
        return ""
    if not heard.shared:
        return f" What is said in {the(room)} now stays there."
    if any(same(one.name, room) and not one.online for one in await home.rooms()):
        return f" I could not ask {the(room)}, so there may be more."
    return ""
