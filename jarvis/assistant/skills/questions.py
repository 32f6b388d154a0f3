"""Questions about the home and its nodes, and what only a plugin can do: the weather, music. Where nothing can, the
answer says so, and never sounds as if it had been done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jarvis.assistant.directions import same
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, the
from jarvis.assistant.types import Home, Request

NO_WEATHER = "I can't tell: nothing here knows the weather."
NO_PLAYER = "There is no music player here that I could control."


async def nodes_online(match: Match, request: Request, home: Home) -> Said:
    rooms = await home.rooms()
    asked = match.slots.get("room")
    if asked is not None:
        found = [room for room in rooms if same(room.name, str(asked))]
        if not found:
            return Said(f"I don't know a room called {asked}.")
        return Said(f"{_capital(the(found[0].name))} is {'online' if found[0].online else 'not online'}.")
    here = [the(room.name) for room in rooms if room.online]
    away = [the(room.name) for room in rooms if not room.online]
    if len(rooms) == 1:
        return Said(f"Only {here[0]} is here, and it is online.")
    said = f"All {len(here)} rooms are online" if not away else f"Online: {a_list(here)}"
    return Said(f"{said}: {a_list(here)}." if not away else f"{said}. Not online: {a_list(away)}.")


async def rooms_list(match: Match, request: Request, home: Home) -> Said:
    rooms = [the(room.name) for room in await home.rooms()]
    return Said(
        f"There is one room: {rooms[0]}." if len(rooms) == 1 else f"There are {len(rooms)} rooms: {a_list(rooms)}."
    )


async def node_status(match: Match, request: Request, home: Home) -> Said:
    problems = (await home.condition()).problems
    if not problems:
        return Said("Everything is working.")
    return Said(f"Not everything is working. {' '.join(problems)}")


async def node_version(match: Match, request: Request, home: Home) -> Said:
    return Said(f"This is Jarvis, version {(await home.condition()).version}.")


async def weather(match: Match, request: Request, home: Home) -> Said:
    return Said(NO_WEATHER)


async def media(match: Match, request: Request, home: Home) -> Said:
    return Said(NO_PLAYER)


async def session_new(match: Match, request: Request, home: Home) -> Said:
    """The conversation was begun already; whoever chose an older one by name stays in it."""
    return Said(
        "This conversation goes on, since it was chosen by name." if request.turns else "Okay, let's start over."
    )


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "nodes_online": nodes_online,
    "rooms_list": rooms_list,
    "node_status": node_status,
    "node_version": node_version,
    "session_new": session_new,
    "weather": weather,
    **dict.fromkeys((f"media_{one}" for one in ("play", "pause", "resume", "next", "previous", "stop", "what")), media),
}
OPEN = frozenset(name for name, skill in SKILLS.items() if skill in (weather, media))
"""Those for which a plugin's skill is taken instead."""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
