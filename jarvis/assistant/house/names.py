"""Which of a home's things a person means: by a name they have, by their kind and room ("the kitchen lights"), by the
room it is said in ("the lights"), or nearly so where a recogniser erred. Pure. It never guesses between two: then it
says what to ask."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jarvis.assistant.skills.said import a_list, the
from jarvis.assistant.wording.words import joined, split
from jarvis.home_assistant.things import Area, House, Thing

NEARLY = 0.84
"""How like a name it must be: "kitchen lite" is 0.88 to "kitchen light", but "bedroom lamp" 0.80 to "bathroom lamp"."""
MAX_ASKED = 4
"""Named in a question; nobody keeps more in mind."""
MAX_OFF = 4
"""Characters that a name may be longer or shorter; of twenty they are more than it may differ in."""
MAX_COMPARED = 1_000
"""Names; a comparison takes some twenty microseconds."""
MAX_REMEMBERED = 20_000
"""As many things as are known at all."""
_HERE = ("here", "in here", "this room")
_ACCENTS = re.compile("[\u0300-\u036f]")
"""Of European scripts; those of Japanese make other letters."""
_BEFORE = ("all", "every", "the", "my", "our", "your", "of", "both", "that", "this")


class Unclear(Exception):
    """Nothing is meant for certain; `question` is what to say, and ends in "?" where an answer would help."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


@dataclass(frozen=True, slots=True)
class Kind:
    words: tuple[str, ...]
    """In the singular."""
    domains: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Of covers and sensors; empty for any."""

    def has(self, thing: Thing) -> bool:
        if thing.domain not in self.domains:
            return False
        return not self.classes or thing.domain not in ("cover", "binary_sensor") or thing.device_class in self.classes


_HANGINGS = ("blind", "curtain", "shade", "shutter", "awning", "")
KINDS = (
    Kind(("light", "lamp", "bulb", "lighting", "ceiling light"), ("light",)),
    Kind(("fan", "ventilator"), ("fan",)),
    Kind(("blind", "curtain", "drape", "shade", "shutter", "awning", "roller blind"), ("cover",), _HANGINGS),
    Kind(("garage", "garage door"), ("cover", "binary_sensor"), ("garage", "garage_door")),
    Kind(("gate",), ("cover",), ("gate",)),
    Kind(("door",), ("lock", "cover", "binary_sensor"), ("door", "garage", "garage_door", "opening", "lock")),
    Kind(("window",), ("cover", "binary_sensor"), ("window", "opening")),
    Kind(("lock", "door lock"), ("lock", "binary_sensor"), ("lock",)),
    Kind(
        ("heating", "heater", "heat", "thermostat", "radiator", "temperature", "climate", "air conditioning", "ac"),
        ("climate",),
    ),
    Kind(("tv", "television", "telly", "music", "radio", "speaker", "player"), ("media_player",)),
    Kind(("plug", "switch", "socket", "outlet"), ("switch", "input_boolean")),
    Kind(("vacuum", "robot", "hoover", "vacuum cleaner"), ("vacuum",)),
    Kind(("humidifier",), ("humidifier",)),
)


@lru_cache(maxsize=MAX_REMEMBERED)
def plain(text: str) -> str:
    """As names are compared: lower case, without punctuation, "the" and "my", and "Gästezimmer" as who hears English
    writes it."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", text.casefold()))
    words = joined(split(unicodedata.normalize("NFC", bare))).split()
    while len(words) > 1 and words[0] in _BEFORE:
        words = words[1:]
    return " ".join(words)


def areas_called(house: House, name: str, here: str) -> list[Area]:
    """The areas that `name` names, alone or as their floor. Raises Unclear for none."""
    wanted = plain(here if plain(name) in _HERE else name)
    found = [area for area in house.areas if wanted in map(plain, area.names)]
    found = found or [area for area in house.areas if wanted in map(plain, area.floor)]
    if not found:
        raise Unclear(f"I don't know a room called {name}.")
    return found


def find(
    house: House,
    name: str,
    fits: Callable[[Thing], bool],
    *,
    area: str = "",
    here: str = "",
    everywhere: bool = False,
) -> list[Thing]:
    """The things that `name` means among those that `fits`, which the sentence can be about. `area` is the room that
    was named apart, `here` the one it is said in; `everywhere` was said too ("all lights"). Raises Unclear."""
    pool = [thing for thing in house.things if fits(thing)]
    if area:
        rooms = areas_called(house, area, here)
        pool = [thing for thing in pool if thing.area in rooms]
    wanted = _singular(plain(name))
    narrow = bool(area) or everywhere
    return (
        _by_name(pool, wanted, here, narrow)
        or _by_kind(house, pool, wanted, here, narrow)
        or _by_words(pool, wanted, here, narrow)
        or _nearly(pool, wanted)
        or _none(name, area)
    )


def kind_of(name: str) -> Kind | None:
    """The kind that "lights" names."""
    wanted = _singular(plain(name))
    return next((kind for kind in KINDS if wanted in kind.words), None)


def one_or_all(found: Sequence[Thing], here: str, *, narrow: bool) -> list[Thing]:
    """`found`, or those of them that stand here, or the only one. Raises Unclear where it must be asked."""
    if narrow or len(found) < 2:
        return list(found)
    near = [thing for thing in found if thing.area is not None and plain(here) in map(plain, thing.area.names)]
    if near:
        return near
    if len(found) > MAX_ASKED:
        raise Unclear("In which room?")
    raise Unclear(f"Which one: {_or(dict.fromkeys(map(told, found)))}?")


def told(thing: Thing) -> str:
    """ "the ceiling lamp in the kitchen", or without the room where its name has it."""
    if thing.area is None or plain(thing.area.names[0]) in plain(thing.name):
        return the(thing.name)
    return f"{the(thing.name)} in {the(thing.area.names[0])}"


def verb(thing: Thing) -> str:
    """ "are" for the blinds."""
    last = plain(thing.name).split()[-1:]
    several = any(one != _singular(one) and kind_of(one) is not None for one in last)
    return "are" if several else "is"


def _by_name(pool: Iterable[Thing], wanted: str, here: str, narrow: bool) -> list[Thing]:
    return one_or_all([thing for thing in pool if wanted in _forms(thing)], here, narrow=narrow)


def _forms(thing: Thing) -> Mapping[str, frozenset[str]]:
    """What it may be called, with the words of it: each of its names, and with its room before."""
    return _called(thing.names, thing.area.names if thing.area is not None else ())


@lru_cache(maxsize=MAX_REMEMBERED)
def _called(names: tuple[str, ...], rooms: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    own = [_singular(plain(name)) for name in names]
    forms = [*own, *(f"{plain(room)} {name}" for room in rooms for name in own)]
    return {form: frozenset(form.split()) for form in forms}


def _by_kind(house: House, pool: Sequence[Thing], wanted: str, here: str, narrow: bool) -> list[Thing]:
    """ "light", or a room's or floor's name before it."""
    for kind in KINDS:
        for word in kind.words:
            if wanted == word:
                members = [thing for thing in pool if kind.has(thing)]
                exact = [thing for thing in members if thing.device_class == word]
                return one_or_all(exact or members, here, narrow=narrow)
            if wanted.endswith(f" {word}"):
                room = wanted.removesuffix(f" {word}")
                named = [area for area in house.areas if room in map(plain, (*area.names, *area.floor))]
                found = [thing for thing in pool if thing.area in named and kind.has(thing)] if named else []
                if found:
                    return found
    return []


def _by_words(pool: Iterable[Thing], wanted: str, here: str, narrow: bool) -> list[Thing]:
    """Those in whose name and room all the words are."""
    words = set(wanted.split())
    found = [thing for thing in pool if any(words <= form for form in _forms(thing).values())]
    return one_or_all(found, here, narrow=narrow)


def _nearly(pool: Iterable[Thing], wanted: str) -> list[Thing]:
    """Those whose name is the most like it; a recogniser that errs gets at least a word or a first letter right."""
    called: dict[str, list[Thing]] = {}
    words = set(wanted.split())
    for thing in pool:
        for form, its in _forms(thing).items():
            if abs(len(form) - len(wanted)) <= MAX_OFF and (form[:1] == wanted[:1] or not words.isdisjoint(its)):
                called.setdefault(form, []).append(thing)
    near = difflib.get_close_matches(wanted, list(called)[:MAX_COMPARED], n=1, cutoff=NEARLY)
    return one_or_all(called[near[0]], "", narrow=False) if near else []


def _none(name: str, area: str) -> list[Thing]:
    where = f" in {the(area)}" if area else ""
    if kind_of(name) is not None:
        raise Unclear(f"I know no {plain(name)}{where}.")
    raise Unclear(f"I don't know a device called {plain(name)}{where}.")


def _singular(text: str) -> str:
    return text[:-1] if text.endswith("s") and not text.endswith("ss") and len(text) > 3 else text


def _or(names: Iterable[str]) -> str:
    several = list(names)
    return a_list(several) if len(several) < 2 else f"{', '.join(several[:-1])} or {several[-1]}"
