"""The index of vectors: which chunks are nearest in meaning. Loaded and called in a worker process, it holds ids and
numbers and never a word; what it holds can be made anew from the store at any time, so it may be lost.

Exact: every vector is compared with the question's. 100,000 of them are 154 MB and some ten milliseconds, which is less
memory than an approximate index takes, and nothing of it lies on a disk.
"""

from __future__ import annotations

from typing import Any

from jarvis.core.errors import InvalidInput, not_installed
from jarvis.engines.worker import Worker
from jarvis.knowledge.embedding import DIMENSIONS

TARGET = "jarvis.knowledge.vectors:MemoryVectors"
VECTOR_BYTES = 4 * DIMENSIONS
BLOCK = 4_096
"""Rows that are got at once: growing copies nothing that is there."""
MAX_ADDED = 1_024
"""At once: 1.5 MB."""


def vectors_worker() -> Worker:
    """Its worker, not started."""
    return Worker("vectors", TARGET, {})


class MemoryVectors:
    """Every vector has length 1: DIMENSIONS float32, little-endian. Raises Missing without numpy."""

    def __init__(self) -> None:
        try:
            import numpy
        except ImportError as error:
            raise not_installed(error.name or "numpy", "knowledge") from None
        self._np: Any = numpy
        self._blocks: list[Any] = []
        self._ids: list[int] = []
        """By row."""
        self._rows: dict[int, int] = {}
        self._mark = ""

    def begin(self, mark: str) -> None:
        """Empty it. `mark` is given back with every answer: who asks knows by it that this is not a new process."""
        self._blocks, self._ids, self._rows, self._mark = [], [], {}, mark

    def add(self, ids: list[int], vectors: bytes) -> int:
        """One that is there already is replaced; how many there are then."""
        if not isinstance(ids, list) or len(ids) > MAX_ADDED or len(vectors) != VECTOR_BYTES * len(ids):
            raise InvalidInput("The vectors do not fit their ids.")
        rows = self._np.frombuffer(vectors, "<f4").reshape(len(ids), DIMENSIONS)
        for one, row in zip(ids, rows, strict=True):
            at = self._rows.get(one)
            if at is None:
                at = self._rows[one] = len(self._ids)
                self._ids.append(one)
                if at >= BLOCK * len(self._blocks):
                    self._blocks.append(self._np.zeros((BLOCK, DIMENSIONS), "<f4"))
            self._blocks[at // BLOCK][at % BLOCK] = row
        return len(self._ids)

    def remove(self, ids: list[int]) -> int:
        """Those that are there; how many are left."""
        for one in ids:
            at = self._rows.pop(one, None)
            if at is None:
                continue
            last, moved = len(self._ids) - 1, self._ids[-1]
            self._blocks[at // BLOCK][at % BLOCK] = self._blocks[last // BLOCK][last % BLOCK]
            self._blocks[last // BLOCK][last % BLOCK] = 0
            self._ids[at] = moved
            self._ids.pop()
            if moved != one:
                self._rows[moved] = at
            del self._blocks[-(-len(self._ids) // BLOCK) :]
        return len(self._ids)

    def nearest(self, vector: bytes, most: int) -> list[Any]:
        """[mark, ids, cosines], the nearest first."""
        if len(vector) != VECTOR_BYTES or most < 1:
            raise InvalidInput("That is no vector to look for.")
        np, count = self._np, len(self._ids)
        if not count:
            return [self._mark, [], []]
        wanted = np.frombuffer(vector, "<f4")
        scores = np.concatenate([block @ wanted for block in self._blocks])[:count]
        most = min(most, count)
        top = np.argpartition(-scores, most - 1)[:most]
        top = top[np.argsort(-scores[top], kind="stable")]
        return [self._mark, [self._ids[at] for at in top], [round(float(scores[at]), 6) + 0.0 for at in top]]
