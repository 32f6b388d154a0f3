"""All templates as one graph of words, and the cheapest way through it for what was heard. A word costs nothing, what
fills a slot costs the more the less is known of it, so that the template which explains most of a sentence wins;
between equals the one that was added first. Pure. The work is bounded by nodes times words, whatever is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jarvis.assistant.templates.syntax import Group, Item, Line, Literal, Slot
from jarvis.assistant.wording.words import Word


@dataclass(frozen=True, slots=True)
class Found:
    """Something that fills a slot."""

    end: int
    """The index after its last word."""
    value: Any
    cost: float = 0.1
    goes_on: bool = False
    """More words would be part of it, for all one knows."""
    dictated: bool = False
    """It may be any words at all."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said. Kinds of slots look at it."""

    text: str
    words: Sequence[Word]
    texts: tuple[str, ...]
    rooms: Sequence[str] = ()
    """The home's, as it writes them."""
    signs: frozenset[str] = frozenset()
    """What else is known of it, as if it were words: a template may say that it does not hold with one of them."""

    def as_said(self, start: int, end: int) -> str:
        """The words from `start` up to `end`, with the capitals and commas they had."""
        return self.text[self.words[start].start : self.words[end - 1].end]


Kind = Callable[[Heard, int], Iterable[Found]]
"""What of a kind begins at a word, most words first."""
_NO_WORDS: Mapping[str, tuple[Node, ...]] = {}
MISHEARD = "?"
"""The sign of a sentence in which one word is not what was heard."""


class Node:
    """What may follow. There are some ten thousand, so what one lacks is shared and not made: every container is one
    more for the garbage collector to walk."""

    __slots__ = ("ends", "slots", "words")

    def __init__(
        self,
        words: Mapping[str, tuple[Node, ...]] = _NO_WORDS,
        slots: tuple[tuple[str, str, Kind, Node], ...] = (),
        ends: tuple[tuple[int, Any, frozenset[str]], ...] = (),
    ) -> None:
        self.words = words
        self.slots = slots
        """(slot, name of the kind, kind, what follows)"""
        self.ends = ends
        """(order, what the templates that end here mean, words that make it something else, MISHEARD among them)"""


def _either(nodes: Sequence[Node]) -> Node:
    """One node for all that may follow by any of `nodes`."""
    if len(nodes) == 1:
        return nodes[0]
    words: dict[str, list[Node]] = {}
    for node in nodes:
        for word, following in node.words.items():
            words.setdefault(word, []).extend(following)
    return Node(
        {word: tuple(following) for word, following in words.items()} or _NO_WORDS,
        tuple(slot for node in nodes for slot in node.slots),
        tuple(end for node in nodes for end in node.ends),
    )


@dataclass(frozen=True, slots=True)
class Way:
    """A way through the graph from some node on."""

    cost: float
    order: int
    meaning: Any
    filled: tuple[str, Found] | None = None
    """The slot that its first step fills."""
    rest: Way | None = None

    def slots(self) -> dict[str, Found]:
        found: dict[str, Found] = {}
        way: Way | None = self
        while way is not None:
            if way.filled is not None:
                found.setdefault(*way.filled)
            way = way.rest
        return found


class Graph:
    def __init__(self) -> None:
        self._begins: list[Node] = []
        self._start: Node | None = None
        self.vocabulary: set[str] = set()
        """Every word of every template."""

    def add(self, line: Line, kinds: Mapping[str, Kind], meaning: Any, without: frozenset[str] = frozenset()) -> None:
        """A template, which does not hold for a sentence with one of the words `without`. Raises KeyError for a kind
        that `kinds` lacks."""
        end = Node(ends=((len(self._begins), meaning, without),))
        self._begins.append(self._line(line, end, kinds))
        self._start = None

    def best(self, heard: Heard) -> Way | None:
        """The cheapest way that takes every word."""
        if self._start is None:
            self._start = _either(self._begins)
        return _Walk(heard).best(self._start, 0)

    def _line(self, line: Line, after: Node, kinds: Mapping[str, Kind]) -> Node:
        for item in reversed(line):
            after = self._item(item, after, kinds)
        return after

    def _item(self, item: Item, after: Node, kinds: Mapping[str, Kind]) -> Node:
        if isinstance(item, Literal):
            self.vocabulary.add(item.word)
            return Node({item.word: (after,)})
        if isinstance(item, Slot):
            return Node(slots=((item.name, item.kind, kinds[item.kind], after),))
        return self._group(item, after, kinds)

    def _group(self, group: Group, after: Node, kinds: Mapping[str, Kind]) -> Node:
        return _either([self._line(option, after, kinds) for option in group.options])


class _Walk:
    """One search, which remembers what it found: no node is left twice at the same word."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._said = heard.signs.union(heard.texts)
        self._ways: dict[tuple[int, int], Way | None] = {}
        self._found: dict[tuple[str, int], list[Found]] = {}

    def best(self, node: Node, at: int) -> Way | None:
        if at == len(self._heard.texts):
            ends = (Way(0.0, order, meaning) for order, meaning, without in node.ends if not without & self._said)
            return min(ends, key=_rank, default=None)
        key = (id(node), at)
        if key not in self._ways:
            self._ways[key] = min(self._steps(node, at), key=_rank, default=None)
        return self._ways[key]

    def _steps(self, node: Node, at: int) -> Iterable[Way]:
        for following in node.words.get(self._heard.texts[at], ()):
            way = self.best(following, at + 1)
            if way is not None:
                yield way
        for slot, name, kind, following in node.slots:
            for found in self._of_kind(name, kind, at):
                way = self.best(following, found.end)
                if way is not None:
                    yield Way(way.cost + found.cost, way.order, way.meaning, (slot, found), way)

    def _of_kind(self, name: str, kind: Kind, at: int) -> list[Found]:
        if (name, at) not in self._found:
            self._found[name, at] = list(kind(self._heard, at))
        return self._found[name, at]


def _rank(way: Way) -> tuple[float, int]:
    return way.cost, way.order
