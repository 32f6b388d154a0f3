"""Doing things with the home's things: lights, plugs, blinds, locks, heaters, scenes. What is said afterwards is what
their states say, not what was asked for. What lets people in (a lock, a garage door, a gate) is done only after a
question that names it was answered with yes, in the same room and at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from jarvis.assistant.house_names import Unclear, find, plain, told, verb
from jarvis.assistant.house_states import TOGGLED, sentence, word_of
from jarvis.assistant.intents import Match
from jarvis.assistant.said import Said, a_list, the
from jarvis.assistant.types import Home, Request
from jarvis.core.errors import Missing
from jarvis.home_assistant.things import Done, House, Thing

MAX_NAMED = 3
"""More are counted: "Turned off 7 lights."."""
CONFIRM_MS = 60_000
"""A yes after a longer pause may answer something else."""
ASKED = "Should I "
STEP_PERCENT = 20
NOT_SET_UP = "I can't do that: I am not connected to the things in this home."
_ENTRANCES = ("garage", "gate", "door")
_BRIGHT = ("brightness", "color_temp", "hs", "rgb", "rgbw", "rgbww", "xy", "white")
_COLOURED = ("hs", "rgb", "rgbw", "rgbww", "xy")
_WHITES = {"warm white": 2700, "warm": 2700, "white": 4000, "cool white": 5500, "cold white": 5500, "daylight": 6500}
"""In kelvin."""

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
        here=request.room,
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
        entrances = [one for one in things if one.domain in ("switch", "input_boolean") and _lets_in(one)]
        _confirm(f"{ASKED}turn on {_named(things)}?", entrances, match, request, home)
    service = {"on": "vacuum.start", "off": "vacuum.return_to_base"}[state]
    plan = [
        (service if domain == "vacuum" else f"{domain}.turn_{state}", [one for one in things if one.domain == domain])
        for domain in dict.fromkeys(thing.domain for thing in things)
    ]
    return await _done(home, plan, {}, lambda thing: word_of(thing) == state, f"turned {state}", f"turn {state}")


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


async def set_light(match: Match, request: Request, home: Home) -> Said:
    house = await home.devices.house()
    lights = meant(match, request, house, _is_light)
    percent, color = match.slots.get("percent"), match.slots.get("color")
    if color is not None:
        return await _color(home, lights, str(color))
    wanted = max(0, min(100, round(float(percent if percent is not None else 100))))
    if wanted == 0:
        return await turn_off(match, request, home)
    lights = _able(lights, _BRIGHT, "cannot be dimmed")
    return await _done(
        home,
        [("light.turn_on", lights)],
        {"brightness_pct": wanted},
        lambda one: one.state == "on" and abs(_bright(one) - wanted) <= 2,
        f"set {{}} to {wanted} percent",
        f"go to {wanted} percent",
    )


async def _color(home: Home, lights: Sequence[Thing], color: str) -> Said:
    data: dict[str, Any]
    kelvin = _WHITES.get(plain(color))
    if kelvin is not None:
        able, data = _able(lights, (*_COLOURED, "color_temp"), "has only one white"), {"color_temp_kelvin": kelvin}
    else:
        able, data = _able(lights, _COLOURED, "has no colours"), {"color_name": plain(color).replace(" ", "")}
    plan, doing = [("light.turn_on", able)], f"turn {color}"
    return await _done(home, plan, data, lambda one: one.state == "on", f"turned {{}} {color}", doing)


async def dim(match: Match, request: Request, home: Home) -> Said:
    return await _step(match, request, home, -STEP_PERCENT)


async def brighten(match: Match, request: Request, home: Home) -> Said:
    return await _step(match, request, home, STEP_PERCENT)


async def _step(match: Match, request: Request, home: Home, step: int) -> Said:
    house = await home.devices.house()
    lights = meant(match, request, house, _is_light)
    lit = [one for one in lights if one.state == "on"]
    if not lit:
        return Said(sentence(f"{_named(lights)} {'are' if len(lights) > 1 else 'is'} off"))
    lit = _able(lit, _BRIGHT, "cannot be dimmed")
    before = {one.entity_id: _bright(one) for one in lit}
    at_the_end = 1 if step < 0 else 100

    def done(one: Thing) -> bool:
        return (one.state == "on" and (_bright(one) - before[one.entity_id]) * step > 0) or _bright(one) == at_the_end

    what = "dim" if step < 0 else "brighten"
    said = "dimmed" if step < 0 else "brightened"
    return await _done(home, [("light.turn_on", lit)], {"brightness_step_pct": step}, done, said, what)


async def open_it(match: Match, request: Request, home: Home) -> Said:
    house = await home.devices.house()
    covers = meant(match, request, house, _is_cover)
    percent = match.slots.get("percent")
    if percent != 0:
        _confirm(f"{ASKED}open {_named(covers)}?", [one for one in covers if _lets_in(one)], match, request, home)
    if percent is None:
        return await _moved(home, covers, "cover.open_cover", {}, ("open", "opening"), "open")
    wanted = max(0, min(100, round(float(percent))))
    return await _moved(home, covers, "cover.set_cover_position", {"position": wanted}, ("opening", "closing"), "move")


async def close_it(match: Match, request: Request, home: Home) -> Said:
    covers = meant(match, request, await home.devices.house(), _is_cover)
    return await _moved(home, covers, "cover.close_cover", {}, ("closed", "closing"), "close")


async def lock(match: Match, request: Request, home: Home) -> Said:
    locks = meant(match, request, await home.devices.house(), _is_lock)
    return await _moved(home, locks, "lock.lock", {}, ("locked", "jammed"), "lock")


async def unlock(match: Match, request: Request, home: Home) -> Said:
    locks = meant(match, request, await home.devices.house(), _is_lock)
    _confirm(f"{ASKED}unlock {_named(locks)}?", locks, match, request, home)
    return await _moved(home, locks, "lock.unlock", {}, ("unlocked", "open", "jammed"), "unlock")


async def set_temperature(match: Match, request: Request, home: Home) -> Said:
    degrees = float(match.slots["degrees"])
    return await _heat(home, heaters(match, request, await home.devices.house()), lambda one: degrees)


async def warmer(match: Match, request: Request, home: Home) -> Said:
    return await _heat(home, heaters(match, request, await home.devices.house()), lambda one: _target(one) + 1)


async def cooler(match: Match, request: Request, home: Home) -> Said:
    return await _heat(home, heaters(match, request, await home.devices.house()), lambda one: _target(one) - 1)


def heaters(match: Match, request: Request, house: House) -> list[Thing]:
    """Those of the room that was named, or of this one, or the only one."""
    slots = {"thing": "heating", **match.slots}
    return meant(Match(match.intent, slots), request, house, lambda thing: thing.domain == "climate")


async def _heat(home: Home, things: Sequence[Thing], wanted: Callable[[Thing], float]) -> Said:
    told_all = []
    for one in _reachable(things):
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
    _confirm(f"{ASKED}start {found[0].name}?", [one for one in found[:1] if _lets_in(one)], match, request, home)
    await home.devices.act(f"{found[0].domain}.turn_on", found[:1], {}, lambda thing: True)
    return Said(f"Started {found[0].name}.")


# --- doing and telling ------------------------------------------------------------------------------------------------


async def _done(
    home: Home,
    plan: Sequence[tuple[str, Sequence[Thing]]],
    data: Mapping[str, Any],
    done: Done,
    said: str,
    doing: str,
) -> Said:
    """Carry out `plan` and tell which things are `done`: "turned on", or with a place for their names."""
    things = _reachable([thing for _, some in plan for thing in some])
    house = House()
    for service, some in plan:
        if reached := [thing for thing in some if thing in things]:
            house = await home.devices.act(service, reached, data, done)
    good = [thing for thing in things if done(house.now(thing))]
    bad = [thing for thing in things if thing not in good]
    absent = [thing for _, some in plan for thing in some if thing not in things]
    told_all = []
    if good:
        told_all.append(said.format(_named(good)) if "{}" in said else f"{said} {_named(good)}")
    if bad:
        told_all.append(f"I asked {_named(bad)} to {doing}, but I don't see that it happened")
    if absent:
        told_all.append(f"{_named(absent)} {'do' if len(absent) > 1 else 'does'} not answer")
    return Said(" ".join(map(sentence, told_all)))


async def _moved(
    home: Home, things: Sequence[Thing], service: str, data: Mapping[str, Any], ends: Sequence[str], doing: str
) -> Said:
    """For what takes its time: said is what it is doing now."""
    reached = _reachable(things)
    position = data.get("position")

    def done(thing: Thing) -> bool:
        at = thing.attributes.get("current_position")
        return thing.state in ends or (position is not None and at == position)

    house = await home.devices.act(service, reached, data, done)
    told_all = []
    for one in (house.now(thing) for thing in reached):
        word = word_of(one)
        if word is None or not done(one):
            told_all.append(f"I asked {told(one)} to {doing}, but I don't see that it happened")
        elif position is not None and word == "open":
            told_all.append(f"{told(one)} {verb(one)} at {position} percent")
        else:
            told_all.append(f"{told(one)} {verb(one)} {word}")
    if len(told_all) > MAX_NAMED and all(map(done, map(house.now, reached))):
        told_all = [f"{len(reached)} are on their way or there"]
    return Said(" ".join(map(sentence, told_all)))


def _reachable(things: Sequence[Thing]) -> list[Thing]:
    """Without those that do not answer: Home Assistant would pass over them and call it done. Raises Unclear when
    there is no other."""
    found = [thing for thing in things if thing.state != "unavailable"]
    if not found:
        raise Unclear(sentence(f"{_named(things)} {'do' if len(things) > 1 else 'does'} not answer right now"))
    return found


def _named(things: Sequence[Thing]) -> str:
    if len(things) <= MAX_NAMED:
        return a_list(map(told, things))
    kinds = {thing.domain for thing in things}
    rooms = {thing.area.names[0] for thing in things if thing.area is not None}
    where = f" in {the(next(iter(rooms)))}" if len(rooms) == 1 and all(thing.area for thing in things) else ""
    return f"{len(things)} {'lights' if kinds == {'light'} else 'things'}{where}"


def _confirm(question: str, dangerous: Sequence[Thing], match: Match, request: Request, home: Home) -> None:
    """Raises Unclear with `question` where there is danger, unless somebody in this room has just said yes to it."""
    last = request.turns[-1] if request.turns and match.slots.get("confirmed") else None
    agreed = (
        last is not None
        and last.reply == question
        and last.room == request.room
        and (not home.clock_is_set or abs(home.now().timestamp() * 1000 - last.at_ms) <= CONFIRM_MS)
    )
    if dangerous and not agreed:
        raise Unclear(question)


def _able(lights: Sequence[Thing], modes: Sequence[str], cannot: str) -> list[Thing]:
    """Those that can do it, as far as they say what they can. Raises Unclear for none."""
    able = [
        one for one in lights if not (said := one.attributes.get("supported_color_modes")) or set(said) & set(modes)
    ]
    if not able:
        raise Unclear(sentence(f"{_named(lights)} {cannot}"))
    return able


def _bright(light: Thing) -> int:
    """In percent; Home Assistant counts to 255."""
    value = light.attributes.get("brightness")
    return round(value / 2.55) if isinstance(value, (int, float)) else 0


def _target(heater: Thing) -> float:
    value = heater.attributes.get("temperature")
    if not isinstance(value, (int, float)):
        raise Unclear(sentence(f"I don't know what {told(heater)} is set to"))
    return float(value)


def _is_light(thing: Thing) -> bool:
    return thing.domain == "light"


def _is_cover(thing: Thing) -> bool:
    return thing.domain == "cover"


def _is_lock(thing: Thing) -> bool:
    return thing.domain == "lock"


def _lets_in(thing: Thing) -> bool:
    """A person could come in there: by its class, or by its name where it has none. A switch may be all that a gate
    has, and a scene may open it."""
    if thing.domain == "cover" and thing.device_class:
        return thing.device_class in _ENTRANCES
    words = {word for name in thing.names for word in plain(name).split()}
    return not words.isdisjoint(_ENTRANCES if thing.domain == "cover" else ("gate", "door", "unlock"))
