"""The index of vectors: which chunks are nearest in meaning. Loaded and called in a worker process, it holds ids and
numbers and never a word; what it holds can be made anew from the store at any time, so it may be lost.

In memory every vector is compared with the question's: up to ALL of them exactly; of more, first by the signs of its
numbers, and the best of those exactly. 100,000 of them are 160 MB and some milliseconds. On disk it is Chroma's
(`jarvis.knowledge.chroma`).

Source of the signs: Charikar, "Similarity Estimation Techniques from Rounding Algorithms", 2002: the more signs two
vectors share, the smaller the angle between them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from jarvis.core.errors import InvalidInput, not_installed
from jarvis.engines.worker import Worker
from jarvis.knowledge.embedding import DIMENSIONS

TARGET = "jarvis.knowledge.vectors:Vectors"
MEMORY, DISK = "memory", "disk"
VECTOR_BYTES = 4 * DIMENSIONS
BLOCK = 4_096
"""Rows that are got at once: growing copies nothing that is there."""
MAX_ADDED = 1_024
"""At once: 1.5 MB."""
ALL = 4 * BLOCK
"""Up to so many are compared exactly, all of them: 25 MB are read in two or three milliseconds."""
CHOSEN = BLOCK
"""Of more, those whose signs fit best are. Of 100,000 they held 99 of the 100 that belong among the first ten and 97 of
those among the first fifty; `scripts/bench knowledge` measures it."""
SIGN_WORDS = DIMENSIONS // 64
"""Words of 64 signs."""


def vectors_worker() -> Worker:
    """Its worker, not started."""
    return Worker("vectors", TARGET, {})


class Form(Protocol):
    """Where vectors are kept. Every vector has length 1: DIMENSIONS float32, little-endian."""

    def ids(self) -> list[int]: ...
    def clear(self) -> None: ...

    def add(self, ids: list[int], vectors: bytes) -> None:
        """One that is there already is replaced."""

    def remove(self, ids: list[int]) -> bool:
        """Whether the others are still there: a form may have to throw everything away to lose some."""

    def nearest(self, vector: bytes, most: int) -> tuple[list[int], list[float]]:
        """Ids and cosines, the nearest first."""


class Vectors:
    """What the worker answers. `open` comes first."""

    def __init__(self) -> None:
        self._form: Form | None = None
        self._name = self._mark = ""

    def open(self, mark: str, form: str, folder: str) -> list[int]:
        """Ids of the vectors there are. `mark` is given back with every answer: who asks knows by it that this is
        still the index that was filled. Raises Missing for what is not installed."""
        if form == DISK and self._name != DISK:
            from jarvis.knowledge.chroma import ChromaVectors

            self._form = ChromaVectors(Path(folder))
        elif form != DISK:
            shutil.rmtree(folder, ignore_errors=True)  # nothing of it stays behind
            self._form = self._form if self._name == form and self._form else MemoryVectors()
        assert self._form is not None
        self._name, self._mark = form, mark
        return self._form.ids()

    def clear(self) -> None:
        self._opened().clear()

    def add(self, ids: list[int], vectors: bytes) -> None:
        if not isinstance(ids, list) or len(ids) > MAX_ADDED or len(vectors) != VECTOR_BYTES * len(ids):
            raise InvalidInput("The vectors do not fit their ids.")
        self._opened().add(ids, vectors)

    def remove(self, ids: list[int]) -> None:
        if not self._opened().remove(ids):
            self._mark = ""

    def nearest(self, vector: bytes, most: int) -> list[Any]:
        """[mark, ids, cosines], the nearest first; no mark when it was never opened or has to be filled anew."""
        if len(vector) != VECTOR_BYTES or most < 1:
            raise InvalidInput("That is no vector to look for.")
        if not self._mark:
            return ["", [], []]
        return [self._mark, *self._opened().nearest(vector, most)]

    def _opened(self) -> Form:
        if self._form is None:
            raise InvalidInput("The index was not opened.")
        return self._form


class MemoryVectors:
    """A `Form`. Raises Missing without numpy."""

    def __init__(self) -> None:
        try:
            import numpy
        except ImportError as error:
            raise not_installed(error.name or "numpy", "knowledge") from None
        self._np: Any = numpy
        self._blocks: list[Any] = []
        self._signs: list[Any] = []
        """Of each block, SIGN_WORDS rows: so they are counted a row at a time."""
        self._taken = numpy.empty((BLOCK, DIMENSIONS), "<f4")
        self._ids: list[int] = []
        """By row."""
        self._rows: dict[int, int] = {}

    def ids(self) -> list[int]:
        return list(self._ids)

    def clear(self) -> None:
        self._blocks, self._signs, self._ids, self._rows = [], [], [], {}

    def add(self, ids: list[int], vectors: bytes) -> None:
        rows = self._np.frombuffer(vectors, "<f4").reshape(len(ids), DIMENSIONS)
        for one, row, signs in zip(ids, rows, self._signs_of(rows), strict=True):
            at = self._rows.get(one)
            if at is None:
                at = self._rows[one] = len(self._ids)
                self._ids.append(one)
                if at >= BLOCK * len(self._blocks):
                    self._blocks.append(self._np.zeros((BLOCK, DIMENSIONS), "<f4"))
                    self._signs.append(self._np.zeros((SIGN_WORDS, BLOCK), "u8"))
            self._put(at, row, signs)

    def remove(self, ids: list[int]) -> bool:
        for one in ids:
            at = self._rows.pop(one, None)
            if at is None:
                continue
            last, moved = len(self._ids) - 1, self._ids[-1]
            self._put(at, self._blocks[last // BLOCK][last % BLOCK], self._signs[last // BLOCK][:, last % BLOCK])
            self._put(last, 0, 0)
            self._ids[at] = moved
            self._ids.pop()
            if moved != one:
                self._rows[moved] = at
            del self._blocks[-(-len(self._ids) // BLOCK) :], self._signs[-(-len(self._ids) // BLOCK) :]
        return True

    def nearest(self, vector: bytes, most: int) -> tuple[list[int], list[float]]:
        np, count = self._np, len(self._ids)
        if not count:
            return [], []
        wanted = np.frombuffer(vector, "<f4")
        if count <= max(ALL, most):
            rows, scores = np.arange(count), np.concatenate([self._cosines(block, wanted) for block in self._blocks])
        else:
            rows = self._chosen(wanted, max(CHOSEN, most))
            starts = np.searchsorted(rows, BLOCK * np.arange(1, len(self._blocks)))
            parts = zip(self._blocks, np.split(rows % BLOCK, starts), strict=True)
            scores = np.concatenate([self._cosines(self._gathered(block, part), wanted) for block, part in parts])
        scores, most = scores[:count], min(most, count)
        top = np.argpartition(-scores, most - 1)[:most]
        top = top[np.argsort(-scores[top], kind="stable")]
        return [self._ids[rows[at]] for at in top], [cosine(scores[at]) for at in top]

    def _cosines(self, vectors: Any, wanted: Any) -> Any:
        # Not `@`: its threads wait for each other on a busy machine, twenty times as long as one alone needs.
        return self._np.einsum("ij,j->i", vectors, wanted)

    def _chosen(self, wanted: Any, most: int) -> Any:
        """Rows whose signs differ least from `wanted`'s, rising; of those at the limit the first."""
        np, signs = self._np, self._signs_of(wanted[None])[0][:, None]
        apart = np.concatenate(
            [np.bitwise_count(block ^ signs).sum(axis=0, dtype="u2") for block in self._signs], dtype="u2"
        )[: len(self._ids)]
        # How many differ in so many signs: that finds the limit in a fifth of the time of a partition.
        limit = np.searchsorted(np.bincount(apart).cumsum(), most)
        nearer, level = np.flatnonzero(apart < limit), np.flatnonzero(apart == limit)
        return np.sort(np.concatenate([nearer, level[: most - len(nearer)]]))

    def _gathered(self, block: Any, rows: Any) -> Any:
        """Those rows of a block, until the next call: new memory would have to be got and cleared each time."""
        return self._np.take(block, rows, axis=0, out=self._taken[: len(rows)], mode="clip")

    def _put(self, at: int, row: Any, signs: Any) -> None:
        self._blocks[at // BLOCK][at % BLOCK] = row
        self._signs[at // BLOCK][:, at % BLOCK] = signs

    def _signs_of(self, vectors: Any) -> Any:
        return self._np.packbits(vectors > 0, axis=1).view("u8")


def cosine(value: Any) -> float:
    return round(float(value), 6) + 0.0
