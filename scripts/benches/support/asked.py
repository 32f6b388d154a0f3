"""A library of pages that can be asked by words, by meaning or by both, with as much of a node around it as a search
needs and nobody else; and vectors of texts, kept between runs if wanted."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jarvis.core.time import SystemClock
from jarvis.knowledge.chunks import in_its_place
from jarvis.knowledge.embedding import MAX_TEXTS
from jarvis.knowledge.files.reading import Reading
from jarvis.node.library.answering import Answering
from jarvis.node.library.search import Search
from jarvis.store.protocol import Transaction
from jarvis.store.sqlcipher import SqlCipherStore

ME = b"n" * 16
Vectors = Callable[[list[str]], Awaitable[list[bytes]]]
"""Of texts, at most MAX_TEXTS."""


@dataclass(frozen=True, slots=True)
class Page:
    """A document's entry, as far as a search looks at it."""

    document: str
    title: str
    path: Path
    chunks: int
    holder: bytes = ME
    copies: frozenset[bytes] = frozenset()
    sources: frozenset[bytes] = frozenset((ME,))
    outdated_ms: int = 0


@dataclass
class Asked:
    """`index` answers what the worker of vectors does; `embed` gives the questions' vectors, each worked out once."""

    store: SqlCipherStore
    index: Any
    embed: Vectors
    by_words: bool = True
    by_meaning: bool = True
    entries: dict[str, Page] = field(default_factory=dict)
    coming: dict[str, Page] = field(default_factory=dict)
    _vectors: dict[str, bytes] = field(default_factory=dict)

    @property
    def held(self) -> dict[str, Page]:
        return self.entries

    async def fill(self, pages: Mapping[str, Path], vectors_of: Vectors) -> int:
        """Every page by its name, read as any file of a user is; how many chunks they make."""
        count = 0
        async with Reading() as reading:
            for name, path in pages.items():
                read = await reading.read(path.resolve())
                for start in range(0, len(read.chunks), MAX_TEXTS):
                    more = [(one.place, one.text) for one in read.chunks[start : start + MAX_TEXTS]]
                    await self._put(name, more, await vectors_of([in_its_place(*one) for one in more]))
                self.entries[name] = Page(name, read.title, path, len(read.chunks))
                count += len(read.chunks)
        return count

    async def _put(self, name: str, chunks: list[tuple[str, str]], vectors: list[bytes]) -> None:
        def work(tx: Transaction) -> list[int]:
            tx.library.begin(name, b"")
            ids = tx.library.append(name, chunks)
            tx.library.put_vectors(list(zip(ids, vectors, strict=True)))
            return ids

        await self.index.call("add", await self.store.write(work), b"".join(vectors), deadline_s=60)

    def search(self) -> Search:
        me: Any = self
        return Search(me, me, me, me, me, SystemClock(), ME, near=tuple, may_leave=lambda: False)

    def answering(self) -> Answering:
        me: Any = self
        return Answering(self.search(), me, ME, lambda node: "here")

    # --- what a search asks of a node ---------------------------------------------------------------------------

    def serve(self, topic: str, handler: Any) -> None: ...

    async def read(self, view: Any) -> Any:
        return await self.store.read(lambda tx: view(tx if self.by_words else _Wordless(tx.library), None))

    async def vector_of(self, text: str, *, within_s: float) -> bytes | None:
        if not self.by_meaning:
            return None
        if text not in self._vectors:
            self._vectors[text] = (await self.embed([text]))[0]
        return self._vectors[text]

    async def nearest(self, vector: bytes, most: int, *, within_s: float) -> list[tuple[int, float]]:
        _, ids, scores = await self.index.call("nearest", vector, most, deadline_s=60)
        return list(zip(ids, scores, strict=True))


class _Wordless:
    """A store that finds nothing by words."""

    def __init__(self, library: Any) -> None:
        self.library, self.chunks = self, library.chunks

    def search(self, words: Any, most: int) -> list[tuple[int, float]]:
        return []


class Kept:
    """Vectors of texts by `embed`, in a file if one is given: working them out takes most of the time."""

    def __init__(self, embed: Vectors, path: Path | None) -> None:
        self._embed = embed
        self._db = sqlite3.connect(path or ":memory:", timeout=60)
        self._db.execute("CREATE TABLE IF NOT EXISTS v (h BLOB PRIMARY KEY, v BLOB)")

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    async def vectors(self, texts: list[str]) -> list[bytes]:
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = {key: vector for key in keys if (vector := self._get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = dict(zip(missing, await self._embed([*missing.values()]), strict=True))
            self._db.executemany("INSERT OR IGNORE INTO v VALUES (?, ?)", list(made.items()))
            self._db.commit()
            known |= made
        return [known[key] for key in keys]

    def _get(self, key: bytes) -> bytes | None:
        found = self._db.execute("SELECT v FROM v WHERE h = ?", (key,)).fetchone()
        return bytes(found[0]) if found else None
