"""A grow-only set of entries, each made unique by its dot: what was added stays, for every node, for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot, Stamped, stamped
from jarvis.crdt.kind import Kind

ADD = "add"


class Entry(NamedTuple):
    at: Stamped
    value: Value


@dataclass
class GSet:
    _entries: dict[Dot, Entry] = field(default_factory=dict)

    def entries(self) -> list[Entry]:
        """In the order (hlc, author, seq, op)."""
        return sorted(self._entries.values(), key=lambda entry: entry.at)

    def __len__(self) -> int:
        return len(self._entries)

    def include(self, entry: Entry) -> None:
        self._entries[entry.at.dot] = entry

    @staticmethod
    def add(value: Value) -> Value:
        """The operation that adds `value`."""
        return [ADD, value]


class GSetKind(Kind[GSet]):
    name = "gset"
    code = 2

    def empty(self) -> GSet:
        return GSet()

    def check(self, operation: Value) -> None:
        if not isinstance(operation, list) or len(operation) != 2 or operation[0] != ADD:
            raise InvalidBytes("Not an operation on a grow-only set.")

    def names(self, operation: Value) -> Iterable[Dot]:
        return ()

    def delta(self, operation: Value, dot: Dot, hlc: int) -> GSet:
        result = GSet()
        result.include(Entry(stamped(hlc, dot), operation[1]))
        return result

    def absorb(self, state: GSet, delta: GSet) -> None:
        state._entries.update(delta._entries)

    def encode(self, state: GSet) -> Value:
        return [[list(at), value] for at, value in state.entries()]

    def decode(self, value: Value) -> GSet:
        state = GSet()
        for at, item in value:
            state.include(Entry(Stamped(*at), item))
        return state
