"""All templates as one graph of words, and the cheapest way through it for what was heard. A word costs nothing, what
fills a slot costs the more the less is known of it, so that the template which explains most of a sentence wins;
between equals the one that was added first. Pure. The work is bounded by nodes times words, whatever is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.assistant.templates.syntax import Group, Item, Line, Literal, Slot
from jarvis.assistant.words import Word


@dataclass(frozen=True, slots=True)
class Found:
    """Something that fills a slot."""

    end: int
    """The index after its last word."""
    value: Any
    cost: float = 0.1
    goes_on: bool = False
    """More words would be part of it, for all one knows."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said. Kinds of slots look at it."""

    text: str
    words: Sequence[Word]
    texts: tuple[str, ...]

    def as_said(self, start: int, end: int) -> str:
        """The words from `start` up to `end`, with the capitals and commas they had."""
        return self.text[self.words[start].start : self.words[end - 1].end]


Kind = Callable[[Heard, int], Iterable[Found]]
"""What of a kind begins at a word, most words first."""


@dataclass(slots=True)
class Node:
    words: dict[str, list[Node]] = field(default_factory=dict)
    slots: list[tuple[str, str, Kind, Node]] = field(default_factory=list)
    """(slot, name of the kind, kind, what follows)"""
    ends: list[tuple[int, Any, frozenset[str]]] = field(default_factory=list)
    """(order, what the templates that end here mean, words that make it something else)"""

    def take(self, other: Node) -> None:
        for word, following in other.words.items():
            self.words.setdefault(word, []).extend(following)
        self.slots.extend(other.slots)
        self.ends.extend(other.ends)


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
        self._start = Node()
        self._added = 0
        self.vocabulary: set[str] = set()
        """Every word of every template."""

    def add(self, line: Line, kinds: Mapping[str, Kind], meaning: Any, without: frozenset[str] = frozenset()) -> None:
        """A template, which does not hold for a sentence with one of the words `without`. Raises KeyError for a kind
        that `kinds` lacks."""
        self._start.take(self._line(line, Node(ends=[(self._added, meaning, without)]), kinds))
        self._added += 1

    def best(self, heard: Heard) -> Way | None:
        """The cheapest way that takes every word."""
        return _Walk(heard).best(self._start, 0)

    def _line(self, line: Line, after: Node, kinds: Mapping[str, Kind]) -> Node:
        for item in reversed(line):
            after = self._item(item, after, kinds)
        return after

    def _item(self, item: Item, after: Node, kinds: Mapping[str, Kind]) -> Node:
        if isinstance(item, Literal):
            self.vocabulary.add(item.word)
            return Node(words={item.word: [after]})
        if isinstance(item, Slot):
            return Node(slots=[(item.name, item.kind, kinds[item.kind], after)])
        return self._group(item, after, kinds)

    def _group(self, group: Group, after: Node, kinds: Mapping[str, Kind]) -> Node:
        node = Node()
        for option in group.options:
            node.take(self._line(option, after, kinds))
        return node


class _Walk:
    """One search, which remembers what it found: no node is left twice at the same word."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._said = frozenset(heard.texts)
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
