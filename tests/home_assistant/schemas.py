"""What Home Assistant takes: the fields of each command and service that the double knows, as its source checks them.
It refuses a field too many as it does one too few, or one out of its range."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def _between(low: float, high: float) -> Check:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _are_entities(value: Any) -> bool:
    several = value if isinstance(value, list) else [value]
    return all(isinstance(one, str) and re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", one) for one in several)


def _is_target(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"entity_id"} and _are_entities(value["entity_id"])


_LIGHT = {
    "brightness_pct?": _between(0, 100),
    "brightness_step_pct?": _between(-100, 100),
    "color_name?": lambda value: isinstance(value, str) and value.isalpha() and value.islower(),
    "color_temp_kelvin?": _between(1, 100_000),
    "transition?": _between(0, 6553),
}
_EXCLUDE = (("brightness_pct", "brightness_step_pct"), ("color_name", "color_temp_kelvin"))
_LOCK = {"code?": _is_text}
SERVICES: dict[str, dict[str, Check]] = {
    "light.turn_on": _LIGHT,
    "light.turn_off": {"transition?": _between(0, 6553)},
    "light.toggle": _LIGHT,
    "switch.turn_on": {},
    "switch.turn_off": {},
    "switch.toggle": {},
    "fan.turn_on": {"percentage?": _between(0, 100), "preset_mode?": _is_text},
    "fan.turn_off": {},
    "media_player.turn_on": {},
    "media_player.turn_off": {},
    "media_player.media_pause": {},
    "media_player.media_play": {},
    "media_player.media_stop": {},
    "media_player.media_next_track": {},
    "media_player.media_previous_track": {},
    "weather.get_forecasts": {"type": lambda value: value in ("daily", "hourly", "twice_daily")},
    "climate.turn_on": {},
    "climate.turn_off": {},
    "climate.set_temperature": {"temperature": _between(-273.15, 1_000), "hvac_mode?": _is_text},
    "cover.open_cover": {},
    "cover.close_cover": {},
    "cover.set_cover_position": {"position": _between(0, 100)},
    "cover.stop_cover": {},
    "lock.lock": _LOCK,
    "lock.unlock": _LOCK,
    "lock.open": _LOCK,
    "vacuum.start": {},
    "vacuum.return_to_base": {},
    "scene.turn_on": {"transition?": _between(0, 6553)},
    "script.turn_on": {"variables?": _is_dict},
}
ANSWERING = frozenset(["weather.get_forecasts"])
"""Services that have to be asked for their response; the others have none."""
COMMANDS: dict[str, dict[str, Check]] = {
    "subscribe_events": {"event_type?": _is_text},
    "get_states": {},
    "ping": {},
    "config/area_registry/list": {},
    "config/device_registry/list": {},
    "config/entity_registry/list": {},
    "config/floor_registry/list": {},
    "config/entity_registry/get_entries": {"entity_ids": _are_entities},
    "call_service": {
        "domain": _is_text,
        "service": _is_text,
        "service_data?": _is_dict,
        "target?": _is_target,
        "return_response?": _is_truth,
    },
}


def wrong_in(given: dict[str, Any], fields: dict[str, Check]) -> str:
    """What Home Assistant says of it; empty when it takes it."""
    known = {name.rstrip("?"): check for name, check in fields.items()}
    for name in given.keys() - known.keys():
        return f"extra keys not allowed @ data['{name}']"
    for name in fields:
        if not name.endswith("?") and name not in given:
            return f"required key not provided @ data['{name}']"
    for name, value in given.items():
        if not known[name](value):
            return f"not a valid value for dictionary value @ data['{name}']"
    for pair in _EXCLUDE:
        if given.keys() >= set(pair):
            return f"two or more values in the same group of exclusion {pair}"
    return ""
