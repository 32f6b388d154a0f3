"""The connection to Home Assistant, against a double that speaks its protocol."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from jarvis.core.errors import (
    BadConfiguration,
    DeadlineExceeded,
    EngineFailed,
    JarvisError,
    Missing,
    NotAllowed,
    Unreachable,
)
from jarvis.home_assistant.client import HomeAssistant, Pace, Place
from jarvis.home_assistant.things import House, Thing
from jarvis.testing.waiting import until
from tests.home_assistant.double import TOKEN, HomeAssistantDouble, area, furnished, running, state

QUICK = Pace(first=0.01, longest=0.05, refused=30.0, look=0.02, house=2.0, settle=0.02, still=0.3)


def thing(house: House, entity_id: str) -> Thing:
    return next(one for one in house.things if one.entity_id == entity_id)


def is_on(one: Thing) -> bool:
    return one.state == "on"


class Settings:
    """Where it is, as somebody may change it."""

    def __init__(self, url: str | None, token: str = TOKEN) -> None:
        self.url, self.token, self.looked = url, token, 0

    async def place(self) -> Place | None:
        self.looked += 1
        if self.url == "wrong":
            raise BadConfiguration("There is no token for Home Assistant.", fix="Put one there.")
        return Place(self.url, self.token) if self.url else None


@contextlib.asynccontextmanager
async def client(settings: Settings, pace: Pace = QUICK) -> AsyncIterator[HomeAssistant]:
    one = HomeAssistant(settings.place, pace)
    running_task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        running_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running_task


def with_home(test: Callable[[HomeAssistantDouble, HomeAssistant], Any], *, pace: Pace = QUICK, **changes: Any) -> None:
    async def run() -> None:
        double = furnished()
        for name, value in changes.items():
            setattr(double, name, value)
        async with running(double), client(Settings(double.url), pace) as home:
            await until(lambda: home.component()["state"] == "ok")
            await test(double, home)

    asyncio.run(run())


def test_it_knows_things_by_name_room_and_state() -> None:
    async def told(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        house = await home.house()
        lamp = thing(house, "light.reading")
        assert lamp.names == ("Reading lamp",) and lamp.state == "on"
        assert lamp.area is not None and lamp.area.names == ("Living Room", "Lounge")
        assert lamp.area.floor == ("Downstairs",)
        assert thing(house, "switch.coffee").names == ("Coffee machine", "Espresso maker")
        ids = {one.entity_id for one in house.things}
        assert "switch.led" not in ids and "camera.yard" not in ids
        assert home.component()["detail"] == "18 things in 4 areas, Home Assistant 2026.11.2"

    with_home(told)


def test_an_old_one_without_floors_is_known_too() -> None:
    async def told(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        assert thing(await home.house(), "light.kitchen").area is not None

    with_home(told, old=True)


def test_what_has_no_form_hides_nothing_else() -> None:
    async def told(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        assert thing(await home.house(), "light.kitchen").state == "off"

    with_home(told, mode="garbage_states", areas=[None, {"area_id": 7}, area("kitchen", "Kitchen"), {"name": "x"}])


def test_a_change_at_home_is_known_at_once() -> None:
    async def changes(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        await double.change("lock.front", "unlocked")
        await until(lambda: thing(home._mirror.house(), "lock.front").state == "unlocked")
        await double.change("fan.bedroom", None)
        await until(lambda: all(one.entity_id != "fan.bedroom" for one in home._mirror.house().things))

    with_home(changes)


def test_a_change_right_behind_the_first_states_is_not_lost() -> None:
    async def unlock(double: HomeAssistantDouble) -> None:
        await double.change("lock.front", "unlocked")

    async def told(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        await until(lambda: thing(home._mirror.house(), "lock.front").state == "unlocked")

    with_home(told, after_states=unlock)


def test_a_new_name_is_learnt() -> None:
    async def renamed(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        double.areas[0] = area("kitchen", "Galley")
        await double.fire("area_registry_updated", {"action": "update", "area_id": "kitchen"})
        await until(lambda: home._mirror.house().areas[0].names == ("Galley",))

    with_home(renamed)


def test_new_names_are_not_asked_for_without_a_pause() -> None:
    async def rename(double: HomeAssistantDouble) -> None:
        await double.fire("area_registry_updated", {"action": "update", "area_id": "kitchen"})

    async def renamed(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        for _ in range(20):
            await home.act("light.toggle", [light], {}, lambda one: True)
            await rename(double)
        assert double.asked.count("config/area_registry/list") == 1

    with_home(renamed, pace=dataclasses.replace(QUICK, settle=30.0), after_states=rename)


def test_what_home_assistant_does_not_take_is_refused_in_its_words() -> None:
    async def called(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        for data in ({"colour": "red"}, {"brightness_pct": 101}):
            with pytest.raises(EngineFailed, match=next(iter(data))):
                await home.act("light.turn_on", [light], data, is_on)

    with_home(called)


def test_a_service_is_called_as_documented_and_its_effect_seen() -> None:
    async def turned(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        house = await home.act("light.turn_on", [light], {"brightness_pct": 40}, is_on)
        assert house.now(light).attributes["brightness"] == 102
        assert double.called == [
            {
                "domain": "light",
                "service": "turn_on",
                "target": {"entity_id": ["light.kitchen"]},
                "service_data": {"brightness_pct": 40},
            }
        ]

    with_home(turned)


@pytest.mark.parametrize("late", [True, False])
def test_a_device_may_report_after_the_result(late: bool) -> None:
    async def turned(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        assert (await home.act("light.turn_on", [light], {}, is_on)).now(light).state == "on"

    with_home(turned, late=late)


def test_what_did_not_happen_is_not_said_to_have() -> None:
    async def turned(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        assert (await home.act("light.turn_on", [light], {}, is_on)).now(light).state == "off"

    with_home(turned, deaf=True)


@pytest.mark.parametrize(
    ("code", "message", "error", "said"),
    [
        ("home_assistant_error", "Code required\x07", EngineFailed, "could not do it: Code required."),
        ("service_validation_error", "No such colour.", EngineFailed, "can't do that: No such colour."),
        ("unauthorized", "Unauthorized", NotAllowed, "does not allow that"),
        ("timeout", "", DeadlineExceeded, "in time"),
        ("unknown_error", "y" * 500, EngineFailed, "could not do it"),
    ],
)
def test_a_refusal_says_why(code: str, message: str, error: type[JarvisError], said: str) -> None:
    async def refused(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        with pytest.raises(error) as raised:
            await home.act("light.turn_on", [light], {}, is_on)
        assert said in str(raised.value) and len(str(raised.value)) < 250

    with_home(refused, refuses={"light.turn_on": (code, message)})


def test_many_questions_at_once_keep_their_numbers_in_order() -> None:
    async def many(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        await asyncio.gather(*(home.act("light.turn_on", [light], {}, is_on) for _ in range(30)))
        assert len(double.called) == 30

    with_home(many)


def test_while_it_is_gone_no_state_is_told_and_it_comes_back() -> None:
    async def gone(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        await double.stop()
        await until(lambda: home.component()["state"] == "degraded")
        with pytest.raises(Unreachable):
            await home.house()
        await double.change("lock.front", "unlocked")
        await double.start(int(double.url.rpartition(":")[2]))
        await until(lambda: home.component()["state"] == "ok")
        assert thing(await home.house(), "lock.front").state == "unlocked"

    with_home(gone)


def test_who_waits_for_an_answer_is_told_when_the_connection_breaks() -> None:
    async def broken(double: HomeAssistantDouble, home: HomeAssistant) -> None:
        light = thing(await home.house(), "light.kitchen")
        waiting = asyncio.create_task(home.act("light.turn_on", [light], {}, is_on))
        await until(lambda: bool(home._line and home._line._waiting))
        await double.drop()
        with pytest.raises(Unreachable):
            async with asyncio.timeout(5):
                await waiting

    with_home(broken, silent={"call_service"})


def test_nonsense_ends_the_connection_and_it_is_tried_again() -> None:
    async def run() -> None:
        double = furnished()
        double.mode = "nonsense"
        async with running(double), client(Settings(double.url)) as home:
            await until(lambda: double.attempts >= 3)
            with pytest.raises(JarvisError, match="not its protocol"):
                await home.house()
            double.mode = ""
            await until(lambda: home.component()["state"] == "ok")

    asyncio.run(run())


def test_a_wrong_token_is_shown_once_and_a_new_one_is_tried_at_once() -> None:
    async def run() -> None:
        async with running(furnished()) as double:
            settings = Settings(double.url, "wrong")
            async with client(settings) as home:
                await until(lambda: home.component()["state"] == "degraded" and home._problem is not None)
                with pytest.raises(NotAllowed, match="token"):
                    await home.house()
                assert "wrong" not in str(home.component())
                looked = settings.looked
                await until(lambda: settings.looked > looked + 3)
                assert double.attempts == 1
                settings.token = TOKEN
                await until(lambda: home.component()["state"] == "ok")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "error", "said"), [("banned", NotAllowed, "ip_bans"), ("redirect", Unreachable, "another address")]
)
def test_who_does_not_let_us_in_gets_no_token(mode: str, error: type[JarvisError], said: str) -> None:
    async def run() -> None:
        double, other = furnished(), furnished()
        double.mode = mode
        async with running(double), running(other):
            double.elsewhere = other.url
            async with client(Settings(double.url)) as home:
                await until(lambda: home._problem is not None)
                assert said in home.component()["detail"]
                assert double.attempts == other.attempts == 0

    asyncio.run(run())


def test_another_address_is_gone_to_when_the_settings_say_so() -> None:
    async def run() -> None:
        async with running(furnished()) as double, running(furnished()) as other:
            other.states["light.new"] = state("light.new", "on", "New light")
            settings = Settings(None)
            async with client(settings) as home:
                with pytest.raises(Missing):
                    await home.house()
                assert home.component()["state"] == "off"
                for url in (double.url, other.url):
                    settings.url = url
                    home.changed()
                    await until(lambda: home.component()["state"] == "ok" and double.connected + other.connected == 1)
                await until(lambda: any(one.entity_id == "light.new" for one in home._mirror.house().things))
                settings.url = "wrong"
                home.changed()
                await until(lambda: "token" in home.component()["detail"] and other.connected == 0)
                settings.url = None
                home.changed()
                await until(lambda: home.component()["state"] == "off" and other.connected == 0)

    asyncio.run(run())


@pytest.mark.parametrize(
    "url", ["wrong", "ftp://x", "http://", "homeassistant.local:8123", "http://a:b@c", "http://x:99999", "http://x:1"]
)
def test_what_cannot_be_is_said_with_what_to_do(url: str) -> None:
    async def run() -> None:
        async with client(Settings(url)) as home:
            await until(lambda: home._problem is not None)
            assert home.component()["state"] == "degraded" and home._problem is not None and home._problem.fix
            with pytest.raises(JarvisError):
                await home.house()

    asyncio.run(run())
