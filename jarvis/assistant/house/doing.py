"""Doing things with the home's things, and saying what came of it: what is said is what their states say, not what
was asked for. What lets people in is done only after a question that names it was answered with yes, in the same room
and at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.assistant.house.answers import ASKED, agrees
from jarvis.assistant.house.names import Unclear, plain, told, verb
from jarvis.assistant.house.states import sentence, word_of
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, the
from jarvis.assistant.types import Home, Request
from jarvis.home_assistant.things import Done, House, Thing

MAX_NAMED = 3
"""More are counted: "Turned off 7 lights."."""
CONFIRM_MS = 60_000
"""A yes after a longer pause may answer something else."""
_ENTRANCES = ("garage", "gate", "door")


@dataclass(frozen=True, slots=True)
class Call:
    service: str
    """Such as `light.turn_on`."""
    things: Sequence[Thing]
    data: Mapping[str, Any] = field(default_factory=dict)


async def carry_out(home: Home, calls: Sequence[Call], done: Done, said: str, doing: str) -> Said:
    """Do it, and tell which things are `done`: "turned on", or with a place for their names."""
    wanted = [thing for call in calls for thing in call.things]
    things = reachable(wanted)
    house = House()
    for call in calls:
        if reached := [thing for thing in call.things if thing in things]:
            house = await home.devices.act(call.service, reached, call.data, done)
    good = [thing for thing in things if done(house.now(thing))]
    bad = [thing for thing in things if thing not in good]
    absent = [thing for thing in wanted if thing not in things]
    told_all = []
    if good:
        told_all.append(said.format(named(good)) if "{}" in said else f"{said} {named(good)}")
    if bad:
        told_all.append(f"I asked {named(bad)} to {doing}, but I don't see that it happened")
    if absent:
        told_all.append(f"{named(absent)} {'do' if len(absent) > 1 else 'does'} not answer")
    return Said(" ".join(map(sentence, told_all)))


async def move(
    home: Home, things: Sequence[Thing], service: str, data: Mapping[str, Any], ends: Sequence[str], doing: str
) -> Said:
    """For what takes its time: said is what it is doing now."""
    reached = reachable(things)
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


def reachable(things: Sequence[Thing]) -> list[Thing]:
    """Without those that do not answer: Home Assistant would pass over them and call it done. Raises Unclear when
    there is no other."""
    found = [thing for thing in things if thing.state != "unavailable"]
    if not found:
        raise Unclear(sentence(f"{named(things)} {'do' if len(things) > 1 else 'does'} not answer right now"))
    return found


def named(things: Sequence[Thing]) -> str:
    if len(things) <= MAX_NAMED:
        return a_list(map(told, things))
    kinds = {thing.domain for thing in things}
    rooms = {thing.area.names[0] for thing in things if thing.area is not None}
    where = f" in {the(next(iter(rooms)))}" if len(rooms) == 1 and all(thing.area for thing in things) else ""
    return f"{len(things)} {'lights' if kinds == {'light'} else 'things'}{where}"


def confirm(
    doing: str, things: Sequence[Thing], dangerous: Sequence[Thing], match: Match, request: Request, home: Home
) -> None:
    """Raises Unclear with a question that names all `things` where some are `dangerous`, unless somebody in this room
    has just said yes to that very question. What was said counts, not who wrote the slots: a model may have."""
    question = f"{ASKED}{doing} {a_list(map(told, things))}?"
    last = request.turns[-1] if request.turns and match.slots.get("confirmed") else None
    agreed = (
        last is not None
        and last.reply == question
        and last.room == request.room
        and agrees(request.text)
        and (not home.clock_is_set or abs(home.now().timestamp() * 1000 - last.at_ms) <= CONFIRM_MS)
    )
    if dangerous and not agreed:
        raise Unclear(question)


def lets_in(thing: Thing) -> bool:
    """A person could come in there: by its class, or by its name where it has none. A switch may be all that a gate
    has, and a scene may open it."""
    if thing.domain == "cover" and thing.device_class:
        return thing.device_class in _ENTRANCES
    words = {word for name in thing.names for word in plain(name).split()}
    return not words.isdisjoint(_ENTRANCES if thing.domain == "cover" else ("gate", "door", "unlock"))
