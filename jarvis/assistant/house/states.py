"""What a thing's state means and how it is said. Pure. What Home Assistant does not know is None here, never "off":
an honest "I can't tell" begins with this."""

from __future__ import annotations

from jarvis.assistant.house.names import told, verb
from jarvis.home_assistant.things import Thing

_OPENS = frozenset(["door", "garage_door", "opening", "window", "garage"])
"""Sensors whose "on" is open."""
_SAME = {"shut": "closed", "close": "closed", "opened": "open", "running": "on", "active": "on", "playing": "on"}
_OPPOSITE = {"on": "off", "off": "on", "open": "closed", "closed": "open", "locked": "unlocked", "unlocked": "locked"}
_OFF = frozenset(["off", "idle", "standby", "docked", "returning"])
TOGGLED = (
    "light", "switch", "input_boolean", "fan", "climate", "media_player", "humidifier", "water_heater", "vacuum",
)  # fmt: skip
"""What is on or off."""


def tells(thing: Thing, state: str) -> bool:
    """Whether `state` is a word about such a thing: "locked" is for locks."""
    word = canonical(state)
    if word in ("locked", "unlocked"):
        return thing.domain == "lock" or (thing.domain == "binary_sensor" and thing.device_class == "lock")
    if word in ("open", "closed"):
        return thing.domain == "cover" or (thing.domain == "binary_sensor" and thing.device_class in _OPENS)
    if word in ("on", "off"):
        sensed = thing.domain == "binary_sensor" and thing.device_class not in (*_OPENS, "lock")
        return thing.domain in TOGGLED or sensed
    return False


def canonical(state: str) -> str:
    return _SAME.get(state, state)


def word_of(thing: Thing) -> str | None:
    """`on`, `off`, `open`, `closed`, `locked`, `unlocked`, or a word on the way such as `opening`; None when nobody
    knows."""
    if not thing.answers:
        return None
    if thing.domain == "binary_sensor":
        if thing.state not in ("on", "off"):
            return None
        if thing.device_class == "lock":
            return "unlocked" if thing.state == "on" else "locked"
        if thing.device_class in _OPENS:
            return "open" if thing.state == "on" else "closed"
        return thing.state
    if thing.domain in TOGGLED:
        return "off" if thing.state in _OFF else "on"
    if thing.domain == "lock":
        return "unlocked" if thing.state == "open" else thing.state
    return thing.state


def is_so(thing: Thing, state: str) -> bool | None:
    """Whether it is in the state that a sentence names; None when nobody knows, or it is jammed or on its way."""
    word, wanted = word_of(thing), canonical(state)
    if word == wanted:
        return True
    return False if word == _OPPOSITE.get(wanted) else None


_UNITS = {"%": "percent", "°C": "degrees", "°F": "degrees", "W": "watts", "kWh": "kilowatt hours"}
"""As a voice says them."""


def how_it_is(thing: Thing) -> str:
    """ "the front door is locked", and what is known beyond that."""
    word = word_of(thing)
    if word is None:
        return f"{told(thing)} {'do' if verb(thing) == 'are' else 'does'} not answer"
    position = thing.attributes.get("current_position")
    if thing.domain == "cover" and word == "open" and isinstance(position, (int, float)) and 0 < position < 100:
        word = f"{round(position)} percent open"
    if thing.domain == "sensor" and (unit := str(thing.attributes.get("unit_of_measurement") or "")):
        word = f"{word} {_UNITS.get(unit, unit)}"
    return f"{told(thing)} {verb(thing)} {word}"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
