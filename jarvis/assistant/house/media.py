"""The keys of a player: pause, go on, next, previous, stop, and what plays. A home has several; meant is the one of the
room that was named, else what plays here, else the only one that plays. It chooses no music."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jarvis.assistant.house.doing import Call, carry_out
from jarvis.assistant.house.names import Unclear, areas_called, one_or_all, told
from jarvis.assistant.house.states import sentence
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.questions import NO_PLAYER
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.home_assistant.things import Done, Thing

CHOOSES_NOT = "I can't choose music. I can go on with what was paused."
_RUNS = ("playing", "buffering")
_HELD = ("paused",)


async def pause(match: Match, request: Request, home: Home) -> Said:
    return await _press("media_pause", _RUNS, _not(_RUNS), ("paused", "pause"), match, request, home)


async def resume(match: Match, request: Request, home: Home) -> Said:
    if match.slots.get("what"):
        await _all(match, request, home)
        return Said(CHOOSES_NOT)
    return await _press("media_play", _HELD, _in(_RUNS), ("resumed", "go on"), match, request, home)


async def stop(match: Match, request: Request, home: Home) -> Said:
    return await _press("media_stop", (*_RUNS, *_HELD), _not(_RUNS), ("stopped", "stop"), match, request, home)


async def following(match: Match, request: Request, home: Home) -> Said:
    return await _press("media_next_track", _RUNS, _in(_RUNS), ("skipped on", "skip"), match, request, home)


async def previous(match: Match, request: Request, home: Home) -> Said:
    return await _press(
        "media_previous_track", _RUNS, _in(_RUNS), ("skipped back on", "skip back"), match, request, home
    )


async def what_plays(match: Match, request: Request, home: Home) -> Said:
    player = (await _players(_RUNS, match, request, home))[0]
    title, artist = player.attributes.get("media_title"), player.attributes.get("media_artist")
    if not title:
        return Said(sentence(f"{told(player)} is playing, but does not say what"))
    return Said(f"It's “{title}”{f' by {artist}' if artist else ''}, on {told(player)}.")


async def _press(
    key: str, states: Sequence[str], done: Done, words: tuple[str, str], match: Match, request: Request, home: Home
) -> Said:
    players = await _players(states, match, request, home)
    return await carry_out(home, [Call(f"media_player.{key}", players)], done, *words)


async def _players(states: Sequence[str], match: Match, request: Request, home: Home) -> list[Thing]:
    """Those in one of `states`. Raises Unclear for none, and where several in other rooms are."""
    found = [player for player in await _all(match, request, home) if player.state in states]
    if not found:
        raise Unclear("Nothing is paused." if tuple(states) == _HELD else "Nothing is playing.")
    return one_or_all(found, request.room, narrow=bool(match.slots.get("area")))


async def _all(match: Match, request: Request, home: Home) -> list[Thing]:
    """Those of the room that was named, or of the home, and of the kind that was. Raises Unclear for none."""
    house = await home.devices.house()
    players = [thing for thing in house.things if thing.domain == "media_player"]
    if area := str(match.slots.get("area", "")):
        rooms = areas_called(house, area, request.room)
        players = [player for player in players if player.area in rooms]
    if kind := str(match.slots.get("thing", "")):
        players = [player for player in players if kind in _kinds(player)]
    if not players:
        raise Unclear(NO_PLAYER)
    return players


def _kinds(player: Thing) -> set[str]:
    """What people call it: by its name's words, and by what Home Assistant says it is."""
    return {*" ".join(player.names).casefold().split(), player.device_class}


def _in(states: Sequence[str]) -> Callable[[Thing], bool]:
    return lambda player: player.state in states


def _not(states: Sequence[str]) -> Callable[[Thing], bool]:
    return lambda player: player.state not in states
