"""What is done with lights when somebody says so: brightness and colour. A bulb that cannot do it is not asked to:
Home Assistant would drop what it cannot do and call it done."""

from __future__ import annotations

from collections.abc import Sequence

from jarvis.assistant.house.doing import Call, carry_out, named
from jarvis.assistant.house.names import Unclear, plain
from jarvis.assistant.house.skills import meant, turn_off
from jarvis.assistant.house.states import sentence
from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.home_assistant.things import Thing

STEP_PERCENT = 20
DARKEST_PERCENT = 5
_BRIGHT = ("brightness", "color_temp", "hs", "rgb", "rgbw", "rgbww", "xy", "white")
_COLOURED = ("hs", "rgb", "rgbw", "rgbww", "xy")
_WHITES = {"warm white": 2700, "warm": 2700, "white": 4000, "cool white": 5500, "cold white": 5500, "daylight": 6500}
"""In kelvin."""


async def set_light(match: Match, request: Request, home: Home) -> Said:
    house = await home.devices.house()
    lights = meant(match, request, house, _is_light)
    percent, color = match.slots.get("percent"), match.slots.get("color")
    if color is not None:
        return await _color(home, lights, str(color))
    wanted = max(0, min(100, round(float(percent if percent is not None else 100))))
    if wanted == 0:
        return await turn_off(match, request, home)
    call = Call("light.turn_on", _able(lights, _BRIGHT, "cannot be dimmed"), {"brightness_pct": wanted})
    said, doing = f"set {{}} to {wanted} percent", f"go to {wanted} percent"
    return await carry_out(home, [call], lambda one: _shines(one, wanted), said, doing)


async def _color(home: Home, lights: Sequence[Thing], color: str) -> Said:
    kelvin = _WHITES.get(plain(color))
    if kelvin is not None:
        able = _able(lights, (*_COLOURED, "color_temp"), "has only one white")
        call = Call("light.turn_on", able, {"color_temp_kelvin": kelvin})
    else:
        able = _able(lights, _COLOURED, "has no colours")
        call = Call("light.turn_on", able, {"color_name": plain(color).replace(" ", "")})
    return await carry_out(home, [call], lambda one: one.state == "on", f"turned {{}} {color}", f"turn {color}")


async def dim(match: Match, request: Request, home: Home) -> Said:
    return await _step(match, request, home, -STEP_PERCENT)


async def brighten(match: Match, request: Request, home: Home) -> Said:
    return await _step(match, request, home, STEP_PERCENT)


async def _step(match: Match, request: Request, home: Home, step: int) -> Said:
    """Each from where it is; a light that is off stays off, and none is dimmed until it is."""
    lights = meant(match, request, await home.devices.house(), _is_light)
    lit = [one for one in lights if one.state == "on"]
    if not lit:
        return Said(sentence(f"{named(lights)} {'are' if len(lights) > 1 else 'is'} off"))
    lit = _able(lit, _BRIGHT, "cannot be dimmed")
    wanted = {one.entity_id: max(DARKEST_PERCENT, min(100, (_percent(one) or 50) + step)) for one in lit}
    moving = [one for one in lit if _percent(one) != wanted[one.entity_id]]
    if not moving:
        return Said(sentence(f"{named(lit)} can't go any {'lower' if step < 0 else 'brighter'}"))
    calls = [
        Call("light.turn_on", [one for one in moving if wanted[one.entity_id] == percent], {"brightness_pct": percent})
        for percent in sorted({wanted[one.entity_id] for one in moving})
    ]
    said, doing = ("dimmed", "dim") if step < 0 else ("brightened", "brighten")
    return await carry_out(home, calls, lambda one: _shines(one, wanted[one.entity_id]), said, doing)


def _able(lights: Sequence[Thing], modes: Sequence[str], cannot: str) -> list[Thing]:
    """Those that can do it, as far as they say what they can. Raises Unclear for none."""
    able = [
        one for one in lights if not (said := one.attributes.get("supported_color_modes")) or set(said) & set(modes)
    ]
    if not able:
        raise Unclear(sentence(f"{named(lights)} {cannot}"))
    return able


def _percent(light: Thing) -> int:
    """How bright it is; Home Assistant counts to 255. 0 when it is off, or does not say."""
    value = light.attributes.get("brightness")
    return round(value / 2.55) if isinstance(value, (int, float)) else 0


def _shines(light: Thing, percent: int) -> bool:
    """Bulbs round in their own ways."""
    return light.state == "on" and abs(_percent(light) - percent) <= 2


def _is_light(thing: Thing) -> bool:
    return thing.domain == "light"
