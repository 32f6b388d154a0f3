"""What a plugin gives: plain frozen data and protocols, a kind for each hook of `jarvis.plugins.hooks`. The built-ins
give the same. This file must stay light, since every plugin imports it, and knows nothing of who uses what is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

API = 1
"""Of the hooks and kinds; a plugin made for a newer one is refused by name."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who a plugin is. A plugin is a module with `PLUGIN = Metadata(...)`, of literals, and hook functions."""

    name: str
    """a-z, 0-9 and -; at most 32 letters. What `jarvis plugin enable` takes."""
    version: str
    summary: str
    """One line for a person."""
    api: int = API


@dataclass(frozen=True, slots=True)
class Setup:
    """What a hook may ask for."""

    settings: Mapping[str, str]
    """The configuration's `plugin.NAME.KEY` as {KEY: value}."""
    secret: Callable[[str], str] = lambda name: ""
    """The plugin's secret of that name, such as `token`, and "" when there is none. From the file that
    `JARVIS_PLUGIN_NAME_TOKEN_FILE` names, that variable without `_FILE`, or systemd's `plugin-NAME-token`; ask anew
    whenever it is needed. Raises BadConfiguration for one that cannot be."""


# --- intents ----------------------------------------------------------------------------------------------------


Skill = Callable[[Any, Any, Any], Awaitable[Any]]
"""`async def skill(match, request, home) -> Said | str`: does it, and says so in a sentence. `match` has `intent` and
`slots` (`jarvis.assistant.intents.Match`), `request` what was said and where (`jarvis.assistant.types.Request`), `home`
is what a skill may touch (`jarvis.assistant.types.Home`). With a `jarvis.assistant.skills.said.Said` it can ask back,
or close. A JarvisError that it raises is spoken."""


@dataclass(frozen=True, slots=True)
class IntentPack:
    """Sentences people say, and what is done then."""

    name: str
    language: str
    """Such as `en`."""
    templates: str
    """The text of a file of sentence templates; see docs/assistant.md."""
    skills: Mapping[str, Skill]
    """For each intent that the templates name."""


# --- tools ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a language model calls a tool."""

    text: str
    """What the person said."""
    room: str
    private: bool
    """Nothing of it may leave this node."""
    home: Any
    """What skills may touch (`jarvis.assistant.types.Home`)."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a language model may ask for by name."""

    name: str
    """a-z, 0-9 and _; at most 64 letters, as providers ask."""
    description: str
    """For the model: what it does, and when to call it."""
    parameters: Mapping[str, Any]
    """JSON schema of an object."""
    run: Callable[[dict[str, Any], ToolContext], Awaitable[str]]
    """Gets arguments that fit `parameters`; what it gives is shown to the model. May raise a JarvisError."""
    dangerous: bool = False
    """Never done before the person has said yes."""


# --- engines and language models ----------------------------------------------------------------------------------


EngineKind = Literal["stt", "tts"]
"""Those of which a node asks one after the other."""


@dataclass(frozen=True, slots=True)
class EngineOffer:
    """A model in a worker process of its own (see `jarvis.engines.worker`)."""

    name: str
    kind: EngineKind
    target: str
    """`module:factory`, importable in the worker, or `:factory` of the plugin's own file; its methods are those of the
    built-in engine of that kind."""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """Somewhere language models are asked, such as a server's API."""

    name: str
    """As people see it, such as `ollama`."""
    make: Callable[[Mapping[str, str]], Any]
    """Gives a `jarvis.assistant.language.model.LanguageModel` for this provider's settings; opens no connection yet."""


# --- files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may cost; a processor refuses by InvalidInput, naming the limit, before it holds more."""

    max_bytes: int = 64 * 1024 * 1024
    """On disk. A book with pictures has 20 MiB."""
    max_unpacked_bytes: int = 256 * 1024 * 1024
    """Of everything inside a file that is packed, such as docx."""
    max_chars: int = 8_000_000
    """Of text: eight thick books."""
    max_parts: int = 100_000
    max_pages: int = 5_000
    max_depth: int = 200
    """Of what stands in one another, such as elements of HTML."""
    max_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Part:
    text: str
    place: str
    """For a person who looks it up: "page 3", "lines 10-20", "Chapter > Section"."""
    kind: Literal["heading", "text", "code", "table"] = "text"


@dataclass(frozen=True, slots=True)
class FileText:
    title: str
    parts: list[Part]
    """In the order of the file."""


class FileProcessor(Protocol):
    """Makes text with places of a file. It reads that file and nothing else, and is run away from the event loop."""

    @property
    def name(self) -> str: ...
    @property
    def suffixes(self) -> frozenset[str]:
        """Lower case, with the dot: `.md`."""

    def read(self, path: Path, limits: FileLimits) -> FileText:
        """Raises InvalidInput for what is no such file, or past a limit; Missing for a library that is absent."""
        ...


# --- events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listener:
    """Is told what happens, after it has happened; it can neither change nor delay it."""

    name: str
    events: frozenset[str]
    """Names of `jarvis.plugins.catalogue`."""
    told: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    """Gets an event's name and its fields, one event after the other."""
