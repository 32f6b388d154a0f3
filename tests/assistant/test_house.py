"""What is said and done about the home's things, with a double of Home Assistant behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.house.answers import answered
from jarvis.assistant.house.phrases import SKILLS
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import PastTurn, Request
from jarvis.core.errors import Unreachable
from jarvis.testing.waiting import until
from tests.assistant.homes import MemoryHome, whole
from tests.home_assistant.double import HomeAssistantDouble, area, entry, state
from tests.home_assistant.test_client import with_home


@dataclass
class Room:
    """Somebody in a room, who says one thing after another."""

    double: HomeAssistantDouble
    home: Any
    room: str = "kitchen"
    turns: list[PastTurn] = field(default_factory=list)
    asked: Match | None = None

    async def say(self, intent: str, heard: str = "", **slots: Any) -> str:
        self.asked = Match(intent, slots)
        return await self._do(self.asked, heard or intent)

    async def answer(self, heard: str) -> str | None:
        assert self.asked is not None
        match = answered(self.asked, self.turns[-1], heard)
        if match is None or match.intent == "never_mind":
            return None if match is None else "Okay."
        return await self._do(match, heard)

    async def _do(self, match: Match, heard: str) -> str:
        said: Said = await SKILLS[match.intent](match, Request(heard, self.room, turns=self.turns), self.home)
        assert said.asks == said.text.endswith("?")
        at_ms = round(self.home.now().timestamp() * 1000)
        self.turns.append(PastTurn(heard, said.text, self.room, at_ms))
        return said.text

    @property
    def called(self) -> list[str]:
        calls = self.double.called
        return [f"{one['domain']}.{one['service']} {' '.join(one['target']['entity_id'])}" for one in calls]


Talk = Callable[[Room], Awaitable[None]]


def in_a_room(talk: Talk, room: str = "kitchen", **changes: Any) -> None:
    async def run(double: HomeAssistantDouble, client: Any) -> None:
        await talk(Room(double, MemoryHome(devices=client), room))

    with_home(run, **changes)


def told(intent: str, slots: dict[str, Any], room: str = "kitchen", **changes: Any) -> tuple[str, list[str], list[Any]]:
    """What is said, which services were called, and with what."""
    found: list[Any] = []

    async def talk(one: Room) -> None:
        found.append(await one.say(intent, **slots))
        found.append(one.called)
        found.append([call["service_data"] for call in one.double.called])

    in_a_room(talk, room, **changes)
    return found[0], found[1], found[2]


@pytest.mark.parametrize(
    ("intent", "slots", "said", "called"),
    [
        ("home_turn_on", {"thing": "kitchen light"}, "Turned on the Kitchen Light.", ["light.turn_on light.kitchen"]),
        ("home_turn_on", {"thing": "lights"}, "Turned on the Kitchen Light.", ["light.turn_on light.kitchen"]),
        ("home_turn_on", {"thing": "kitchen lite"}, "Turned on the Kitchen Light.", ["light.turn_on light.kitchen"]),
        (
            "home_turn_on",
            {"thing": "espresso maker"},
            "Turned on the Coffee machine in the Kitchen.",
            ["switch.turn_on switch.coffee"],
        ),
        (
            "home_turn_on",
            {"thing": "lights", "area": "lounge"},
            "Turned on the Reading lamp in the Living Room and the Shelf in the Living Room.",
            ["light.turn_on light.reading light.shelf"],
        ),
        (
            "home_turn_on",
            {"thing": "living room lights"},
            "Turned on the Reading lamp in the Living Room and the Shelf in the Living Room.",
            ["light.turn_on light.reading light.shelf"],
        ),
        ("home_turn_on", {"thing": "lights", "area": "upstairs"}, "Turned on the Bedside lamp in the Bedroom.",
         ["light.turn_on light.bedside"]),
        ("home_turn_off", {"thing": "lights", "all": True}, "Turned off 4 lights.",
         ["light.turn_off light.kitchen light.reading light.shelf light.bedside"]),
        ("home_turn_off", {"thing": "tv"}, "Turned off the TV in the Living Room.",
         ["media_player.turn_off media_player.tv"]),
        ("home_turn_off", {"thing": "heating", "area": "office"}, "Turned off the Office radiator.",
         ["climate.turn_off climate.office"]),
        ("home_turn_off", {"thing": "everything"}, "Turned off 6 things.", [
            "light.turn_off light.kitchen light.reading light.shelf light.bedside", "fan.turn_off fan.bedroom",
            "media_player.turn_off media_player.tv"]),
        ("home_turn_on", {"thing": "oven"}, "The Oven in the Kitchen does not answer right now.", []),
        ("home_turn_on", {"thing": "disco ball"}, "I don't know a device called disco ball.", []),
        ("home_turn_on", {"thing": "lights", "area": "cellar"}, "I don't know a room called cellar.", []),
        ("home_turn_on", {"thing": "vacuum"}, "I know no vacuum.", []),
        ("home_close", {"thing": "blinds"}, "The Blinds in the Living Room are closing.",
         ["cover.close_cover cover.blinds"]),
        ("home_lock", {"thing": "front door"}, "The Front door is locked.", ["lock.lock lock.front"]),
        ("home_scene", {"name": "movie night"}, "Started the Movie night.", ["scene.turn_on scene.movie"]),
    ],
)  # fmt: skip
def test_things_are_found_and_told_as_they_are(
    intent: str, slots: dict[str, Any], said: str, called: Sequence[str]
) -> None:
    assert told(intent, slots)[:2] == (said, called)


@pytest.mark.parametrize(
    ("intent", "slots", "said", "data"),
    [
        ("light_set", {"thing": "kitchen light", "percent": 30}, "Set the Kitchen Light to 30 percent.",
         [{"brightness_pct": 30}]),
        ("light_set", {"thing": "reading lamp", "color": "red"}, "Turned the Reading lamp in the Living Room red.",
         [{"color_name": "red"}]),
        ("light_set", {"thing": "reading lamp", "color": "warm white"},
         "Turned the Reading lamp in the Living Room warm white.", [{"color_temp_kelvin": 2700}]),
        ("light_set", {"thing": "kitchen light", "color": "red"}, "The Kitchen Light has no colours.", []),
        ("light_set", {"thing": "shelf", "percent": 30}, "The Shelf in the Living Room cannot be dimmed.", []),
        ("light_dim", {"thing": "reading lamp"}, "Dimmed the Reading lamp in the Living Room.",
         [{"brightness_pct": 30}]),
        ("light_brighten", {"thing": "reading lamp"}, "Brightened the Reading lamp in the Living Room.",
         [{"brightness_pct": 70}]),
        ("light_dim", {"thing": "kitchen light"}, "The Kitchen Light is off.", []),
        ("home_open", {"thing": "blinds", "percent": 50}, "The Blinds in the Living Room are at 50 percent.",
         [{"position": 50}]),
        ("climate_set", {"degrees": 21.5, "area": "bedroom"}, "The Bedroom radiator is set to 21.5 degrees.",
         [{"temperature": 21.5}]),
        ("climate_set", {"degrees": 20, "area": "office"}, "The Office radiator is set to 20 degrees, but it is off.",
         [{"temperature": 20.0}]),
        ("climate_warmer", {"area": "bedroom"}, "The Bedroom radiator is set to 21 degrees.", [{"temperature": 21.0}]),
        ("climate_cooler", {"area": "bedroom"}, "The Bedroom radiator is set to 19 degrees.", [{"temperature": 19.0}]),
        ("climate_warmer", {"area": "bedroom", "degrees": 2.5}, "The Bedroom radiator is set to 22.5 degrees.",
         [{"temperature": 22.5}]),
    ],
)  # fmt: skip
def test_how_much_and_which_colour(intent: str, slots: dict[str, Any], said: str, data: Sequence[Any]) -> None:
    found, _, given = told(intent, slots)
    assert (found, given) == (said, data)


@pytest.mark.parametrize(
    ("intent", "slots", "said"),
    [
        ("home_state", {"thing": "front door", "state": "locked"}, "Yes, the Front door is locked."),
        ("home_state", {"thing": "front door", "state": "unlocked"}, "No, the Front door is locked."),
        ("home_state", {"thing": "front door", "state": "open"}, "No, the Front door sensor is closed."),
        ("home_state", {"thing": "garage door", "state": "open"}, "No, the Garage door is closed."),
        ("home_state", {"thing": "light", "state": "on", "area": "kitchen"}, "No, the Kitchen Light is off."),
        ("home_state", {"thing": "oven", "state": "off"},
         "I can't tell: the Oven in the Kitchen does not answer right now."),
        ("home_state", {"thing": "coffee machine"}, "The Coffee machine in the Kitchen is off."),
        ("home_state", {"thing": "back door", "state": "locked"}, "I don't know a device called back door."),
        ("home_which", {"thing": "lights", "state": "on"}, "The Reading lamp in the Living Room is on."),
        ("home_which", {"thing": "windows", "state": "open"}, "The Kitchen window is open."),
        ("home_which", {"thing": "windows", "state": "open", "area": "bedroom"}, "No windows in the bedroom are open."),
        ("climate_tell", {"area": "bedroom"},
         "It is 19.4 degrees in the Bedroom. The Bedroom radiator is set to 20 degrees."),
        ("climate_tell", {}, "It is 22.5 degrees in the Kitchen."),
        ("climate_tell", {"thing": "bedroom radiator"},
         "The Bedroom radiator measures 19.4 degrees. The Bedroom radiator is set to 20 degrees."),
        ("climate_tell", {"area": "office radiator"}, "The Office radiator is off."),
        ("climate_tell", {"thing": "kitchen temperature"}, "The Kitchen temperature says 22.5 degrees."),
        ("climate_tell", {"area": "cellar"}, "I don't know a room called cellar."),
        ("climate_tell", {"area": "office"}, "I can't tell: nothing in the office measures the temperature."),
        ("climate_tell", {"area": "living room"},
         "I can't tell: nothing in the living room measures the temperature."),
    ],
)  # fmt: skip
def test_questions_are_answered_by_what_is_so(intent: str, slots: dict[str, Any], said: str) -> None:
    assert told(intent, slots)[:2] == (said, [])


def test_dimming_again_and_again_leaves_it_on() -> None:
    async def talk(one: Room) -> None:
        said = [await one.say("light_dim", thing="reading lamp") for _ in range(5)]
        assert said[-1] == "The Reading lamp in the Living Room can't go any lower."
        assert [call["service_data"]["brightness_pct"] for call in one.double.called] == [30, 10, 5]
        await one.say("light_brighten", thing="lights", all=True)
        assert [call["service_data"]["brightness_pct"] for call in one.double.called][3:] == [25]

    in_a_room(talk)


def test_what_did_not_happen_is_said() -> None:
    said, called, _ = told("home_turn_on", {"thing": "kitchen light"}, deaf=True)
    assert called and said == "I asked the Kitchen Light to turn on, but I don't see that it happened."
    said, called, _ = told("home_unlock", {"thing": "front door"}, deaf=True)
    assert (said, called) == ("Should I unlock the Front door?", [])


def test_a_room_without_things_of_its_own_is_asked_about() -> None:
    async def talk(one: Room) -> None:
        assert await one.say("home_turn_on", thing="lights") == (
            "Which one: the Kitchen Light, the Reading lamp in the Living Room, the Shelf in the Living Room "
            "or the Bedside lamp in the Bedroom?"
        )
        assert await one.answer("the one in the moon, or perhaps whichever you like best today") is None
        assert one.called == []
        assert await one.answer("the bedside lamp please") == "Turned on the Bedside lamp in the Bedroom."

    in_a_room(talk, room="hall")


@pytest.mark.parametrize(
    ("intent", "thing", "question", "done", "called"),
    [
        ("home_unlock", "front door", "Should I unlock the Front door?", "The Front door is unlocked.",
         "lock.unlock lock.front"),
        ("home_open", "garage door", "Should I open the Garage door?", "The Garage door is opening.",
         "cover.open_cover cover.garage"),
    ],
)  # fmt: skip
def test_what_lets_people_in_is_done_after_a_yes(
    intent: str, thing: str, question: str, done: str, called: str
) -> None:
    async def talk(one: Room) -> None:
        assert await one.say(intent, thing=thing) == question
        assert one.called == []
        assert await one.answer("what is the time") is None
        assert await one.answer("no thanks") == "Okay."
        assert await one.answer("Yes, please.") == done
        assert one.called == [called]

    in_a_room(talk)


@pytest.mark.parametrize("break_it", ["another_room", "too_late", "another_question", "no_question", "no_yes"])
def test_a_yes_to_something_else_opens_nothing(break_it: str) -> None:
    async def talk(one: Room) -> None:
        await one.say("home_unlock", thing="front door")
        assert one.asked is not None
        yes = Match("home_unlock", {"thing": "front door", "confirmed": True})
        last = one.turns[-1]
        if break_it == "another_room":
            one.room = "bedroom"
        elif break_it == "too_late":
            one.turns[-1] = PastTurn(last.heard, last.reply, last.room, last.at_ms - 61_000)
        elif break_it == "another_question":
            yes = Match("home_unlock", {"thing": "lock", "area": "office", "confirmed": True})
        else:
            one.turns.clear()
        await one._do(yes, "yes" if break_it != "no_yes" else "yes, but tell me a joke first")
        assert one.called == []

    in_a_room(talk)


def test_a_switch_or_a_scene_that_may_open_a_gate_is_asked_about_too() -> None:
    async def talk(one: Room) -> None:
        await one.double.change("switch.gate", "off", friendly_name="Gate relay")
        await one.double.change("scene.open", "unknown", friendly_name="Unlock everything")
        await one.home.devices.act("light.turn_on", [], {}, lambda thing: True)  # what came before has been read now
        one.double.called.clear()
        assert await one.say("home_turn_on", thing="gate relay") == "Should I turn on the Gate relay?"
        assert await one.say("home_scene", name="unlock everything") == "Should I start the Unlock everything?"
        assert one.called == []
        assert await one.answer("yes") == "Started the Unlock everything."

    in_a_room(talk)


def test_a_question_before_letting_people_in_names_all_that_it_is_about() -> None:
    async def talk(one: Room) -> None:
        for name in ("Back door", "Cellar door", "Shed door"):
            await one.double.change(f"lock.{name}", "locked", friendly_name=name)
        await one.home.devices.act("light.turn_on", [], {}, lambda thing: True)  # what came before has been read now
        said = await one.say("home_unlock", thing="doors", all=True)
        assert said == "Should I unlock the Front door, the Back door, the Cellar door and the Shed door?"

    in_a_room(talk)


@pytest.mark.parametrize("said", ["gästezimmer light", "gastezimmer light", "susse lampe", "the Süße Lampe"])
def test_names_are_known_without_their_accents(said: str) -> None:
    async def talk(one: Room) -> None:
        one.double.areas.append(area("guests", "Gästezimmer"))
        one.double.entries.append(entry("light.guests", area_id="guests"))
        await one.double.change("light.guests", "off", friendly_name="Süße Lampe")
        await one.double.fire("area_registry_updated", {"action": "create", "area_id": "guests"})
        things = one.home.devices._mirror.house
        await until(lambda: any(thing.area is not None and "Süße" in thing.name for thing in things().things))
        assert await one.say("home_turn_on", thing=said) == "Turned on the Süße Lampe in the Gästezimmer."

    in_a_room(talk)


def test_two_of_one_name_are_told_apart_by_their_room() -> None:
    async def talk(one: Room) -> None:
        for room in ("bedroom", "office"):
            entity_id = f"light.{room}_desk"
            one.double.entries.append({"entity_id": entity_id, "area_id": room, "device_id": None})
            await one.double.change(entity_id, "off", friendly_name="Desk lamp")
        await one.double.fire("entity_registry_updated", {"action": "create", "entity_id": "light.office_desk"})
        things = one.home.devices._mirror.house
        await until(lambda: sum("Desk" in thing.name and thing.area is not None for thing in things().things) == 2)
        question = "Which one: the Desk lamp in the Bedroom or the Desk lamp in the Office?"
        assert await one.say("home_turn_on", thing="desk lamp") == question
        assert await one.answer("the desk lamp in the office") == "Turned on the Desk lamp in the Office."
        one.room = "bedroom"
        assert await one.say("home_turn_on", thing="desk lamp") == "Turned on the Desk lamp in the Bedroom."

    in_a_room(talk)


def test_without_a_home_assistant_nothing_is_claimed() -> None:
    async def run() -> None:
        room = Room(HomeAssistantDouble(), MemoryHome())
        assert (await room.say("home_state", thing="front door", state="locked")).startswith("I can't tell")
        assert (await room.say("home_turn_on", thing="lights")).startswith("I can't do that")

    asyncio.run(run())


def test_while_home_assistant_is_away_a_question_is_not_answered_from_memory() -> None:
    async def talk(one: Room) -> None:
        await one.double.stop()
        await until(lambda: one.home.devices.component()["state"] != "ok")
        said = await one.say("home_state", thing="front door", state="locked")
        assert said.startswith("I can't tell: Home Assistant")
        with pytest.raises(Unreachable):
            await one.say("home_turn_on", thing="lights")

    in_a_room(talk)


def test_of_several_thermometers_the_rooms_own_counts() -> None:
    kitchen = {"area_id": "kitchen", "device_id": None}

    def states() -> dict[str, Any]:
        warm = {"device_class": "temperature"}
        places = (("sensor.wall", "21.5", "Wall"), ("sensor.fridge", "4.0", "Fridge"))
        return {one: state(one, value, name, **warm) for one, value, name in places}

    entries = [{"entity_id": one, **kitchen} for one in states()]
    found = told("climate_tell", {}, states=states(), entries=entries)[0]
    assert found == "The Wall in the Kitchen says 21.5 degrees. The Fridge in the Kitchen says 4 degrees."
    own = {**area("kitchen", "Kitchen"), "temperature_entity_id": "sensor.wall"}
    found = told("climate_tell", {}, states=states(), entries=entries, areas=[own])[0]
    assert found == "It is 21.5 degrees in the Kitchen."


def test_a_thing_may_jam() -> None:
    changed = {"lock.front": state("lock.front", "jammed", "Front door")}
    said, _, _ = told("home_state", {"thing": "front door", "state": "locked"}, states=changed, areas=[area("a", "A")])
    assert said == "The Front door is jammed."


def test_it_is_all_one_conversation() -> None:
    """As people say it, through everything that the assistant does with a sentence."""
    said = [
        ("Turn on the kitchen light", "Turned on the Kitchen Light."),
        ("Is the front door locked?", "Yes, the Front door is locked."),
        ("Which windows are open?", "The Kitchen window is open."),
        ("Unlock the front door", "Should I unlock the Front door?"),
        ("Yes", "The Front door is unlocked."),
        ("Yes", None),
        ("Did I lock the front door?", "No, the Front door is unlocked."),
        ("Lock the front door", "The Front door is locked."),
        ("Turn on the desk lamp", "Which one: the Desk lamp in the Bedroom or the Desk lamp in the Office?"),
        ("the one in the office", "Turned on the Desk lamp in the Office."),
        ("Turn off the desk lamp", "Which one: the Desk lamp in the Bedroom or the Desk lamp in the Office?"),
        ("both of them please", "Turned off the Desk lamp in the Bedroom and the Desk lamp in the Office."),
    ]

    async def talk(one: Room) -> None:
        for room in ("bedroom", "office"):
            one.double.entries.append({"entity_id": f"light.{room}_desk", "area_id": room, "device_id": None})
            await one.double.change(f"light.{room}_desk", "off", friendly_name="Desk lamp")
        await one.double.fire("entity_registry_updated", {"action": "create", "entity_id": "light.office_desk"})
        things = one.home.devices._mirror.house
        await until(lambda: sum("Desk" in thing.name and thing.area is not None for thing in things().things) == 2)
        assistant, turns = Assistant(), []
        at_ms = round(one.home.now().timestamp() * 1000)
        for text, wanted in said:
            request = Request(text, "kitchen", turns=turns, rooms=("kitchen", "bedroom"))
            reply = await assistant.answer(request, one.home)
            found = await whole(reply)
            assert wanted is None or found == wanted, (text, reply.intent, found)
            turns.append(PastTurn(text, found, "kitchen", at_ms))
        assert one.called.count("lock.unlock lock.front") == 1

    in_a_room(talk)
