"""What a plugin's hooks gave, checked before anything of it is used, and wrapped so that every later call of it goes
through the plugin's guard."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from jarvis.core.errors import BadConfiguration
from jarvis.plugins.catalogue import EVENTS
from jarvis.plugins.guard import Guard, Misfit
from jarvis.plugins.guarded_model import GuardedModel
from jarvis.plugins.kinds import (
    EngineKind,
    EngineOffer,
    FileLimits,
    FileText,
    IntentPack,
    Listener,
    ModelProvider,
    Skill,
    Tool,
    ToolContext,
)
from jarvis.plugins.schemas import fault

OWN_TOOLS = frozenset({"ask_home", "search_documents"})
"""Those of `jarvis.assistant.language.home_tools`: they come first, and another of the name would never be called."""
SKILL_S = 15.0
"""For what somebody waits to hear."""
TOOL_S = 60.0
"""Beside the deadline of whoever calls it."""
LISTENER_S = 30.0
MAX_SAID_CHARS = 8_000
"""Ten minutes of speech."""
MAX_GIFTS = 100
"""Of one kind, of one plugin."""
MAX_SCHEMA_BYTES = 16 * 1024
"""Of a tool's parameters: every prompt that offers the tool carries them."""
MAX_TEMPLATES_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOOL_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SUFFIX = re.compile(r"\.[a-z0-9.+_-]{1,20}")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*|:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class GuardedProcessor:
    """A plugin's FileProcessor, called through its guard."""

    name: str
    suffixes: frozenset[str]
    _read: Callable[[Path, FileLimits], FileText]
    _guard: Guard

    def read(self, path: Path, limits: FileLimits) -> FileText:
        return self._guard.call(f"its file processor {self.name!r}", self._read_checked, path, limits)

    def _read_checked(self, path: Path, limits: FileLimits) -> FileText:
        text = self._read(path, limits)
        if not isinstance(text, FileText):
            raise Misfit("it gave no FileText")
        return text


def checked(hook: str, given: Any, guard: Guard) -> list[Any]:
    """The things of one hook, wrapped. Raises BadConfiguration that says which is wrong, and how."""
    if not isinstance(given, list | tuple):
        raise BadConfiguration(f"{hook} gives no list.", fix="Return a list, be it empty.")
    if len(given) > MAX_GIFTS:
        raise BadConfiguration(f"{hook} gives more than {MAX_GIFTS} things.")
    return [_CHECKS[hook](one, guard) for one in given]


def _intents(pack: Any, guard: Guard) -> Any:
    _must("jarvis_intents", pack, IntentPack, _NAME)
    _is(isinstance(pack.language, str) and isinstance(pack.templates, str), f"{pack.name}: its templates are no text")
    _is(len(pack.templates.encode()) <= MAX_TEMPLATES_BYTES, f"{pack.name} has over {MAX_TEMPLATES_BYTES} bytes")
    try:
        tomllib.loads(pack.templates)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfiguration(
            f"{pack.name}: its templates are no TOML: {error}.", fix="docs/sentences.md says how they are written."
        ) from None
    _is(isinstance(pack.skills, Mapping), f"{pack.name}: its skills are no mapping")
    skills = {}
    for intent, skill in pack.skills.items():
        _is(isinstance(intent, str) and bool(_TOOL_NAME.fullmatch(intent)), f"{intent!r} is no name of an intent")
        _takes(skill, 3, f"the skill {intent!r}", awaited=True)
        skills[intent] = _waiting(guard, f"its skill {intent!r}", _saying(skill), SKILL_S)
    return dataclasses.replace(pack, skills=skills)


def _saying(skill: Skill) -> Skill:
    async def do(*about: Any) -> Any:
        done = await skill(*about)
        text = done if isinstance(done, str) else getattr(done, "text", None)
        if not isinstance(text, str) or not text.strip():
            raise Misfit("it gave nothing to say")
        if len(text) > MAX_SAID_CHARS:
            raise Misfit(f"it gave more than {MAX_SAID_CHARS} characters to say")
        return done

    return do


def _tools(tool: Any, guard: Guard) -> Any:
    _must("jarvis_tools", tool, Tool, _TOOL_NAME)
    _is(isinstance(tool.description, str) and bool(tool.description.strip()), f"{tool.name} has no description")
    _is(isinstance(tool.dangerous, bool), f"{tool.name}: dangerous is neither True nor False")
    try:
        schema = json.dumps(dict(tool.parameters))
    except (TypeError, ValueError, RecursionError):
        raise BadConfiguration(f"{tool.name}: its parameters are no JSON.") from None
    _is(len(schema) <= MAX_SCHEMA_BYTES, f"{tool.name}: its parameters have over {MAX_SCHEMA_BYTES} bytes")
    _is(tool.parameters.get("type") == "object", f"{tool.name}: its parameters are no schema of an object")
    wrong = fault(tool.parameters)
    _is(not wrong, f"{tool.name}: of its parameters, {wrong}")
    _is(tool.name not in OWN_TOOLS, f"{tool.name} is a tool that Jarvis has itself")
    _takes(tool.run, 2, f"the tool {tool.name!r}", awaited=True)

    async def run(arguments: dict[str, Any], context: ToolContext) -> str:
        found = await tool.run(arguments, context)
        if not isinstance(found, str):
            raise Misfit("it gave no text")
        return found

    return dataclasses.replace(tool, run=_waiting(guard, f"its tool {tool.name!r}", run, TOOL_S))


def _engines(offer: Any, guard: Guard) -> Any:
    _must("jarvis_engines", offer, EngineOffer, _NAME)
    _is(offer.kind in get_args(EngineKind), f"{offer.name}: there is no kind of engine called {offer.kind!r}")
    fits = isinstance(offer.target, str) and _TARGET.fullmatch(offer.target)
    _is(bool(fits), f"{offer.name}: its target is not module:factory, nor :factory for one in its own file")
    _is(isinstance(offer.settings, Mapping), f"{offer.name}: its settings are no mapping")
    return offer


def _file_processors(processor: Any, guard: Guard) -> Any:
    name, suffixes = getattr(processor, "name", None), getattr(processor, "suffixes", None)
    _is(isinstance(name, str) and bool(_NAME.fullmatch(name)), "jarvis_file_processors gives one without a name")
    fits = isinstance(suffixes, frozenset) and suffixes and all(map(_is_suffix, suffixes))
    _is(bool(fits), f"{name}: its suffixes are no frozenset of lower-case ones such as .md")
    _takes(getattr(processor, "read", None), 2, f"{name}.read", awaited=False)
    return GuardedProcessor(str(name), frozenset(suffixes or ()), processor.read, guard)


def _model_providers(provider: Any, guard: Guard) -> Any:
    _must("jarvis_model_providers", provider, ModelProvider, _NAME)
    make, what = provider.make, f"its provider {provider.name!r}"
    _takes(make, 1, f"the provider {provider.name!r}", awaited=False)
    return dataclasses.replace(provider, make=lambda settings: GuardedModel(make, settings, guard, what))


def _events(listener: Any, guard: Guard) -> Any:
    _must("jarvis_events", listener, Listener, _NAME)
    _is(isinstance(listener.events, frozenset) and bool(listener.events), f"{listener.name} listens to nothing")
    strange = sorted(map(str, listener.events - EVENTS.keys()))
    _is(not strange, f"{listener.name}: there is no event called {', '.join(strange)}")
    _takes(listener.told, 2, f"the listener {listener.name!r}", awaited=True)
    told = _waiting(guard, f"its listener {listener.name!r}", listener.told, LISTENER_S)
    return dataclasses.replace(listener, told=told)


_CHECKS: dict[str, Callable[[Any, Guard], Any]] = {
    "jarvis_intents": _intents,
    "jarvis_tools": _tools,
    "jarvis_engines": _engines,
    "jarvis_file_processors": _file_processors,
    "jarvis_model_providers": _model_providers,
    "jarvis_events": _events,
}


def _must(hook: str, given: Any, kind: type, name: re.Pattern[str]) -> None:
    _is(isinstance(given, kind), f"{hook} gives something that is no {kind.__name__}")
    _is(isinstance(given.name, str) and bool(name.fullmatch(given.name)), f"{given.name!r} is no name for it")


def _is(right: bool, otherwise: str) -> None:
    if not right:
        raise BadConfiguration(f"{otherwise}.", fix="docs/plugins.md says what each hook gives.")


def _is_suffix(suffix: Any) -> bool:
    return isinstance(suffix, str) and _SUFFIX.fullmatch(suffix) is not None


def _takes(function: Any, arguments: int, what: str, *, awaited: bool) -> None:
    """It can be called with so many."""
    _is(callable(function), f"{what} is no function")
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        _is(False, f"{what} does not take {arguments} arguments")
    except ValueError:
        return  # of something built in, whose signature nobody knows
    if awaited:
        _is(inspect.iscoroutinefunction(_plain(function)), f"{what} is no `async def`")


def _plain(function: Any) -> Any:
    """Below partials, and of an object that is called its `__call__`."""
    while hasattr(function, "func"):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _waiting(
    guard: Guard, what: str, function: Callable[..., Awaitable[Any]], deadline_s: float
) -> Callable[..., Awaitable[Any]]:
    async def call(*arguments: Any) -> Any:
        return await guard.wait(what, function, *arguments, deadline_s=deadline_s)

    return call


def names_of(hook: str, gifts: list[Any]) -> Iterator[str]:
    """By which they are told apart; no two plugins may give the same. File processors are not: one goes before the
    other."""
    if hook == "jarvis_intents":
        yield from (f"intent {intent}" for pack in gifts for intent in pack.skills)
    elif hook != "jarvis_file_processors":
        yield from (f"{KIND_OF[hook]} {gift.name}" for gift in gifts)


KIND_OF = {
    "jarvis_intents": "intents",
    "jarvis_tools": "tool",
    "jarvis_engines": "engine",
    "jarvis_file_processors": "file processor",
    "jarvis_model_providers": "model provider",
    "jarvis_events": "listener",
}
"""As people call them."""
