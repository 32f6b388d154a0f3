"""Sentences that ask to have something said in other rooms: "announce dinner is ready", "tell the bedroom dinner is
ready". Whether "tell X ..." is one depends on the home's rooms, so they stand beside the grammar. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.assistant.intents import Match
from jarvis.assistant.wording.words import Word, split, without_politeness

_EVERYBODY = [
    tuple(phrase.split())
    for phrase in (
        "everyone", "everybody", "everyone in the house", "everybody in the house", "everyone at home",
        "everybody at home", "every room", "all rooms", "all the rooms", "all of the rooms", "the whole house",
        "the house", "the whole family", "the family", "all the other rooms", "the other rooms", "all other rooms",
        "everywhere",
    )
]  # fmt: skip
_EVERYBODY.sort(key=len, reverse=True)
_PROCLAIM = [("announce",), ("make", "an", "announcement"), ("broadcast",)]
_TELL = [("tell",), ("let",)]
_NOT_SAID = frozenset("about what how who why where when which whether a an if jokes stories apart else".split())  # noqa: SIM905
"""After "tell everyone" these make it a question or a wish."""


def announcement(text: str, rooms: Sequence[str], assistant_name: str = "Jarvis") -> Match | None:
    """The intent `announce` with its `text`, and its `room` as the home writes it unless it is for all; None when
    `text` is something else. Without a text, `text` is missing."""
    words = without_politeness(split(text), assistant_name)
    texts = [word.text for word in words]
    for head in _PROCLAIM:
        if tuple(texts[: len(head)]) == head:
            room, at = _where(texts, len(head), rooms)
            if head == ("broadcast",) and at == 1 and texts[1:2] != ["that"]:
                return None  # "broadcast" alone is a word of many sentences
            return _match(text, words, room, at)
    for head in _TELL:
        if tuple(texts[:1]) == head:
            found = _addressed(texts, 1, rooms)
            if found is None:
                return None
            room, at = found
            if head == ("let",):
                if texts[at : at + 1] != ["know"]:
                    return None
                at += 1
            if at >= len(texts) or texts[at] in _NOT_SAID:
                return None
            return _match(text, words, room, at)
    return None


def _match(text: str, words: Sequence[Word], room: str | None, at: int) -> Match | None:
    while at < len(words) and words[at].text in ("that", "to"):
        at += 1
    slots = {} if room is None else {"room": room}
    if at >= len(words):
        return Match("announce", slots, missing=("text",))
    if words[at].text in _NOT_SAID - {"a", "an"}:
        return None
    said = text[words[at].start : words[-1].end].strip()
    return Match("announce", {**slots, "text": said[:1].upper() + said[1:]}, open_ended=True)


def _where(texts: Sequence[str], at: int, rooms: Sequence[str]) -> tuple[str | None, int]:
    """ "in the bedroom", "to everyone": (the room, index after)."""
    after = at + (texts[at : at + 1] in (["in"], ["to"], ["for"]))
    found = _addressed(texts, after, rooms) if after > at or texts[at : at + 1] == ["everywhere"] else None
    return found if found is not None else (None, at)


def _addressed(texts: Sequence[str], at: int, rooms: Sequence[str]) -> tuple[str | None, int] | None:
    """Everybody, as None, or a room of the home that is named there; and the index after."""
    for phrase in _EVERYBODY:
        if tuple(texts[at : at + len(phrase)]) == phrase:
            return None, at + len(phrase)
    start = at + (texts[at : at + 1] in (["the"], ["my"], ["our"]))
    named = []
    for room in rooms:
        plain = [word.text for word in split(room)]
        plain = plain[1:] if plain[:1] == ["the"] else plain
        if plain and list(texts[start : start + len(plain)]) == plain:
            named.append((len(plain), room))
    if not named:
        return None
    length, room = max(named)
    return room, start + length
