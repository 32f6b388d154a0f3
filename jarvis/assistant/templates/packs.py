"""A file of sentence templates: TOML with a language, rules, lists of values, names by their last words, and for each
intent its sentences. Reads and checks; a fault raises InvalidInput that names the file and what is wrong. The format is
told in docs/sentences.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jarvis.core.errors import InvalidInput

MAX_CHARS = 200_000
"""Of one file; all of ours together have a quarter of that."""
MAX_SENTENCES = 2_000

_Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Strict):
    said: _Text = Field(alias="in")
    """A template without slots."""
    out: str | int | bool
    """What the slot holds."""


class Text(_Strict):
    """Any words up to the end, as they were said."""

    never_first: _Text
    """Words, as a template, with one of which it cannot begin."""
    may_ask: bool = True
    """Whether it may have a question mark."""


class Sentences(_Strict):
    """Ways of saying one thing."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """Of the intent."""
    sentences: Annotated[list[_Text], Field(min_length=1, max_length=500)]
    slots: dict[str, str | int | bool] = {}
    """What is meant by saying it so."""
    needs: list[str] = []
    """Slots that are asked for when they were not said."""
    open: bool = False
    """However it ends, more may follow."""
    exact: bool = False
    """No word of it may have been misheard: what is dictated, and what a mere number would complete."""
    without: str = ""
    """Words, as a template, of which one makes it something else."""
    reply: str = ""
    """What is said then, for an intent that no code knows; `{slot}` stands for what filled it."""


class _File(_Strict):
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    rules: dict[str, _Text] = {}
    lists: dict[str, list[_Text | Value]] = {}
    ends: dict[str, list[_Text]] = {}
    texts: dict[str, Text] = {}
    heard: dict[str, list[_Text]] = {}
    hint: Annotated[str, Field(max_length=1_000)] = ""
    intent: Annotated[list[Sentences], Field(max_length=500)] = []


@dataclass(frozen=True)
class Pack:
    """What one file says."""

    name: str
    language: str
    rules: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, list[str | Value]] = field(default_factory=dict)
    ends: Mapping[str, list[str]] = field(default_factory=dict)
    """Kind: the words that such names end in."""
    texts: Mapping[str, Text] = field(default_factory=dict)
    heard: Mapping[str, list[str]] = field(default_factory=dict)
    """Word: what recognisers write for it."""
    intents: tuple[Sentences, ...] = ()
    hint: str = ""
    """Sentences as they are said and written, for a recogniser that is in doubt."""


def read(name: str, text: str) -> Pack:
    """The pack called `name`."""
    if len(text) > MAX_CHARS:
        raise _fault(name, f"it has more than {MAX_CHARS} characters")
    try:
        parsed: dict[str, Any] = tomllib.loads(text)
        file = _File.model_validate(parsed)
    except tomllib.TOMLDecodeError as error:
        raise _fault(name, str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _fault(name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if sum(len(one.sentences) for one in file.intent) > MAX_SENTENCES:
        raise _fault(name, f"it has more than {MAX_SENTENCES} sentences")
    intents = tuple(file.intent)
    return Pack(name, file.language, file.rules, file.lists, file.ends, file.texts, file.heard, intents, file.hint)


def _fault(name: str, why: str) -> InvalidInput:
    return InvalidInput(f"The sentences of {name} cannot be read: {why}.", fix="See docs/sentences.md.")
