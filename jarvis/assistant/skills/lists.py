"""What is said and done about lists, such as the shopping list. A list is a note that every room edits, an item a
line; what another room has put on it meanwhile stays. A list that holds nothing is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list
from jarvis.assistant.types import Home, Request

USUAL = "shopping"
"""Which list is meant by "the list"."""
_SAME = {"grocery": USUAL, "groceries": USUAL, "todo": "to do", "to dos": "to do", "task": "to do", "tasks": "to do"}
MAX_SPOKEN = 12
"""Items read aloud; who has more reads them on a screen."""


async def add(match: Match, request: Request, home: Home) -> Said:
    name, items = _name(match), _items(match)
    if not items:
        return Said(f"What should I put on the {name} list?", asks=True)
    before = await home.on_list(name)
    new = [item for item in items if not _on(before, item)]
    if not new:
        return Said(f"{_capital(a_list(items))} {_is(items)} on the {name} list already.")
    await home.add_to_list(name, new)
    return Said(f"{_capital(a_list(new))} {_is(new)} on the {name} list now.")


async def show(match: Match, request: Request, home: Home) -> Said:
    name = _name(match)
    items = await home.on_list(name)
    if not items:
        return Said(f"There is nothing on the {name} list.")
    told = [*items[:MAX_SPOKEN], *([f"{len(items) - MAX_SPOKEN} more"] if len(items) > MAX_SPOKEN else [])]
    return Said(f"On the {name} list: {a_list(told)}.")


async def has(match: Match, request: Request, home: Home) -> Said:
    name, asked = _name(match), _items(match)
    on = await home.on_list(name)
    there = [item for item in asked if _on(on, item)]
    missing = [item for item in asked if item not in there]
    said = f"Yes, {a_list(there)} {_is(there)} on the {name} list" if there else ""
    return Said(
        f"{said}, but not {a_list(missing)}." if said and missing else f"{said}." if said else _not_on(name, asked)
    )


async def remove(match: Match, request: Request, home: Home) -> Said:
    name, asked = _name(match), _items(match)
    on = await home.on_list(name)
    meant = [one for one in on if any(_alike(one, item) for item in asked)]
    gone = await home.take_off_list(name, meant) if meant else []
    if not gone:
        return Said(_not_on(name, asked))
    return Said(f"I took {a_list(gone)} off the {name} list.")


async def clear(match: Match, request: Request, home: Home) -> Said:
    name = _name(match)
    gone = await home.take_off_list(name, await home.on_list(name))
    things = "one thing" if len(gone) == 1 else f"{len(gone)} things"
    return Said(
        f"I took {things} off the {name} list. It is empty now." if gone else f"The {name} list is empty already."
    )


async def names(match: Match, request: Request, home: Home) -> Said:
    kept = await home.lists()
    if not kept:
        return Said("There are no lists.")
    told = [f"{name}, with {len(items)} thing{'s' if len(items) != 1 else ''}" for name, items in sorted(kept.items())]
    more = f"; and {len(told) - MAX_SPOKEN} more" if len(told) > MAX_SPOKEN else ""
    count = "is one list" if len(told) == 1 else f"are {len(told)} lists"
    return Said(f"There {count}: {'; '.join(told[:MAX_SPOKEN])}{more}.")


async def create(match: Match, request: Request, home: Home) -> Said:
    """It begins with what is put on it first."""
    name = _name(match)
    items = await home.on_list(name)
    if items:
        return Said(f"There is a {name} list already, with {a_list(items[:MAX_SPOKEN])}.")
    return Said(f"What should I put on the {name} list?", asks=True)


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "list_add": add,
    "list_show": show,
    "list_has": has,
    "list_remove": remove,
    "list_clear": clear,
    "list_delete": clear,
    "list_names": names,
    "list_create": create,
}


def _name(match: Match) -> str:
    asked = " ".join(str(match.slots.get("list", USUAL)).casefold().replace("-", " ").split())
    return _SAME.get(asked, asked)


def _items(match: Match) -> list[str]:
    return [str(item) for item in match.slots.get("items", ())]


def _on(items: Sequence[str], wanted: str) -> bool:
    return any(_alike(item, wanted) for item in items)


def _alike(one: str, other: str) -> bool:
    """ "eggs" is "Eggs" and "egg"; "a dozen eggs" is something else."""
    return _plain(one) == _plain(other)


def _plain(item: str) -> str:
    words = item.casefold().split()
    while len(words) > 1 and words[0] in ("the", "a", "an", "some", "my", "our"):
        words = words[1:]
    return " ".join(words).removesuffix("s")


def _not_on(name: str, items: Sequence[str]) -> str:
    return f"{_capital(a_list(items))} {'is' if len(items) == 1 else 'are'} not on the {name} list."


def _is(items: Sequence[str]) -> str:
    return "is" if len(items) == 1 and not items[0].endswith("s") else "are"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
