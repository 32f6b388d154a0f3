"""A dot names one operation for ever: (author, seq, op). It comes from a record's header, never from a payload, so
nobody can claim another's. A set of dots is kept by author, since a home has few authors and each writes in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes

AUTHOR_BYTES = 32


class Dot(NamedTuple):
    author: bytes
    seq: int
    op: int
    """Of the operation in its record."""


class Stamped(NamedTuple):
    """A dot with its time. Orders concurrent writes the same way everywhere."""

    hlc: int
    author: bytes
    seq: int
    op: int

    @property
    def dot(self) -> Dot:
        return Dot(self.author, self.seq, self.op)


def stamped(hlc: int, dot: Dot) -> Stamped:
    return Stamped(hlc, *dot)


def read_dot(value: Value) -> Dot:
    """The dot in a decoded [author, seq, op]. Raises InvalidBytes for anything else."""
    if (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], bytes)
        and len(value[0]) == AUTHOR_BYTES
        and all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**48 for one in value[1:])
        and value[1] >= 1
    ):
        return Dot(value[0], value[1], value[2])
    raise InvalidBytes("Not a dot.")


def read_dots(value: Value) -> list[Dot]:
    """Strictly ascending, so that equal sets have equal bytes."""
    if not isinstance(value, list):
        raise InvalidBytes("Not a list of dots.")
    dots = [read_dot(one) for one in value]
    if any(a >= b for a, b in itertools.pairwise(dots)):
        raise InvalidBytes("Dots are not in ascending order.")
    return dots


class DotSet:
    """A growing set of dots, one small set of (seq, op) an author."""

    def __init__(self, dots: Iterable[Dot] = ()) -> None:
        self._by_author: dict[bytes, set[tuple[int, int]]] = {}
        for dot in dots:
            self.add(dot)

    def add(self, dot: Dot) -> None:
        self._by_author.setdefault(dot.author, set()).add((dot.seq, dot.op))

    def __contains__(self, dot: Dot) -> bool:
        return (dot.seq, dot.op) in self._by_author.get(dot.author, ())

    def __iter__(self) -> Iterator[Dot]:
        for author in sorted(self._by_author):
            for seq, op in sorted(self._by_author[author]):
                yield Dot(author, seq, op)

    def __len__(self) -> int:
        return sum(map(len, self._by_author.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DotSet) and self._by_author == other._by_author

    __hash__ = None  # type: ignore[assignment]  # it grows

    def encode(self) -> Value:
        """{author: [seq, op, seq, op, ...]} with each seq as its distance from the one before."""
        result: dict[bytes, list[int]] = {}
        for author, pairs in self._by_author.items():
            flat, last = result.setdefault(author, []), 0
            for seq, op in sorted(pairs):
                flat += [seq - last, op]
                last = seq
        return result

    @staticmethod
    def decode(value: Value) -> DotSet:
        result = DotSet()
        for author, flat in value.items():
            seq = 0
            for step, op in zip(flat[0::2], flat[1::2], strict=True):
                seq += step
                result.add(Dot(author, seq, op))
        return result
