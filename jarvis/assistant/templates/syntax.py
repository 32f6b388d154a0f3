"""The text of one template as a tree: "(turn|switch) on [the] {name} light[s]". Words stand for themselves, `(a|b)` is
one of them, `[a|b]` one of them or nothing, `{kind:slot}` something said that fills a slot (`{kind}` for a slot of the
same name), `<rule>` a piece written once elsewhere. Pure; a fault raises InvalidInput that quotes the template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jarvis.assistant.wording.words import split
from jarvis.core.errors import InvalidInput

MAX_CHARS = 2_000
"""Of one template. The longest of ours, with its rules put in, has some 400."""
MAX_DEPTH = 20
"""Of rules in one another; a rule that names itself ends here."""
MAX_TOKENS = 10_000
"""Of one template with its rules put in, since rules that name rules grow like powers."""
MAX_GROUPS = 100
"""Of one kind in a line, which may all stand in one another."""

_TOKEN = re.compile(r"\s+|[()\[\]|]|\{[^{}]*\}|<[^<>]*>|[^\s()\[\]{}<>|]+")
_SLOT = re.compile(r"\{([a-z_]+)(?::([a-z_]+))?\}")
_CLOSING = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Literal:
    word: str


@dataclass(frozen=True, slots=True)
class Slot:
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    options: tuple[Line, ...]
    """An empty one makes the group optional."""


Item = Literal | Slot | Group
Line = tuple[Item, ...]


def parse(template: str, rules: Mapping[str, str] | None = None) -> Line:
    """The items of `template`, with its rules put in."""
    return _parse(template, rules or {}, 0, [MAX_TOKENS])


def phrases(line: Line, limit: int) -> Iterator[tuple[str, ...]]:
    """All that a template without slots stands for; raises InvalidInput past `limit`."""
    found: list[tuple[str, ...]] = [()]
    for item in line:
        if isinstance(item, Slot):
            raise InvalidInput(f"A value of a list cannot hold {{{item.kind}}}.", fix="Write its words.")
        ends: list[tuple[str, ...]] = (
            [(item.word,)]
            if isinstance(item, Literal)
            else [phrase for option in item.options for phrase in phrases(option, limit)]
        )
        found = [(*begun, *end) for begun in found for end in ends]
        if len(found) > limit:
            raise InvalidInput(f"One value of a list stands for more than {limit} phrases.", fix="Write several.")
    return iter(found)


def _parse(template: str, rules: Mapping[str, str], depth: int, left: list[int]) -> Line:
    if len(template) > MAX_CHARS or depth > MAX_DEPTH:
        raise _fault(template[:80], "it is too long, or its rules stand too deep in one another")
    reader = _Reader(template, rules, depth, left)
    line = reader.options("")
    return line[0] if len(line) == 1 else (Group(line),)


class _Reader:
    def __init__(self, template: str, rules: Mapping[str, str], depth: int, left: list[int]) -> None:
        """`left` holds how many tokens the whole template may still have."""
        self._template = template
        self._rules = rules
        self._depth = depth
        self._tokens = _TOKEN.findall(template)
        self._at = 0
        if "".join(self._tokens) != template:
            raise self._wrong("a { or < is not closed")
        self._left = left
        left[0] -= len(self._tokens)
        if left[0] < 0 or max(map(template.count, "([")) > MAX_GROUPS:
            raise self._wrong("it is too large")

    def options(self, closing: str) -> tuple[Line, ...]:
        """Lines between bars, up to and with `closing`; up to the end for ""."""
        options: list[Line] = []
        line: list[Item] = []
        while (token := self._next()) != closing:
            if token == "|":  # nosec B105
                options.append(tuple(line))
                line = []
            elif token in ("", ")", "]"):
                raise self._wrong(f"{closing or 'an opening bracket'} is missing")
            else:
                line.extend(self._item(token))
        return (*options, tuple(line))

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _item(self, token: str) -> Iterator[Item]:
        if token.isspace():
            return
        if token in _CLOSING:
            options = self.options(_CLOSING[token])
            if self._peek().strip("()[]{}<>| \n\t"):
                raise self._wrong("a word sticks to the group before it")
            yield Group((*options, ()) if token == "[" else options)  # nosec B105
        elif token[0] == "{":
            slot = _SLOT.fullmatch(token)
            if slot is None:
                raise self._wrong(f"{token} is no {{kind}} or {{kind:slot}}")
            yield Slot(slot[1], slot[2] or slot[1])
        elif token[0] == "<":
            rule = self._rules.get(token[1:-1])
            if rule is None:
                raise self._wrong(f"there is no rule {token}")
            inner = _parse(rule, self._rules, self._depth + 1, self._left)
            yield Group((inner,))
        else:
            yield from self._words(token)

    def _words(self, token: str) -> Iterator[Item]:
        words = _literals(token)
        if not words:
            raise self._wrong(f"{token} is no word")
        yield from words[:-1]
        if self._peek() not in _CLOSING:
            yield words[-1]
            return
        opening = self._next()  # light[s]: its endings
        endings = [*self.options(_CLOSING[opening]), *([()] if opening == "[" else [])]
        whole: list[Line] = []
        for ending in endings:
            if len(ending) > 1 or not all(isinstance(part, Literal) for part in ending):
                raise self._wrong("what sticks to a word must be its ending")
            whole.append((Literal(words[-1].word + "".join(p.word for p in ending if isinstance(p, Literal))),))
        yield Group(tuple(whole))

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _wrong(self, why: str) -> InvalidInput:
        return _fault(self._template, why)


@lru_cache(maxsize=MAX_TOKENS)
def _literals(token: str) -> tuple[Literal, ...]:
    """Rules bring the same words into many templates."""
    return tuple(Literal(word.text) for word in split(token))


def _fault(template: str, why: str) -> InvalidInput:
    return InvalidInput(f"The template {template!r} cannot be read: {why}.", fix="See docs/sentences.md.")
