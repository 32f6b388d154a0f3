"""Which of a home's things a person means: by a name they have, by their kind and room ("the kitchen lights"), by the
room it is said in ("the lights"), or nearly so where a recogniser erred. Pure. It never guesses between two: then it
says what to ask."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from jarvis.assistant.said import a_list, the
from jarvis.assistant.words import joined, split
from jarvis.home_assistant.things import Area, House, Thing

NEARLY = 0.84
"""How like a name it must be: "kitchen lite" is 0.88 to "kitchen light", but "bedroom lamp" 0.80 to "bathroom lamp"."""
MAX_ASKED = 4
"""Named in a question; nobody keeps more in mind."""
_HERE = ("here", "in here", "this room")
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


def plain(text: str) -> str:
    """As names are compared: lower case, without punctuation, "the" and "my"."""
    words = joined(split(text)).split()
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


def _forms(thing: Thing) -> set[str]:
    """What it may be called: each of its names, and with its room before."""
    names = {_singular(plain(name)) for name in thing.names}
    rooms = map(plain, thing.area.names if thing.area is not None else ())
    return names | {f"{room} {name}" for room in rooms for name in names}


def _by_kind(house: House, pool: Sequence[Thing], wanted: str, here: str, narrow: bool) -> list[Thing]:
    """ "light", or a room's or floor's name before it."""
    for kind in KINDS:
        for word in kind.words:
            members = [thing for thing in pool if kind.has(thing)]
            if wanted == word:
                exact = [thing for thing in members if thing.device_class == word]
                return one_or_all(exact or members, here, narrow=narrow)
            if wanted.endswith(f" {word}") and members:
                room = wanted.removesuffix(f" {word}")
                named = [area for area in house.areas if room in map(plain, (*area.names, *area.floor))]
                found = [thing for thing in members if thing.area in named]
                if found:
                    return found
    return []


def _by_words(pool: Iterable[Thing], wanted: str, here: str, narrow: bool) -> list[Thing]:
    """Those in whose name and room all the words are."""
    words = set(wanted.split())
    found = [thing for thing in pool if any(words <= set(form.split()) for form in _forms(thing))]
    return one_or_all(found, here, narrow=narrow)


def _nearly(pool: Iterable[Thing], wanted: str) -> list[Thing]:
    called: dict[str, list[Thing]] = {}
    for thing in pool:
        for form in _forms(thing):
            called.setdefault(form, []).append(thing)
    near = difflib.get_close_matches(wanted, called, n=1, cutoff=NEARLY)
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
