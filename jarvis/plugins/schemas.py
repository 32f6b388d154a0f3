"""Whether a tool's JSON schema says only what is looked at before the tool is called
(`jarvis.assistant.language.schema`): a rule that nobody keeps is worse than none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_LOOKED_AT = frozenset(
    "type properties required additionalProperties items enum minimum maximum minLength maxLength".split()  # noqa: SIM905
)
_FOR_READERS = frozenset("title description default examples".split())  # noqa: SIM905


def fault(schema: Any, where: str = "it", depth: int = 0) -> str:
    """What is wrong with it; "" for nothing."""
    if not isinstance(schema, Mapping):
        return f"{where} is no schema"
    if depth > MAX_DEPTH:
        return f"{where} is too deep"
    unknown = sorted(map(str, schema.keys() - _LOOKED_AT - _FOR_READERS))
    if unknown:
        return f"{where} has {unknown[0]!r}, which is not looked at"
    named = schema.get("type", [])
    types = [named] if isinstance(named, str) else named
    if not isinstance(types, list) or not TYPES.issuperset(map(str, types)):
        return f"{where} has a type that is none"
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not isinstance(required, list | tuple) or not all(isinstance(one, str) for one in required):
        return f"{where} requires something else than a list of names"
    if not isinstance(properties, Mapping):
        return f"{where} has properties that are no mapping"
    if not isinstance(schema.get("enum", []), list | tuple) or not isinstance(
        schema.get("additionalProperties", True), bool
    ):
        return f"{where} has an enum that is no list, or additionalProperties that is neither True nor False"
    for bound in ("minimum", "maximum", "minLength", "maxLength"):
        if not isinstance(schema.get(bound, 0), int | float):
            return f"{where} has a {bound} that is no number"
    inside = [*properties.items(), *([(f"a part of {where}", schema["items"])] if "items" in schema else [])]
    return next(filter(None, (fault(one, str(name), depth + 1) for name, one in inside)), "")
