"""openapi.json, made from the table of routes and nothing else, so that it cannot promise what is not served."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jarvis import __version__
from jarvis.api import streams
from jarvis.api.problems import CONTENT_TYPE
from jarvis.api.route import Fields, Route

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "fix", "retry"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, in one sentence."},
        "fix": {"type": "string", "description": "What to do now; empty when nothing can be done."},
        "retry": {"type": "boolean", "description": "Whether the same request can succeed later."},
    },
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Jarvis", "version": __version__, "description": "One node of a home, on loopback."},
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "responses": {
            "200": {"description": "Done.", "content": {_content_type(route): {"schema": _answer(route)}}},
            "default": {
                "description": "It could not be done.",
                "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    parameters = [*_path_parameters(route), *_query_parameters(route.query)]
    if parameters:
        operation["parameters"] = parameters
    if route.audio:
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": schema}}}
    elif route.body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": _schema(route.body)}}}
    if route.open:
        operation["security"] = []
    return operation


def _content_type(route: Route) -> str:
    return streams.CONTENT_TYPE if route.streams else "application/json"


def _answer(route: Route) -> dict[str, Any]:
    one = {"type": "object", "required": list(route.gives), "properties": {name: {} for name in route.gives}}
    return {"type": "array", "items": one} if route.many else one


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(model: type[Fields]) -> list[dict[str, Any]]:
    schema = _schema(model)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": rest}
        for name, rest in schema.get("properties", {}).items()
    ]


def _schema(model: type[Fields]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema
