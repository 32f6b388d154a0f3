"""The index of vectors: which chunks are nearest in meaning. Loaded and called in a worker process, it holds ids and
numbers and never a word; what it holds can be made anew from the store at any time, so it may be lost.

In memory it is exact: every vector is compared with the question's. 100,000 of them are 154 MB and some ten
milliseconds. On disk it is Chroma's (`jarvis.knowledge.chroma`).
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
        self._ids: list[int] = []
        """By row."""
        self._rows: dict[int, int] = {}

    def ids(self) -> list[int]:
        return list(self._ids)

    def clear(self) -> None:
        self._blocks, self._ids, self._rows = [], [], {}

    def add(self, ids: list[int], vectors: bytes) -> None:
        rows = self._np.frombuffer(vectors, "<f4").reshape(len(ids), DIMENSIONS)
        for one, row in zip(ids, rows, strict=True):
            at = self._rows.get(one)
            if at is None:
                at = self._rows[one] = len(self._ids)
                self._ids.append(one)
                if at >= BLOCK * len(self._blocks):
                    self._blocks.append(self._np.zeros((BLOCK, DIMENSIONS), "<f4"))
            self._blocks[at // BLOCK][at % BLOCK] = row

    def remove(self, ids: list[int]) -> bool:
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
        return True

    def nearest(self, vector: bytes, most: int) -> tuple[list[int], list[float]]:
        np, count = self._np, len(self._ids)
        if not count:
            return [], []
        wanted = np.frombuffer(vector, "<f4")
        # Not `@`: its threads wait for each other on a busy machine, twenty times as long as one alone needs.
        scores = np.concatenate([np.einsum("ij,j->i", block, wanted) for block in self._blocks])[:count]
        most = min(most, count)
        top = np.argpartition(-scores, most - 1)[:most]
        top = top[np.argsort(-scores[top], kind="stable")]
        return [self._ids[at] for at in top], [cosine(scores[at]) for at in top]


def cosine(value: Any) -> float:
    return round(float(value), 6) + 0.0
