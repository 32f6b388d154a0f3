"""What all packs of templates of one language understand together: the intent, its slots, and how sure that is. What
no template explains entirely is nothing, also when a part of it looks familiar. Read-only once built, so that a new one
takes its place at once, between two sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from jarvis.assistant.templates import english
from jarvis.assistant.templates.graph import MISHEARD, Found, Graph, Heard, Kind
from jarvis.assistant.templates.mishearing import Mishearing
from jarvis.assistant.templates.packs import Pack, Sentences, Text, Value, read
from jarvis.assistant.templates.syntax import parse, phrases
from jarvis.assistant.wording.words import Word
from jarvis.core.errors import InvalidInput

MAX_GUESSED_WORDS = 60
"""In longer ones nobody looks for a word that was misheard: each guess is one more search."""
MAX_PHRASES = 500
"""Of one value of a list."""
GUESSED = 0.8
"""The confidence where one word had to be another one."""
ENGLISH = "en"
_BRACED = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Match:
    intent: str
    slots: dict[str, Any] = field(default_factory=dict)
    """What was said of it, by name, as docs/assistant.md lists them."""
    missing: tuple[str, ...] = ()
    """Slots without which it cannot be done."""
    open_ended: bool = False
    """More words may belong to it."""
    dictated: bool = False
    """It ends in words that could be any."""
    dangling: bool = False
    """A last word such as "and" or "for" was left out to make it fit."""
    confidence: float = 1.0
    """Below one where a word had to be another one to make it fit."""
    reply: str = ""
    """What to say, where templates and not code answer."""

    @property
    def whole(self) -> bool:
        """Nothing more needs to be said."""
        return not (self.missing or self.open_ended or self.dangling) and self.confidence == 1.0


class Understanding:
    """Of `packs`, the first before the others where two explain a sentence equally well. A pack may use the rules and
    lists of the others. Raises InvalidInput that names the pack with a fault."""

    def __init__(self, packs: Sequence[Pack], kinds: Mapping[str, Kind] = english.KINDS) -> None:
        self._graph = Graph()
        self._rules = {name: rule for pack in reversed(packs) for name, rule in pack.rules.items()}
        self._kinds = dict(kinds)
        for pack in reversed(packs):
            with _named(pack):
                self._kinds |= {name: self._list(values) for name, values in pack.lists.items()}
                self._kinds |= {name: self._ends(heads) for name, heads in pack.ends.items()}
                self._kinds |= {name: self._told(one) for name, one in pack.texts.items()}
        self.intents: dict[str, str] = {}
        """Each intent, with the pack that named it first."""
        for pack in packs:
            with _named(pack):
                self._add(pack)
        self._mishearing = Mishearing(self._graph.vocabulary, _merged(pack.heard for pack in packs))

    def understand(
        self, words: Sequence[Word], text: str, rooms: Sequence[str] = (), signs: frozenset[str] = frozenset()
    ) -> Match | None:
        """Of `words`, which are `text`'s without politeness, exactly as they stand; `rooms` are the home's; `signs` as
        in Heard."""
        return self._best(Heard(text, words, tuple(word.text for word in words), rooms, signs))

    def guess(self, words: Sequence[Word], text: str, rooms: Sequence[str] = ()) -> Match | None:
        """As if one word had been misheard: by what recognisers are known to write, or by one letter."""
        if not 1 < len(words) <= MAX_GUESSED_WORDS:
            return None
        for other in self._mishearing.variants([word.text for word in words]):
            changed = [replace(word, text=text) for word, text in zip(words, other, strict=True)]
            found = self._best(Heard(text, changed, tuple(other), rooms, frozenset({MISHEARD})))
            if found is not None:
                return replace(found, confidence=GUESSED)
        return None

    def _best(self, heard: Heard) -> Match | None:
        way = self._graph.best(heard) if heard.words else None
        return None if way is None else _match(way.meaning, way.slots(), len(heard.words))

    def _add(self, pack: Pack) -> None:
        for one in pack.intents:
            self.intents.setdefault(one.name, pack.name)
            without = frozenset(word for phrase in self._phrases(one.without) for word in phrase)
            without |= {MISHEARD} if one.exact else set()
            for sentence in one.sentences:
                try:
                    self._graph.add(parse(sentence, self._rules), self._kinds, one, without)
                except KeyError as error:
                    raise InvalidInput(f"There is no kind {{{error.args[0]}}}, in {sentence!r}.") from None

    def _list(self, values: Iterable[str | Value]) -> Kind:
        known: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
        for value in values:
            said, out = (value, value) if isinstance(value, str) else (value.said, value.out)
            for phrase in self._phrases(said):
                if phrase:
                    self._graph.vocabulary.update(phrase)
                    known.setdefault(phrase[0], []).append((phrase, out))

        def found(heard: Heard, start: int) -> Iterator[Found]:
            for phrase, out in known.get(heard.texts[start], ()):
                if heard.texts[start : start + len(phrase)] == phrase:
                    yield Found(start + len(phrase), out)

        return found

    def _ends(self, heads: Iterable[str]) -> Kind:
        known = [phrase for head in heads for phrase in self._phrases(head)]
        self._graph.vocabulary.update(word for phrase in known for word in phrase)
        return english.ending_in(known)

    def _told(self, one: Text) -> Kind:
        never = frozenset(word for phrase in self._phrases(one.never_first) for word in phrase)
        return english.told(never, may_ask=one.may_ask)

    def _phrases(self, said: str) -> Iterator[tuple[str, ...]]:
        return phrases(parse(said, self._rules), MAX_PHRASES)


@cache
def built_in(language: str = ENGLISH) -> tuple[Pack, ...]:
    """The packs that come with Jarvis."""
    folder = files("jarvis.assistant.templates") / language
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return tuple(read(one.name.removesuffix(".toml"), one.read_text(encoding="utf-8")) for one in found)


@cache
def shipped() -> Understanding:
    """Of the built-in packs alone."""
    return Understanding(built_in())


def replied(reply: str, slots: Mapping[str, Any]) -> str:
    """`reply` with what filled its slots."""
    return _BRACED.sub(lambda found: str(slots.get(found[1], "")), reply)


def _match(one: Sentences, filled: Mapping[str, Found], words: int) -> Match:
    slots: dict[str, Any] = dict(one.slots)
    for name, found in filled.items():
        slots |= found.value if isinstance(found.value, dict) else {name: found.value}
    missing = tuple(slot for slot in one.needs if slot not in slots)
    open_ended = one.open or any(found.goes_on and found.end == words for found in filled.values())
    dictated = any(found.dictated and found.end == words for found in filled.values())
    return Match(one.name, slots, missing, open_ended, dictated, reply=one.reply)


def _merged(tables: Iterable[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = {}
    for table in tables:
        for meant, heard in table.items():
            merged.setdefault(meant, []).extend(heard)
    return merged


@contextmanager
def _named(pack: Pack) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{pack.name}: {error}", fix=error.fix) from None
