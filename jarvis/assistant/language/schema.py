"""Whether what a language model wrote fits a tool's JSON schema: the part of the standard that describes arguments
(type, properties, required, additionalProperties, items, enum, minimum, maximum, minLength, maxLength). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
"""Of things within things; arguments have two."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def misfit(value: Any, schema: Mapping[str, Any], where: str = "it", depth: int = 0) -> str:
    """What does not fit, in words for the model; "" when it fits."""
    if depth > MAX_DEPTH:
        return f"{where} is too deep"
    named = schema.get("type")
    wanted = [named] if isinstance(named, str) else list(named or ())
    if wanted and not any(_is(value, one) for one in wanted):
        return f"{where} is not of type {' or '.join(map(str, wanted))}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, str):
        return _outside(len(value), schema.get("minLength"), schema.get("maxLength"), f"the length of {where}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _outside(value, schema.get("minimum"), schema.get("maximum"), where)
    if isinstance(value, list):
        items = schema.get("items", {})
        return next(filter(None, (misfit(one, items, f"a part of {where}", depth + 1) for one in value)), "")
    return _of_object(value, schema, where, depth) if isinstance(value, dict) else ""


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], where: str, depth: int) -> str:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            return f"{name} is missing"
    for name, one in value.items():
        if name in properties:
            if wrong := misfit(one, properties[name], name, depth + 1):
                return wrong
        elif schema.get("additionalProperties") is False:
            return f"there is no {name}"
    return ""


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, ()))


def _outside(value: float, least: float | None, most: float | None, where: str) -> str:
    if least is not None and value < least:
        return f"{where} is less than {least}"
    return f"{where} is more than {most}" if most is not None and value > most else ""
