"""Named counters that many may count on at once. Every author has its own entry, its totals so far, and an operation
carries those totals: what arrives twice or late changes nothing, and nobody can touch another's entry, since the author
comes from the record's header. A counter's value is the sum of all entries, taken on read.

Source: the grow-only and the positive-negative counter, Shapiro et al., "A comprehensive study of CRDTs", 2011, 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt.dots import Dot
from jarvis.crdt.kind import Kind
from jarvis.crdt.mvmap import is_key

COUNT = "count"
MAX_TOTAL = 2**63 - 1
"""Of one author, one way: what every language's signed 64-bit integer holds. The sum, taken on read, may be larger."""


@dataclass
class Counters:
    """name -> author -> totals: (ups,) or (ups, downs)."""

    width: int
    by_name: dict[str, dict[bytes, tuple[int, ...]]] = field(default_factory=dict)

    def value(self, name: str) -> int:
        """0 for one that nobody counted on."""
        return sum(totals[0] - sum(totals[1:]) for totals in self.by_name.get(name, {}).values())

    def names(self) -> list[str]:
        return sorted(self.by_name)

    def totals(self, name: str, author: bytes) -> tuple[int, ...]:
        return self.by_name.get(name, {}).get(author, (0,) * self.width)

    def count(self, name: str, by: int, author: bytes) -> Value:
        """The operation by which `author` counts up, or down when `by` is negative. Raises InvalidInput."""
        way = 0 if by >= 0 else 1
        if way >= self.width:
            raise InvalidInput("This counter only counts up.")
        totals = list(self.totals(name, author))
        totals[way] += abs(by)
        if totals[way] > MAX_TOTAL:
            raise InvalidInput("The counter is full.")
        return [COUNT, name, *totals]

    def raise_to(self, name: str, author: bytes, totals: tuple[int, ...]) -> None:
        entry = self.by_name.setdefault(name, {})
        entry[author] = tuple(map(max, entry.get(author, totals), totals))


class UpCounterKind(Kind[Counters]):
    """Counts up only."""

    name = "upcounter"
    code = 5
    width = 1

    def empty(self) -> Counters:
        return Counters(self.width)

    def check(self, operation: Value) -> None:
        if (
            not isinstance(operation, list)
            or len(operation) != 2 + self.width
            or operation[0] != COUNT
            or not isinstance(operation[1], str)
            or not is_key(operation[1])
            or not all(type(total) is int and 0 <= total <= MAX_TOTAL for total in operation[2:])
        ):
            raise InvalidBytes("Not an operation on a counter.")

    def names(self, operation: Value) -> Iterable[Dot]:
        return ()

    def delta(self, operation: Value, dot: Dot, hlc: int) -> Counters:
        result = self.empty()
        result.raise_to(operation[1], dot.author, tuple(operation[2:]))
        return result

    def absorb(self, state: Counters, delta: Counters) -> None:
        for name, entry in delta.by_name.items():
            for author, totals in entry.items():
                state.raise_to(name, author, totals)

    def encode(self, state: Counters) -> Value:
        return {
            name: {author: list(totals) for author, totals in entry.items()} for name, entry in state.by_name.items()
        }

    def decode(self, value: Value) -> Counters:
        state = self.empty()
        for name, entry in value.items():
            for author, totals in entry.items():
                state.raise_to(name, author, tuple(totals))
        return state


class CounterKind(UpCounterKind):
    """Counts up and down."""

    name = "counter"
    code = 6
    width = 2
