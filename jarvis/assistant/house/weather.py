"""The weather at home, now and on the days that are forecast, as the home's own weather service tells it. What is
forecast is said to be; what it does not know, another place or a day too far, is said too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from jarvis.assistant.house.states import sentence
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.questions import NO_WEATHER
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.days import date_of
from jarvis.core.errors import JarvisError, Missing
from jarvis.home_assistant.things import DayForecast

ONLY_HERE = "I can't tell: I only know the weather at home."
TOO_FAR = "I can't tell: the forecast does not go that far."
LIKELY_PERCENT = 50
_SAID = {
    "clear-night": "clear", "cloudy": "cloudy", "exceptional": "exceptional", "fog": "foggy", "hail": "hailing",
    "lightning": "thundery", "lightning-rainy": "thundery and raining", "partlycloudy": "partly cloudy",
    "pouring": "pouring", "rainy": "raining", "snowy": "snowing", "snowy-rainy": "raining and snowing",
    "sunny": "sunny", "windy": "windy", "windy-variant": "windy and cloudy",
}  # fmt: skip
_FORECAST = {"hailing": "hail", "thundery and raining": "thunder and rain", "pouring": "heavy rain", "raining": "rain",
             "snowing": "snow", "raining and snowing": "rain and snow", "foggy": "fog"}  # fmt: skip
_FALLS = {
    "rain": ("rainy", "pouring", "lightning-rainy", "snowy-rainy", "hail"),
    "snow": ("snowy", "snowy-rainy"),
    "wind": ("windy", "windy-variant"),
}


async def weather(match: Match, request: Request, home: Home) -> Said:
    try:
        return await _weather(match, home)
    except Missing:
        return Said(NO_WEATHER)
    except JarvisError as error:
        return Said(f"I can't tell: {error}")


async def _weather(match: Match, home: Home) -> Said:
    if match.slots.get("place"):
        return Said(ONLY_HERE)
    house = await home.devices.house()
    services = [thing for thing in house.things if thing.domain == "weather" and thing.answers]
    if not services:
        return Said(NO_WEATHER)
    aspect, day = str(match.slots.get("aspect", "")), str(match.slots.get("day", ""))
    service = services[0]
    if not day:
        degrees = service.attributes.get("temperature")
        return Said(_now(service.state, degrees if isinstance(degrees, (int, float)) else None, aspect))
    if not home.clock_is_set:
        return Said("I can't tell: the clock of this device has not been set.")
    wanted = _days(day, home.now())
    forecast = await home.devices.forecast(service)
    found = [one for one in forecast if one.at.astimezone(home.now().tzinfo).date() in wanted]
    if not found:
        return Said(TOO_FAR)
    return Said(" ".join(_then(one, one.at.astimezone(home.now().tzinfo).date(), home.now(), aspect) for one in found))


def _now(condition: str, degrees: float | None, aspect: str) -> str:
    sky = _SAID.get(condition, condition)
    warm = f"{degrees:g} degrees" if degrees is not None else ""
    if aspect == "temperature":
        return f"It is {warm} outside." if warm else "I can't tell: the weather service tells no temperature."
    if aspect in _FALLS:
        falling = condition in _FALLS[aspect]
        return f"{'Yes' if falling else 'No'}, it is {sky}."
    return f"It is {sky}{f' and {warm}' if warm else ''} outside."


def _then(one: DayForecast, day: date, now: datetime, aspect: str) -> str:
    when = {0: "today", 1: "tomorrow"}.get((day - now.date()).days, f"on {day:%A}")
    sky = _SAID.get(one.condition, one.condition)
    facts = [f"{_FORECAST.get(sky, sky)} is forecast" if sky in _FORECAST else f"it will be {sky}"] if sky else []
    if one.low is not None and one.high is not None:
        facts.append(f"between {one.low:g} and {one.high:g} degrees")
    elif one.high is not None:
        facts.append(f"up to {one.high:g} degrees")
    if one.rain_percent is not None and aspect in ("", "rain", "snow"):
        facts.append(f"{one.rain_percent:g} percent chance of rain or snow")
    answer = ""
    if aspect in _FALLS:
        likely = aspect == "rain" and (one.rain_percent or 0) >= LIKELY_PERCENT and "snow" not in one.condition
        answer = "probably: " if one.condition in _FALLS[aspect] or likely else "probably not: "
    return sentence(f"{when}, {answer}{', '.join(facts)}" if facts else f"I can't tell what it will be like {when}")


def _days(day: str, now: datetime) -> Sequence[date]:
    today = now.date()
    if day == "week":
        return [today + timedelta(days=ahead) for ahead in range(1, 5)]
    if day == "weekend":
        saturday = today + timedelta(days=(5 - today.weekday()) % 7 if today.weekday() != 6 else -1)
        return [one for one in (saturday, saturday + timedelta(days=1)) if one >= today]
    found = date_of("today" if day == "tonight" else day, now)
    return [] if found is None else [found]
