"""What this home calls its rooms, things, lists and timers, for a recogniser that errs in names: what to tell it
beforehand, and whether a sentence is about something that is not here. Pure; made anew when the home changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jarvis.assistant.house.names import KINDS, plain
from jarvis.assistant.intents import Match
from jarvis.home_assistant.things import House

MAX_CHARS = 400
"""Told beforehand: a hundred tokens, half of what a recogniser takes."""
MAX_NAME_CHARS = 40
"""Nobody says a longer one."""
_MEASURING = ("sensor", "binary_sensor")
"""Most of a home's things, and the least spoken of: told last."""
_OTHERWISE = frozenset(
    [
        "all", "and", "any", "both", "every", "everything", "here", "home", "house", "in", "inside", "it", "of", "on",
        "one", "other", "outside", "room", "that", "the", "them", "these", "they", "this", "those", "upstair",
        "downstair", "everywhere",
    ]
)  # fmt: skip
"""Words that are in no name and say what is meant all the same."""


class Names:
    def __init__(
        self,
        rooms: Sequence[str] = (),
        house: House | None = None,
        lists: Iterable[str] = (),
        timers: Iterable[str] = (),
    ) -> None:
        """`house` is None where nothing is known of things: then none is strange."""
        areas, things = _of(house or House())
        rooms, timers = [*rooms, *areas], list(timers)
        told = (*rooms, *things, *(f"{name} list" for name in lists), *(f"{name} timer" for name in timers if name))
        self.hint = _told(told)
        """For a recogniser; "" where there is nothing to tell."""
        kinds = (word for kind in KINDS for word in kind.words)
        self._names, self._places = frozenset(map(plain, things)), frozenset(map(plain, rooms))
        self._words = None if house is None else _OTHERWISE.union(_words((*rooms, *things, *kinds)))
        self._timers = _words(timers)

    def strange(self, match: Match) -> bool:
        """Whether it is about a thing, a room or a timer that is not here, by a word of its name."""
        slots = match.slots
        if match.intent.startswith("timer_") and match.intent != "timer_set" and self._timers:
            return not _words([str(slots.get("name", ""))]) <= self._timers
        if self._words is None:
            return False
        named = ("thing", "area", "name") if match.intent == "home_scene" else ("thing", "area")
        return not _words(str(slots[one]) for one in named if slots.get(one)) <= self._words

    def placed(self, match: Match) -> Match:
        """`match` with what was taken for a room, and is a thing, as that: "the temperature of the EcoBee"."""
        name = plain(str(match.slots.get("area", "")))
        if name not in self._names or name in self._places or "thing" in match.slots:
            return match
        slots = {"thing" if slot == "area" else slot: value for slot, value in match.slots.items()}
        return replace(match, slots=slots)

    def whole(self, match: Match) -> bool:
        """Whether the name of a scene, which might go on, is all of one."""
        return match.intent == "home_scene" and plain(str(match.slots.get("name", ""))) in self._names


def _of(house: House) -> tuple[list[str], list[str]]:
    """The names of areas and of things, those first that are spoken of most."""
    areas = [name for area in house.areas for name in (*area.names, *area.floor)]
    things = sorted(house.things, key=lambda thing: thing.domain in _MEASURING)
    return areas, [name for thing in things for name in thing.names]


def _told(names: Iterable[str]) -> str:
    """Those names that have a word which none before had: a recogniser needs each once. With articles, as a sentence
    has them: names alone are taken for something else."""
    known: set[str] = set()
    said: list[str] = []
    length = 0
    for name in names:
        words = _words([name])
        if words <= known or len(name) > MAX_NAME_CHARS:
            continue
        length += len(name) + len(", the ")
        if length > MAX_CHARS:
            break
        known |= words
        said.append(name)
    return f"The {', the '.join(said)}." if said else ""


def _words(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_singular(word) for name in names for word in plain(name).split())


def _singular(word: str) -> str:
    """As names are compared."""
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
