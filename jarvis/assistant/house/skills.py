"""What is done with the home's things when somebody says so: plugs, blinds, locks, heaters, scenes; lights have a file
of their own. It finds what is meant, and asks where that is not certain or lets people in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from jarvis.assistant.house.doing import Call, carry_out, confirm, lets_in, move, reachable
from jarvis.assistant.house.names import Unclear, find, plain, told
from jarvis.assistant.house.states import TOGGLED, sentence, word_of
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.core.errors import Missing
from jarvis.home_assistant.things import House, Thing

NOT_SET_UP = "I can't do that: I am not connected to the things in this home."
_VACUUM = {"on": "vacuum.start", "off": "vacuum.return_to_base"}

Skill = Callable[[Match, Request, Home], Awaitable[Said]]


def spoken(skill: Skill, *, away: str = NOT_SET_UP) -> Skill:
    """`skill`, that says what is unclear, and `away` where no home is connected."""

    async def wrapped(match: Match, request: Request, home: Home) -> Said:
        try:
            return await skill(match, request, home)
        except Unclear as unclear:
            return Said(unclear.question, asks=unclear.question.endswith("?"))
        except Missing:
            return Said(away)

    return wrapped


def meant(match: Match, request: Request, house: House, fits: Callable[[Thing], bool]) -> list[Thing]:
    """The things that the sentence names. Raises Unclear."""
    slots = match.slots
    return find(
        house,
        str(slots.get("thing", "")),
        fits,
        area=str(slots.get("area", "")),
        here=str(slots.get("here", request.room)),
        everywhere=bool(slots.get("all")),
    )


async def turn_on(match: Match, request: Request, home: Home) -> Said:
    return await _turn(match, request, home, "on")


async def turn_off(match: Match, request: Request, home: Home) -> Said:
    return await _turn(match, request, home, "off")


async def _turn(match: Match, request: Request, home: Home, state: str) -> Said:
    house = await home.devices.house()
    if plain(str(match.slots.get("thing", ""))) == "everything":
        things = _everything(match, request, house)
    else:
        things = meant(match, request, house, lambda thing: thing.domain in TOGGLED)
    if state == "on":
        entrances = [one for one in things if one.domain in ("switch", "input_boolean") and lets_in(one)]
        confirm("turn on", things, entrances, match, request, home)
    calls = []
    for domain in dict.fromkeys(thing.domain for thing in things):
        service = _VACUUM[state] if domain == "vacuum" else f"{domain}.turn_{state}"
        calls.append(Call(service, [one for one in things if one.domain == domain]))
    return await carry_out(home, calls, lambda thing: word_of(thing) == state, f"turned {state}", f"turn {state}")


def _everything(match: Match, request: Request, house: House) -> list[Thing]:
    """Lights, fans and players: a plug may feed a freezer."""
    slots = {**match.slots, "all": True}
    found: list[Thing] = []
    for name in ("lights", "fans", "players"):
        try:
            found += meant(Match(match.intent, {**slots, "thing": name}), request, house, lambda one: one.answers)
        except Unclear:
            continue
    if not found:
        raise Unclear("I know nothing there that I could turn off.")
    return found


async def open_it(match: Match, request: Request, home: Home) -> Said:
    house = await home.devices.house()
    covers = meant(match, request, house, _is_cover)
    percent = match.slots.get("percent")
    if percent != 0:
        confirm("open", covers, [one for one in covers if lets_in(one)], match, request, home)
    if percent is None:
        return await move(home, covers, "cover.open_cover", {}, ("open", "opening"), "open")
    wanted = max(0, min(100, round(float(percent))))
    return await move(home, covers, "cover.set_cover_position", {"position": wanted}, ("opening", "closing"), "move")


async def close_it(match: Match, request: Request, home: Home) -> Said:
    covers = meant(match, request, await home.devices.house(), _is_cover)
    return await move(home, covers, "cover.close_cover", {}, ("closed", "closing"), "close")


async def lock(match: Match, request: Request, home: Home) -> Said:
    locks = meant(match, request, await home.devices.house(), _is_lock)
    return await move(home, locks, "lock.lock", {}, ("locked", "jammed"), "lock")


async def unlock(match: Match, request: Request, home: Home) -> Said:
    locks = meant(match, request, await home.devices.house(), _is_lock)
    confirm("unlock", locks, locks, match, request, home)
    return await move(home, locks, "lock.unlock", {}, ("unlocked", "open", "jammed"), "unlock")


async def set_temperature(match: Match, request: Request, home: Home) -> Said:
    degrees = float(match.slots["degrees"])
    return await _heat(home, heaters(match, request, await home.devices.house()), lambda one: degrees)


async def warmer(match: Match, request: Request, home: Home) -> Said:
    return await _heat(
        home, heaters(match, request, await home.devices.house()), lambda one: _target(one) + _step(match)
    )


async def cooler(match: Match, request: Request, home: Home) -> Said:
    return await _heat(
        home, heaters(match, request, await home.devices.house()), lambda one: _target(one) - _step(match)
    )


def heaters(match: Match, request: Request, house: House) -> list[Thing]:
    """Those of the room that was named, or of this one, or the only one."""
    slots = {"thing": "heating", **match.slots}
    return meant(Match(match.intent, slots), request, house, lambda thing: thing.domain == "climate")


async def _heat(home: Home, things: Sequence[Thing], wanted: Callable[[Thing], float]) -> Said:
    told_all = []
    for one in reachable(things):
        degrees = wanted(one)

        def done(after: Thing, degrees: float = degrees) -> bool:
            return after.attributes.get("temperature") == degrees

        house = await home.devices.act("climate.set_temperature", [one], {"temperature": degrees}, done)
        after = house.now(one)
        if not done(after):
            told_all.append(f"I asked for {degrees:g} degrees, but {told(one)} has not taken it")
        else:
            off = ", but it is off" if word_of(after) == "off" else ""
            told_all.append(f"{told(one)} is set to {degrees:g} degrees{off}")
    return Said(" ".join(map(sentence, told_all)))


async def scene(match: Match, request: Request, home: Home) -> Said:
    house = await home.devices.house()
    name = str(match.slots["name"])
    found = find(house, name, lambda thing: thing.domain in ("scene", "script"), here=request.room)
    confirm("start", found[:1], [one for one in found[:1] if lets_in(one)], match, request, home)
    await home.devices.act(f"{found[0].domain}.turn_on", found[:1], {}, lambda thing: True)
    return Said(f"Started {told(found[0])}.")


def _step(match: Match) -> float:
    """By how many degrees."""
    return float(match.slots.get("degrees", 1))


def _target(heater: Thing) -> float:
    value = heater.attributes.get("temperature")
    if not isinstance(value, (int, float)):
        raise Unclear(sentence(f"I don't know what {told(heater)} is set to"))
    return float(value)


def _is_cover(thing: Thing) -> bool:
    return thing.domain == "cover"


def _is_lock(thing: Thing) -> bool:
    return thing.domain == "lock"
