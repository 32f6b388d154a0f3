"""What a sentence means that goes on from another one: "turn it off again", "and in the bedroom?", "eggs too". Such
sentences are templates of their own (`templates/en/after`), each with what it may follow and what it takes over from
there. Pure and deterministic; where nothing fits, there is no meaning, and nobody guesses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from jarvis.assistant.house.names import kind_of, plain
from jarvis.assistant.templates.packs import Pack, Sentences, read
from jarvis.assistant.templates.understanding import ENGLISH, Match, Understanding, built_in
from jarvis.assistant.wording.words import split, without_politeness

_LIGHTS = ("light_set", "light_dim", "light_brighten")
_THINGS = (
    "home_turn_on", "home_turn_off", *_LIGHTS, "home_open", "home_close", "home_lock", "home_unlock", "home_state",
)  # fmt: skip
_STEPS = ("light_dim", "light_brighten", "volume_up", "volume_down", "climate_warmer", "climate_cooler", "media_next")
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "things": (*_THINGS, "home_which"),
    "lights": _LIGHTS,
    "heating": ("climate_set", "climate_warmer", "climate_cooler", "climate_tell"),
    "timers": ("timer_set", "timer_list", "timer_add", "timer_take", "timer_pause", "timer_resume"),
    "lists": ("list_add", "list_show", "list_has", "list_remove", "list_create"),
    "days": ("date", "days_until"),
    "steps": (*_STEPS, "media_previous", "timer_add"),
}
_OURS = ("after", "keep", "marked", "alone", "kind")
_MARKS_FIRST = ("and", "also", "what", "how", "plus", "or")
_SEVERAL = ("them", "they", "those", "these", "both", "all")
_MARKS_LAST = ("too", "also", "well")
_OF_ONE_TURN = ("confirmed", "here")
"""Slots that hold for what was said then, and not for what follows."""
_UNMARKED, _WITHIN = "isunmarked", "iswithin"
"""Signs that no word is, so that a template may be without them."""


def follow(
    text: str, before: Match, *, rooms: Sequence[str] = (), said_in: str = "", bare: bool = False
) -> Match | None:
    """What `text` means right after `before`; None where it does not go on from there. `said_in` is the room in which
    `before` was said, if it was another one. `bare`: also "and the fan", which
    is a sentence only because it goes on."""
    found = _understood(text, before.intent, rooms, [] if bare and _is_marked(text) else [_UNMARKED])
    return None if found is None else _taken_over(found, before, said_in)


def follow_within(text: str, before: Match, *, rooms: Sequence[str] = ()) -> Match | None:
    """What a part of a sentence means after the part `before`."""
    found = _understood(text, before.intent, rooms, [_WITHIN])
    return None if found is None else _taken_over(found, before, "")


def goes_on(text: str, *, bare: bool = False) -> bool:
    """Whether it may go on from something, whatever that was; `bare` as above."""
    if bare and not _is_marked(text):
        return False
    signs = frozenset(() if bare else (_UNMARKED,))
    return _templates().understand(without_politeness(split(text)), text, signs=signs) is not None


def lacks_a_thing(text: str) -> Match | None:
    """The intent of "turn it off" where nothing says what is meant: its thing is missing."""
    found = _understood(text, "home_turn_on", (), [_UNMARKED])
    return None if found is None or not found.missing else replace(found, slots=_without(found.slots, _OURS))


def names_several(text: str) -> bool:
    """Whether it means all that was said at once: "them", "both"."""
    return any(word.text in _SEVERAL for word in split(text))


def _is_marked(text: str) -> bool:
    words = [word.text for word in split(text)]
    return any(word in _MARKS_FIRST for word in words[:2]) or words[-1:] in ([one] for one in _MARKS_LAST)


def _understood(text: str, before: str, rooms: Sequence[str], signs: Sequence[str]) -> Match | None:
    others = (_other(family) for family, followed in _followed().items() if before not in followed)
    return _templates().understand(without_politeness(split(text)), text, rooms, frozenset([*signs, *others]))


def _taken_over(found: Match, before: Match, said_in: str) -> Match | None:
    own = _without(found.slots, _OURS)
    kept = _kept(str(found.slots.get("keep", "")), before, own)
    if not _is_kind(str(found.slots.get("kind", "")), kept):
        return None
    if "count" in own:  # "and another for ten", after five minutes
        own = {"seconds": own["count"] * _unit(int(before.slots.get("seconds", 0)))}
    if isinstance(own.get("items"), str):
        own["items"] = [own["items"]]
    slots = {**kept, **own}
    here = before.slots.get("here") or said_in
    if here and "area" not in slots and before.intent in FAMILIES["things"]:
        slots["here"] = here
    missing = tuple(slot for slot in found.missing if slot not in slots)
    intent = before.intent if found.intent == "same" else found.intent
    return replace(found, intent=intent, slots=slots, missing=missing)


def _kept(named: str, before: Match, own: Mapping[str, Any]) -> dict[str, Any]:
    slots = _without(before.slots, _OF_ONE_TURN)
    kept = slots if named == "*" else {name: slots[name] for name in named.split() if name in slots}
    if "name" in named and before.intent == "timer_set" and "seconds" in kept:
        kept.setdefault("name", "")  # the one without a name
    thing = plain(str(kept.get("thing", "")))
    if "area" in own:
        kept.pop("all", None)
        last = thing.rpartition(" ")[2]
        if kind_of(last) is not None:  # the "bedroom light", "and in the kitchen?"
            kept["thing"] = last
    if "thing" in own:
        kept.pop("all", None)
        if " " in plain(str(own["thing"])):
            kept.pop("area", None)
    return kept


def _is_kind(domain: str, kept: Mapping[str, Any]) -> bool:
    kind = kind_of(plain(str(kept.get("thing", ""))).rpartition(" ")[2])
    return not domain or (bool(kept.get("thing")) and (kind is None or domain in kind.domains))


def _unit(seconds: int) -> int:
    """Of what a number alone counts: minutes, unless it was hours or seconds before."""
    return 3600 if seconds and seconds % 3600 == 0 else 60 if seconds % 60 == 0 else 1


def _without(slots: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in slots.items() if name not in names}


@cache
def _pack() -> Pack:
    file = files("jarvis.assistant.templates") / ENGLISH / "after" / "after.toml"
    return read("after", file.read_text(encoding="utf-8"))


@cache
def _templates() -> Understanding:
    """With the rules and lists of our other templates."""
    own = replace(_pack(), intents=tuple(map(_conditional, _pack().intents)))
    return Understanding([own, *(replace(one, intents=()) for one in built_in())])


def _conditional(one: Sentences) -> Sentences:
    """Without the signs that it does not hold with."""
    signs = [_other(str(one.slots["after"]))]
    signs += [sign for slot, sign in (("marked", _UNMARKED), ("alone", _WITHIN)) if one.slots.get(slot)]
    return one.model_copy(update={"without": "|".join(filter(None, [one.without, *signs]))})


@cache
def _followed() -> Mapping[str, Sequence[str]]:
    """The intents that a sentence may follow, by what templates call them."""
    named = {str(one.slots["after"]) for one in _pack().intents}
    return {family: FAMILIES.get(family, (family,)) for family in named}


def _other(family: str) -> str:
    """The sign of a sentence before that is none of this family."""
    return f"isnot{family.replace('_', '')}"
