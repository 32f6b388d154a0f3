"""Which conversation a sentence belongs to, where the sentence itself says so: it goes on with another room's, takes
this one to another room, begins another one, or stays in this room from now on. Pure; nothing is chosen here, the
caller does what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jarvis.assistant.intents import Match, match_intent
from jarvis.assistant.types import Request
from jarvis.assistant.wording.words import joined, split

_AS_SAID = (
    r"\b(?:as|like|what) i (?:just |already )?(?:said|told you|asked|asked you|mentioned)(?: before| earlier)? in "
)
"""In the middle of any sentence, before the name of a room."""


@dataclass(frozen=True, slots=True)
class Direction:
    kind: Literal["take_up", "recall", "hand_over", "private", "shared", "anew"]
    """`recall` asks about the last conversation, wherever it was, if it was just now; `anew` for another one."""
    room: str = ""
    """The other room, as the home writes it; "" for whichever was last."""


def direction(text: str, assistant_name: str, room: str, rooms: Sequence[str]) -> Direction | None:
    """What `text`, said in `room`, asks for; None for nothing of this kind. `rooms` are the home's."""
    match = match_intent(text, assistant_name)
    intent, named = (None, "") if match is None else (match.intent, room_of(match, rooms))
    if intent in ("private", "share_again"):
        return Direction("private" if intent == "private" else "shared")
    if intent == "session_new":
        return Direction("anew")
    if intent == "continue" and match is not None:
        if "room" not in match.slots:
            return Direction("take_up")
        return None if not named else Direction("take_up" if same(named, room) else "hand_over", *_other(named, room))
    if intent in ("go_back", "what_did_i_ask", "repeat") and named:
        return None if same(named, room) else Direction("take_up", named)
    if match is not None and intent in ("what_did_i_ask", "repeat") and "room" not in match.slots:
        return Direction("recall")
    return _said_before(text, room, rooms)


def asks_privacy(text: str) -> bool:
    """Whether it asks to keep to ourselves what is said: also this sentence is nobody else's then."""
    match = match_intent(text)
    return match is not None and match.intent == "private"


def meant(match: Match, request: Request) -> bool:
    """Whether an intent about the conversation is one here: "go on" within a talk is for who is talked with, and "go
    on in English" names no room."""
    if match.intent == "continue" and "room" not in match.slots:
        return not request.turns or not same(request.turns[-1].room, request.room)
    if match.intent in ("timer_list", "timer_cancel", "timer_add", "timer_take", "timer_pause", "timer_resume"):
        return "room" not in match.slots or bool(room_of(match, request.rooms))
    if match.intent in ("continue", "go_back"):
        return "the" in match.slots or bool(room_of(match, request.rooms))
    return True


def room_of(match: Match, rooms: Sequence[str]) -> str:
    """The room that a sentence names, as the home writes it; "" for none of the home's."""
    asked = str(match.slots.get("room", ""))
    return next((one for one in rooms if asked and same(one, asked)), "")


def same(one: str, other: str) -> bool:
    """Whether both name the same room."""
    return _plain(one) == _plain(other)


def _plain(room: str) -> str:
    return joined(split(room)).removeprefix("the ")


def _other(named: str, room: str) -> tuple[str, ...]:
    return () if same(named, room) else (named,)


def _said_before(text: str, room: str, rooms: Sequence[str]) -> Direction | None:
    found = re.search(_AS_SAID + r"(?:the |my |our )?(?P<rest>.+)", joined(split(text)))
    if found is None:
        return None
    others = [one for one in rooms if _plain(one) and not same(one, room)]
    named = [one for one in others if re.match(rf"{re.escape(_plain(one))}\b", found["rest"])]
    return Direction("take_up", max(named, key=len)) if named else None
