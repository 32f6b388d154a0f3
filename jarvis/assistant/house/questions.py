"""How the home's things are: whether a door is locked, which lights are on, how warm a room is. Every answer is a state
that Home Assistant has just told; what it does not know is said to be unknown."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.assistant.house.doing import MAX_NAMED
from jarvis.assistant.house.names import Unclear, areas_called, find, kind_of, plain, told
from jarvis.assistant.house.skills import meant
from jarvis.assistant.house.states import canonical, how_it_is, is_so, sentence, tells, word_of
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, the
from jarvis.assistant.types import Home, Request
from jarvis.core.errors import JarvisError, Missing
from jarvis.home_assistant.things import Area, House, Thing

NO_ANSWER = "does not answer right now"
NOT_CONNECTED = "I can't tell: I am not connected to anything that could show me."


async def tell_state(match: Match, request: Request, home: Home) -> Said:
    state = str(match.slots.get("state", ""))
    house = await _house(home)
    if state:
        things = meant(match, request, house, lambda thing: tells(thing, state))
    else:
        things = meant(match, request, house, lambda thing: thing.domain not in ("scene", "script"))
    facts = [is_so(thing, state) if state else None for thing in things]
    if len(things) == 1:
        return Said(_one(things[0], facts[0]))
    if all(facts):
        return Said(f"Yes, {a_list(map(told, things))} are {canonical(state)}.")
    if state and not any(facts) and None not in facts:
        return Said(f"No. {_all(things)}")
    return Said(_all(things))


def _one(thing: Thing, so: bool | None) -> str:
    if word_of(thing) is None:
        return sentence(f"I can't tell: {told(thing)} does not answer right now")
    if so is None:
        return sentence(how_it_is(thing))
    return f"{'Yes' if so else 'No'}, {how_it_is(thing)}."


def _all(things: Sequence[Thing]) -> str:
    more = len(things) - 2 * MAX_NAMED
    told_all = [sentence(how_it_is(thing)) for thing in things[: 2 * MAX_NAMED]]
    return " ".join([*told_all, *([f"And {more} more."] if more > 0 else [])])


async def which_are(match: Match, request: Request, home: Home) -> Said:
    name, state = str(match.slots.get("thing", "")), str(match.slots.get("state", ""))
    word, kind = canonical(state), kind_of(name)
    house = await _house(home)
    things = find(
        house,
        name,
        lambda thing: tells(thing, state) and (kind is None or kind.has(thing)),
        area=str(match.slots.get("area", "")),
        here=request.room,
        everywhere=True,
    )
    so = [thing for thing in things if is_so(thing, state)]
    unknown = [thing for thing in things if word_of(thing) is None]
    where = f" in {the(str(match.slots['area']))}" if match.slots.get("area") else ""
    answer = f"No {plain(name)}{where} are {word}"
    if so:
        named = a_list(map(told, so[: 2 * MAX_NAMED]))
        more = len(so) - 2 * MAX_NAMED
        answer = f"{named}{f' and {more} more' if more > 0 else ''} {'are' if len(so) > 1 else 'is'} {word}"
    silent = f" {sentence(f'{a_list(map(told, unknown[:MAX_NAMED]))} can not be asked right now')}" if unknown else ""
    return Said(sentence(answer) + silent)


async def tell_temperature(match: Match, request: Request, home: Home) -> Said:
    house = await _house(home)
    asked = str(match.slots.get("thing") or match.slots.get("area") or "")
    name = asked or request.room
    try:
        rooms = areas_called(house, name, request.room)
    except Unclear as unclear:
        if asked:
            return Said(_of_thing(house, asked, request.room, unclear))
        rooms = []
    measured = [fact for room in rooms for fact in _temperatures(house, room)]
    if measured:
        return Said(" ".join(measured))
    where = the(name) if name else "this room"
    unknown = f"I can't tell: nothing in {where} measures the temperature."
    heaters = [one for one in house.things if one.domain == "climate" and not asked]
    return Said(" ".join([unknown, *map(_set, heaters[:MAX_NAMED])]))


def _of_thing(house: House, name: str, here: str, no_room: Unclear) -> str:
    """What the thermometer or the heater of that name says. Raises Unclear: `no_room` where there is none."""
    try:
        found = find(house, name, _measures, here=here)
    except Unclear as unclear:
        raise (unclear if unclear.question.endswith("?") else no_room) from None
    return " ".join(fact for thing in found[:MAX_NAMED] for fact in _measured(thing))


def _measures(thing: Thing) -> bool:
    return thing.domain == "climate" or (thing.domain == "sensor" and thing.device_class == "temperature")


def _measured(thing: Thing) -> list[str]:
    if thing.domain != "climate" or not thing.answers:
        return [sentence(f"{told(thing)} {f'says {_degrees(thing.state)}' if thing.answers else NO_ANSWER}")]
    measured = thing.attributes.get("current_temperature")
    here = [] if measured is None else [sentence(f"{told(thing)} measures {_degrees(measured)}")]
    return [*here, _set(thing)]


def _temperatures(house: House, room: Area) -> list[str]:
    """What is measured there: by the sensor that counts, or what heats it, or each sensor under its name, since one may
    hang in the fridge."""
    things = [thing for thing in house.things if thing.area == room or thing.entity_id == room.thermometer]
    sensors = [one for one in things if one.domain == "sensor" and one.device_class == "temperature" and one.answers]
    climates = [one for one in things if one.domain == "climate" and one.answers]
    chosen = [one.state for one in sensors if one.entity_id == room.thermometer]
    heated = [one.attributes["current_temperature"] for one in climates if "current_temperature" in one.attributes]
    alone = [one.state for one in sensors] if len(sensors) == 1 else []
    measured = (chosen or heated or alone)[:1]
    if measured:
        return [f"It is {_degrees(measured[0])} in {the(room.names[0])}.", *map(_set, climates[:1])]
    return [sentence(f"{told(one)} says {_degrees(one.state)}") for one in sensors[:MAX_NAMED]]


def _set(heater: Thing) -> str:
    if not heater.answers:
        return sentence(f"{told(heater)} {NO_ANSWER}")
    if word_of(heater) == "off":
        return sentence(f"{told(heater)} is off")
    wanted = heater.attributes.get("temperature")
    return sentence(f"{told(heater)} is set to {_degrees(wanted)}" if wanted is not None else f"{told(heater)} is on")


def _degrees(value: object) -> str:
    try:
        return f"{round(float(str(value)), 1):g} degrees"
    except ValueError:
        return f"{value} degrees"


async def _house(home: Home) -> House:
    """Raises Unclear with an honest sentence when nobody can say how the home is."""
    try:
        return await home.devices.house()
    except Missing:
        raise Unclear(NOT_CONNECTED) from None
    except JarvisError as error:
        raise Unclear(f"I can't tell: {error}") from None
