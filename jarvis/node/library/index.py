"""The library's index by meaning: sees to it that every chunk that is held gets a vector, keeps the worker that finds
the nearest ones filled with them, and turns questions into vectors. It may be behind or absent, which it says; it is
never wrong about what is held, since the store has the last word on every id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from jarvis.core.codec import Value
from jarvis.core.errors import JarvisError
from jarvis.knowledge.chunks import in_its_place
from jarvis.knowledge.embedding import MAX_CHARACTERS, MAX_TEXTS
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

MADE, MADE_KEY = b"in their place", "library/vectors"
"""How vectors are made, as it lies in the store beside them: those that were made in another way cannot be compared."""
WORDS_AT_ONCE = 100
"""Chunks in one work of the store: some ten milliseconds, in which nobody else's commit is made."""
VECTORS_AT_ONCE = 512
IDS_AT_ONCE = 10_000
EMBED_S = 30.0
"""For some texts of a document, and loading the model first."""
CHANGE_S = 10.0
RETRY_S = 60.0
"""After a failure, such as a model that is not installed."""

log = structlog.get_logger()


class Asked(Protocol):
    """What is used of `engines.Engine`."""

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...


class Index:
    """`embedding` and `vectors` are this node's own engines; `form` gives where vectors are searched, MEMORY or DISK,
    and `folder` is where they lie then; `follow` takes whom to call when that may be another."""

    def __init__(
        self,
        journal: Journal,
        embedding: Asked,
        vectors: Asked,
        *,
        form: Callable[[], Awaitable[str]],
        folder: Path,
        follow: Callable[[Callable[[], None]], None],
    ) -> None:
        self._journal, self._embedding, self._vectors = journal, embedding, vectors
        self._form, self._folder = form, folder
        self._filled_form = ""
        follow(self.wake)
        self._mark = ""
        """Of the index as this process has filled it; empty when it has to be filled."""
        self._filled = asyncio.Event()
        self._wake = asyncio.Event()
        self._changing = asyncio.Lock()
        """So that what is taken out of the store is not put into the index again by whoever read it before."""
        self.problem = ""
        """Why chunks wait for their vectors; empty while they get them."""

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Keep up, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._keep_up()
                self.problem = ""
                await self._wake.wait()
            except JarvisError as error:
                if self.problem != str(error):
                    self.problem = str(error)
                    log.warning("the library's index is behind", reason=self.problem)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._wake.wait()

    async def vector_of(self, text: str, *, within_s: float) -> bytes | None:
        """None when it cannot be told in time."""
        try:
            async with asyncio.timeout(within_s):
                answer = await self._embedding.call("embed", [text], deadline_s=within_s)
        except (TimeoutError, JarvisError) as error:
            log.debug("a question has no vector", error=type(error).__name__)
            return None
        return answer[0] if isinstance(answer, list) and answer and isinstance(answer[0], bytes) else None

    async def nearest(self, vector: bytes, most: int, *, within_s: float) -> list[tuple[int, float]] | None:
        """(chunk, cosine), the nearest first; None when the index cannot answer in time."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    if not self._mark:
                        if self.problem:
                            return None
                        self._wake.set()
                        await self._filled.wait()
                    mark, ids, scores = await self._vectors.call("nearest", vector, most, deadline_s=within_s)
                    if mark == self._mark:
                        return list(zip(ids, scores, strict=True))
                    self._lost()
        except (TimeoutError, JarvisError) as error:
            log.debug("the index did not answer", error=type(error).__name__)
            return None

    async def removed(self, ids: Sequence[int]) -> None:
        """These are held no more."""
        async with self._changing:
            if self._mark:
                try:
                    await self._vectors.call("remove", list(ids), deadline_s=CHANGE_S)
                except JarvisError:
                    self._lost()

    async def throw_away(self) -> None:
        """Everything; all of it is made anew from the chunks."""
        async with self._changing:
            await self._journal.change_local(lambda tx: tx.library.throw_away())
            self._lost()

    def _lost(self) -> None:
        """The worker is a new process, or no longer holds what the store does."""
        self._mark = ""
        self._filled.clear()
        self._wake.set()

    async def _renew(self) -> None:
        """Nothing is left of vectors that were made in another way."""
        made, any_ = await self._journal.read(lambda tx, _: (tx.get(MADE_KEY), tx.library.vectored(0, 1)))
        if made == MADE:
            return
        if any_:
            await self.throw_away()
        await self._journal.change_local(lambda tx: tx.put(MADE_KEY, MADE))

    async def _keep_up(self) -> None:
        await self._renew()
        if await self._journal.read(lambda tx, _: tx.library.waiting(1)):  # else nothing is written
            while await self._journal.change_local(lambda tx: tx.library.index_words(WORDS_AT_ONCE)):
                pass
        if self._mark and await self._form() != self._filled_form:
            self._lost()
        while True:
            if not self._mark:
                await self._fill()
            if not await self._embed_some():
                return

    async def _fill(self) -> None:
        """The worker with all vectors there are, and no others. Without any it is not started."""
        async with self._changing:
            form = await self._form()
            held = await self._journal.read(_all_vectored)
            if not held:
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
                return
            mark = os.urandom(8).hex()
            there = set(await self._vectors.call("open", mark, form, str(self._folder), deadline_s=EMBED_S))
            if there.difference(held):
                await self._vectors.call("clear", deadline_s=CHANGE_S)
                there = set()
            missing = [one for one in held if one not in there]
            for start in range(0, len(missing), VECTORS_AT_ONCE):
                await self._add(await self._journal.read(_vectors_of(missing[start : start + VECTORS_AT_ONCE])))
            self._mark, self._filled_form = mark, form
            self._filled.set()

    async def _embed_some(self) -> bool:
        """Whether any chunk waited."""
        waiting = await self._journal.read(lambda tx, _: tx.library.waiting(MAX_TEXTS))
        if not waiting:
            return False
        texts = [in_its_place(place, text)[:MAX_CHARACTERS] for _, place, text in waiting]
        made = await self._embedding.call("embed", texts, deadline_s=EMBED_S)
        vectors = [(one, vector) for (one, _, _), vector in zip(waiting, made, strict=True)]
        async with self._changing:
            kept = set(await self._journal.change_local(lambda tx: tx.library.put_vectors(vectors)))
            if self._mark:
                try:
                    await self._add([row for row in vectors if row[0] in kept])
                except JarvisError:
                    self._lost()
        return True

    async def _add(self, rows: Sequence[tuple[int, bytes]]) -> None:
        ids, vectors = [one for one, _ in rows], b"".join(vector for _, vector in rows)
        await self._vectors.call("add", ids, vectors, deadline_s=CHANGE_S)


def _all_vectored(tx: Transaction, _: Replica) -> list[int]:
    held: list[int] = []
    while some := tx.library.vectored(held[-1] if held else 0, IDS_AT_ONCE):
        held += some
    return held


def _vectors_of(ids: Sequence[int]) -> Callable[[Transaction, Replica], list[tuple[int, bytes]]]:
    return lambda tx, _: tx.library.vectors(ids)
