"""What a skill gives back, and small ways of saying things that all skills share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jarvis.assistant.intents import Match

MAX_SPOKEN = 5
"""Items of a list read aloud; more than that nobody keeps in mind."""


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    closes: bool = False
    asks: bool = False
    moves_to: str = ""
    """The room in which the conversation goes on."""
    citations: tuple[dict[str, Any], ...] = ()
    """As in a Reply."""


def the(room: str) -> str:
    """ "the kitchen", but "Tom's room" and "room 5" as they are."""
    begins = " ".join(room.casefold().split()).startswith("the ")
    bare = "'" in room or "’" in room or any(letter.isdigit() for letter in room) or begins
    return room if bare else f"the {room}"


def a_list(things: Iterable[str]) -> str:
    """ "the kitchen, the hall and the bedroom"."""
    several = list(things)
    return " and ".join(filter(None, [", ".join(several[:-1]), *several[-1:]]))


def capital(text: str) -> str:
    """Names keep their capitals, which `capitalize` takes."""
    return text[:1].upper() + text[1:]


def in_asked_room(match: Match) -> str:
    """ " in the kitchen", where a room was named."""
    return f" in {the(match.slots['room'])}" if "room" in match.slots else ""
