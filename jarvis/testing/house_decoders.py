"""What a Home Assistant sends, as a target for `fuzzing`: whatever is understood goes on into the mirror of the home,
which must bear it in any order, and stay within its bounds."""

from __future__ import annotations

import json
from typing import Any

from jarvis.core.errors import InvalidBytes
from jarvis.home_assistant.forecast import MAX_DAYS, day_forecasts
from jarvis.home_assistant.mirror import DOMAINS, MAX_TEXT, Mirror
from jarvis.home_assistant.wire import messages, refusal
from jarvis.testing.fuzzing import Target

WEATHER = "weather.home"
MAX_SENTENCE_CHARS = 250
LAMP = {
    "entity_id": "light.desk",
    "state": "on",
    "attributes": {"friendly_name": "Desk lamp", "brightness": 128, "supported_color_modes": ["hs"]},
}
ENTRY = {"entity_id": "light.desk", "area_id": None, "device_id": "d1", "name": None, "hidden_by": None}
DAY = {"datetime": "2026-11-22T11:00:00+00:00", "condition": "rainy", "temperature": 9, "templow": 4.5}


def _taken(data: bytes) -> None:
    try:
        found = messages(data.decode())
    except UnicodeDecodeError:
        raise InvalidBytes("It is no text.") from None
    mirror = Mirror()
    for message in found:
        result = message.get("result")
        for take in (mirror.take_states, mirror.take_floors, mirror.take_areas, mirror.take_devices):
            take(result)
        for take in (mirror.take_entities, mirror.take_aliases):
            take(result)
        mirror.state_changed(message.get("event"))
        mirror.entity_ids()
        assert len(str(refusal(message.get("error")))) <= MAX_SENTENCE_CHARS
        assert len(day_forecasts(result, WEATHER)) <= MAX_DAYS
        for thing in mirror.house().things:
            assert thing.domain in DOMAINS and 0 < len(thing.name) <= MAX_TEXT and len(thing.state) <= MAX_TEXT


def _examples() -> list[bytes]:
    event = {"event_type": "state_changed", "data": {"entity_id": "light.desk", "old_state": None, "new_state": LAMP}}
    error = {"code": "home_assistant_error", "message": "The bridge is offline"}
    results: list[Any] = [
        [LAMP, {**LAMP, "entity_id": WEATHER, "state": "sunny", "attributes": {"temperature": 7.5}}],
        [{"area_id": "office", "name": "Office", "aliases": ["Study"], "floor_id": "upper"}],
        [{"floor_id": "upper", "name": "Upstairs", "aliases": []}],
        [{"id": "d1", "name": "Lamp", "name_by_user": "My lamp", "area_id": "office"}],
        [ENTRY],
        {"light.desk": {**ENTRY, "aliases": ["Work light"]}},
        {"context": {"id": "1"}, "response": {WEATHER: {"forecast": [DAY]}}},
    ]
    said: list[Any] = [{"id": 1, "type": "result", "success": True, "result": result} for result in results]
    said += [{"id": 2, "type": "event", "event": event}, {"id": 3, "type": "result", "success": False, "error": error}]
    said += [{"type": "auth_required", "ha_version": "2026.11.2"}, [*said[:2], said[7]]]
    return [json.dumps(one).encode() for one in said]


def house_targets() -> list[Target]:
    return [Target("home-assistant", _taken, _examples)]
