"""Understanding put together of our packs, those of plugins and a person's own files. What cannot be read, or would
promise what nobody here can do, is left out and named; the rest is understood all the same. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jarvis.assistant.templates.packs import Pack, read
from jarvis.assistant.templates.understanding import ENGLISH, Understanding, built_in, shipped
from jarvis.core.errors import InvalidInput


@dataclass(frozen=True)
class Collected:
    understanding: Understanding
    problems: Mapping[str, str]
    """Why a pack was left out, by its name."""


def collect(texts: Sequence[tuple[str, str]], able: Collection[str], language: str = ENGLISH) -> Collected:
    """`texts` are (name, text of a file) in the order of preference, before our own; `able` are the intents that can
    be done."""
    own = built_in(language)
    good: list[Pack] = []
    problems: dict[str, str] = {}
    for name, text in texts:
        try:
            pack = _checked(read(name, text), able)
            if pack.language == language:
                Understanding([pack, *own])  # a fault in it is its own, not that of all together
                good.append(pack)
        except InvalidInput as error:
            problems[name] = str(error)
    return Collected(Understanding([*good, *own]) if good else shipped(), problems)


def _checked(pack: Pack, able: Collection[str]) -> Pack:
    for one in pack.intents:
        if not one.reply and one.name not in able:
            raise InvalidInput(
                f"{pack.name}: nothing here can do {one.name!r}, and it has no reply.",
                fix="Name an intent of docs/assistant.md, or give it a reply.",
            )
    return pack
