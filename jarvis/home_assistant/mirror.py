"""Home Assistant's registries and states, as far as somebody may speak of them: takes its answers and events, gives a
`House`. Pure. What has not the form that Home Assistant documents is left out, never an error: one odd integration
must not hide the rest of the home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jarvis.home_assistant.things import Area, House, Thing

DOMAINS = frozenset(
    [
        "binary_sensor", "climate", "cover", "fan", "humidifier", "input_boolean", "light", "lock", "media_player",
        "scene", "script", "sensor", "switch", "vacuum", "water_heater",
        "weather",
    ]
)  # fmt: skip
"""Those that a sentence can be about."""
KEPT = (
    "friendly_name", "device_class", "unit_of_measurement", "brightness", "current_position", "current_temperature",
    "temperature", "hvac_action", "percentage", "volume_level", "supported_color_modes",
    "media_title", "media_artist",
)  # fmt: skip
"""Attributes that are spoken of; others may be large, such as a camera's or a playlist's."""
MAX_THINGS = 20_000
"""Ten times a large home."""
MAX_TEXT = 255
"""Home Assistant's own bound of a state, in characters."""


class Mirror:
    def __init__(self) -> None:
        self._floors: dict[str, tuple[str, ...]] = {}
        self._areas: dict[str, Area] = {}
        self._device_areas: dict[str, str] = {}
        self._device_names: dict[str, str] = {}
        self._entries: dict[str, Mapping[str, Any]] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._states: dict[str, Mapping[str, Any]] = {}
        self._things: dict[str, Thing | None] = {}
        """As far as they were made since they changed; None for what is not spoken of."""

    def take_floors(self, result: Any) -> None:
        """Of `config/floor_registry/list`; before the areas."""
        self._floors = {_text(row.get("floor_id")): _called(row) for row in _rows(result)}

    def take_areas(self, result: Any) -> None:
        """Of `config/area_registry/list`."""
        self._things = {}
        self._areas = {
            _text(row.get("area_id")): Area(
                _called(row),
                self._floors.get(_text(row.get("floor_id")), ()),
                _text(row.get("temperature_entity_id")),
            )
            for row in _rows(result)
            if _called(row)
        }

    def take_devices(self, result: Any) -> None:
        """Of `config/device_registry/list`."""
        self._things = {}
        rows = {_text(row.get("id")): row for row in _rows(result)}
        self._device_areas = {one: _text(row.get("area_id")) for one, row in rows.items()}
        self._device_names = {
            one: _text(row.get("name_by_user")) or _text(row.get("name")) for one, row in rows.items()
        }

    def take_entities(self, result: Any) -> None:
        """Of `config/entity_registry/list`."""
        self._things = {}
        self._entries = {row["entity_id"]: row for row in _rows(result) if _spoken_of(row.get("entity_id"))}

    def take_aliases(self, result: Any) -> None:
        """Of `config/entity_registry/get_entries`, which alone has them."""
        self._things = {}
        rows = result if isinstance(result, dict) else {}
        self._aliases = {one: _texts(row.get("aliases")) for one, row in rows.items() if isinstance(row, dict)}

    def take_states(self, result: Any) -> None:
        """Of `get_states`: all there are."""
        self._things = {}
        self._states = {}
        for row in _rows(result):
            self._put(row.get("entity_id"), row)

    def state_changed(self, event: Any) -> None:
        """One `state_changed` event; without a new state the thing is gone."""
        data = event.get("data") if isinstance(event, dict) else None
        if isinstance(data, dict):
            self._put(data.get("entity_id"), data.get("new_state"))

    def _put(self, entity_id: Any, row: Any) -> None:
        if not _spoken_of(entity_id):
            return
        self._things.pop(entity_id, None)
        if not isinstance(row, dict):
            self._states.pop(entity_id, None)
        elif entity_id in self._states or len(self._states) < MAX_THINGS:
            attributes = row.get("attributes")
            known = attributes if isinstance(attributes, dict) else {}
            self._states[entity_id] = {
                "state": _text(row.get("state")),
                "attributes": {key: known[key] for key in KEPT if _is_small(known.get(key))},
            }

    def entity_ids(self) -> list[str]:
        """Of those that the registry knows and that may be spoken of."""
        return [one for one, entry in self._entries.items() if not _is_aside(entry)]

    def house(self) -> House:
        for entity_id in self._states.keys() - self._things.keys():
            self._things[entity_id] = self._thing(entity_id)
        found = (self._things[entity_id] for entity_id in self._states)
        return House(tuple(thing for thing in found if thing is not None), tuple(self._areas.values()))

    def _thing(self, entity_id: str) -> Thing | None:
        entry, state = self._entries.get(entity_id, {}), self._states[entity_id]
        if _is_aside(entry):
            return None
        device = _text(entry.get("device_id"))
        area = self._areas.get(_text(entry.get("area_id")) or self._device_areas.get(device, ""))
        return Thing(entity_id, tuple(dict.fromkeys(self._names(entity_id, state))), area, **state)

    def _names(self, entity_id: str, state: Mapping[str, Any]) -> Iterator[str]:
        entry = self._entries.get(entity_id, {})
        friendly = _text(state["attributes"].get("friendly_name"))
        given = (friendly, _text(entry.get("name")), *self._aliases.get(entity_id, ()))
        yield from filter(None, given)
        if device := self._device_names.get(_text(entry.get("device_id"))):
            yield device
        if not any(given):
            yield entity_id.partition(".")[2].replace("_", " ")


def _rows(result: Any) -> list[dict[str, Any]]:
    return [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []


def _called(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, [_text(row.get("name")), *_texts(row.get("aliases"))]))


def _text(value: Any) -> str:
    return " ".join(value[:MAX_TEXT].split()) if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value))) if isinstance(value, list) else ()


def _spoken_of(entity_id: Any) -> bool:
    if not isinstance(entity_id, str) or len(entity_id) > MAX_TEXT:
        return False
    domain, _, own = entity_id.partition(".")
    return domain in DOMAINS and bool(own.replace("_", " ").strip())


def _is_aside(entry: Mapping[str, Any]) -> bool:
    """Switched off or hidden in Home Assistant, or a device's own setting, such as its status light."""
    return any(entry.get(key) for key in ("disabled_by", "hidden_by", "entity_category"))


def _is_small(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 16 and all(isinstance(one, str) and len(one) <= MAX_TEXT for one in value)
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= MAX_TEXT)
