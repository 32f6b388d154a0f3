"""Players and the weather, with a double of Home Assistant behind."""

from __future__ import annotations

from typing import Any

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.home_assistant.forecast import day_forecasts
from jarvis.home_assistant.things import DayForecast
from tests.assistant.homes import MemoryHome, request, whole
from tests.home_assistant.double import HomeAssistantDouble, state
from tests.home_assistant.test_client import with_home

PLAYER = "media_player.set"
# The home's clock says 21 November 2026, a Saturday, 15:07 an hour ahead of UTC.
FORECAST = [
    {"datetime": "2026-11-21T11:00:00+00:00", "condition": "cloudy", "temperature": 8.0, "templow": 2.5},
    {
        "datetime": "2026-11-21T23:30:00+00:00",
        "condition": "rainy",
        "temperature": 9,
        "templow": 4,
        "precipitation_probability": 80,
    },
    {"datetime": "2026-11-23T11:00:00+00:00", "condition": "snowy", "temperature": 1, "precipitation_probability": 60},
    {"datetime": "2026-11-24T11:00:00", "condition": "sunny", "temperature": 5, "templow": -3},
    {"datetime": "soon", "condition": 7},
    "nonsense",
]


def said(text: str, *, room: str = "kitchen", called: list[str] | None = None, **changes: Any) -> str:
    """What is answered to `text`; in `called` which services were called."""
    found: list[str] = []

    async def talk(double: HomeAssistantDouble, devices: Any) -> None:
        reply = await Assistant().answer(request(text, room=room), MemoryHome(devices=devices))
        found.append(await whole(reply))
        if called is not None:
            called.extend(f"{one['service']} {' '.join(one['target']['entity_id'])}" for one in double.called)

    with_home(talk, **changes)
    return found[0]


def home_with(*more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["entity_id"]: one for one in more}


SUNNY = state("weather.home", "sunny", "Forecast Home", temperature=7.5)
PLAYING = state(PLAYER, "playing", "TV", media_title="Yesterday", media_artist="The Beatles")


@pytest.mark.parametrize(
    ("text", "answer", "service"),
    [
        ("Pause the music", "Paused the TV.", "media_pause"),
        ("Stop the music", "Stopped the TV.", "media_stop"),
        ("Next song", "Skipped on the TV.", "media_next_track"),
        ("Previous song", "Skipped back on the TV.", "media_previous_track"),
        ("What's playing?", "It's “Yesterday” by The Beatles, on the TV.", ""),
        ("Resume the music", "Nothing is paused.", ""),
        ("Play some jazz", "I can't choose music. I can go on with what was paused.", ""),
        ("Pause the TV", "Paused the TV.", "media_pause"),
        ("Next on the TV", "Skipped on the TV.", "media_next_track"),
        ("Pause the stereo", "There is no music player here that I could control.", ""),
        ("Pause the music in the cellar", "I don't know a room called cellar.", ""),
    ],
)
def test_keys_of_a_player(text: str, answer: str, service: str) -> None:
    called: list[str] = []
    assert said(text, called=called, states=home_with(PLAYING)) == answer
    assert called == ([f"{service} {PLAYER}"] if service else [])


def test_what_a_sensor_says_has_its_unit() -> None:
    outside = state("sensor.outdoor_humidity", "64", "Outdoor humidity", unit_of_measurement="%")
    assert said("What is the outdoor humidity?", states=home_with(outside)) == "The Outdoor humidity is 64 percent."
    assert said("What is the value of outdoor humidity?", states=home_with(outside)).endswith("is 64 percent.")
    assert said("What is the air quality?", states=home_with(outside)) == "I don't know a device called air quality."


def test_what_was_paused_goes_on_and_of_several_it_is_asked_which() -> None:
    paused = state(PLAYER, "paused", "TV"), state("media_player.radio", "paused", "Radio")
    assert said("Resume the music", states=home_with(*paused)) == "Which one: the TV or the Radio?"
    assert said("Resume the TV", states=home_with(*paused)) == "Resumed the TV."
    assert said("Resume the music", states=home_with(paused[0])) == "Resumed the TV."
    assert said("Resume the music", deaf=True, states=home_with(paused[0])).startswith("I asked the TV to go on, but")
    assert said("Resume the music", states={}) == "There is no music player here that I could control."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What's the weather?", "It is sunny and 7.5 degrees outside."),
        ("Is it raining?", "No, it is sunny."),
        ("How cold is it outside?", "It is 7.5 degrees outside."),
        ("What's the weather today?", "Today, it will be cloudy, between 2.5 and 8 degrees."),
        ("What's the weather tomorrow?",
         "Tomorrow, rain is forecast, between 4 and 9 degrees, 80 percent chance of rain or snow."),
        ("Will it rain tomorrow?",
         "Tomorrow, probably: rain is forecast, between 4 and 9 degrees, 80 percent chance of rain or snow."),
        ("Will it rain today?", "Today, probably not: it will be cloudy, between 2.5 and 8 degrees."),
        ("Will it snow on Monday?",
         "On Monday, probably: snow is forecast, up to 1 degrees, 60 percent chance of rain or snow."),
        ("Will it rain on Monday?",
         "On Monday, probably not: snow is forecast, up to 1 degrees, 60 percent chance of rain or snow."),
        ("What's the weather on Friday?", "I can't tell: the forecast does not go that far."),
        ("What's the weather in Berlin?", "I can't tell: I only know the weather at home."),
    ],
)  # fmt: skip
def test_the_weather_is_the_homes_own(text: str, answer: str) -> None:
    assert said(text, states=home_with(SUNNY), forecast=FORECAST) == answer


def test_a_weekend_is_what_is_left_of_it() -> None:
    told = said("What's the weather this weekend?", states=home_with(SUNNY), forecast=FORECAST)
    assert told.startswith("Today, it will be cloudy") and "Tomorrow, rain is forecast" in told and "Monday" not in told


def test_what_the_weather_service_does_not_know_is_said() -> None:
    assert said("What's the weather?", states={}) == "I can't tell: nothing here knows the weather."
    silent = state("weather.home", "unavailable", "Forecast Home")
    assert said("What's the weather?", states=home_with(silent)) == "I can't tell: nothing here knows the weather."
    cannot = {"weather.get_forecasts": ("service_validation_error", "Weather entity does not support daily forecast")}
    told = said("Will it rain tomorrow?", states=home_with(SUNNY), refuses=cannot)
    assert told == "I can't tell: Home Assistant can't do that: Weather entity does not support daily forecast."


@pytest.mark.parametrize("result", [None, 7, {}, {"response": []}, {"response": {"w": {"forecast": {"a": 1}}}}])
def test_a_forecast_without_its_form_is_none(result: Any) -> None:
    assert day_forecasts(result, "w") == []


def test_numbers_of_a_forecast_are_numbers() -> None:
    row = {"datetime": "2026-11-21T11:00:00+00:00", "temperature": True, "templow": float("inf"), "condition": "x" * 99}
    (day,) = day_forecasts({"response": {"w": {"forecast": [row]}}}, "w")
    assert (day.high, day.low, len(day.condition)) == (None, None, 40) and isinstance(day, DayForecast)
