"""The library: how quickly it finds among 1,000, 10,000 and (`--full`) 100,000 chunks, and what that takes; and whether
it finds what was asked for: written-down questions over the project's own pages, with the real model, by words alone,
by meaning alone, and by both.

The growing library holds made-up text over a vocabulary whose words are as unequally common as in English (Zipf), and
vectors drawn at random: what is measured there is time and room, not quality.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benches.table import Row, percentile, row
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.knowledge.embedding import DIMENSIONS, MAX_TEXTS, embedding_worker
from jarvis.knowledge.files.reading import Reading
from jarvis.knowledge.vectors import DISK, MEMORY, vectors_worker
from jarvis.models.pull import pull
from jarvis.node.library.search import Search
from jarvis.store.protocol import Transaction
from jarvis.store.sqlcipher import SqlCipherStore

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "tests" / "knowledge" / "questions.toml"
SIZES, FULL_SIZES = (1_000, 10_000), (1_000, 10_000, 100_000)
ASKED = 200
WORDS_A_CHUNK = 90
VOCABULARY = 30_000
AT_ONCE = 500
ME = b"n" * 16


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    return asyncio.run(_run(sizes))


def run_full() -> list[Row]:
    return run(FULL_SIZES)


async def _run(sizes: tuple[int, ...]) -> list[Row]:
    pull(["minilm-l6-v2"])
    rows = await _quality()
    before = None
    for size in sizes:
        more, before = await _speed(size, before)
        rows += more
    return rows


@dataclass
class Stand:
    """As much of a node as a search needs, with nobody around it."""

    store: SqlCipherStore
    vectors: Worker
    embedding: Worker | None = None
    held: dict[str, Any] = field(default_factory=dict)
    coming: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)
    by_words: bool = True
    by_meaning: bool = True

    def search(self) -> Search:
        stand: Any = self
        return Search(stand, stand, stand, stand, stand, SystemClock(), ME, near=tuple, may_leave=lambda: False)

    def serve(self, topic: str, handler: Any) -> None: ...

    async def read(self, view: Any) -> Any:
        return await self.store.read(lambda tx: view(tx if self.by_words else Wordless(tx.library), None))

    async def vector_of(self, text: str, *, within_s: float) -> bytes | None:
        if not self.by_meaning:
            return None
        if self.embedding is None:
            return unit(random.Random(text))
        return (await self.embedding.call("embed", [text], deadline_s=30))[0]

    async def nearest(self, vector: bytes, most: int, *, within_s: float) -> list[tuple[int, float]]:
        _, ids, scores = await self.vectors.call("nearest", vector, most, deadline_s=30)
        return list(zip(ids, scores, strict=True))

    async def put(self, name: str, chunks: list[tuple[str, str]], vectors: list[bytes]) -> None:
        def work(tx: Transaction) -> list[int]:
            tx.library.begin(name, b"")
            ids = tx.library.append(name, chunks)
            tx.library.put_vectors(list(zip(ids, vectors, strict=True)))
            return ids

        ids = await self.store.write(work)
        await self.vectors.call("add", ids, b"".join(vectors), deadline_s=30)
        self.held[name] = self.entries[name] = Entry()


class Wordless:
    """A store that finds nothing by words."""

    def __init__(self, library: Any) -> None:
        self.library, self.chunks = self, library.chunks

    def search(self, words: Any, most: int) -> list[tuple[int, float]]:
        return []


@dataclass(frozen=True)
class Entry:
    holder: bytes = ME
    document: str = ""
    copies: frozenset[bytes] = frozenset()
    sources: frozenset[bytes] = frozenset((ME,))


def unit(rng: random.Random) -> bytes:
    vector = np.random.default_rng(rng.getrandbits(32)).standard_normal(DIMENSIONS).astype("<f4")
    return bytes((vector / np.linalg.norm(vector)).astype("<f4").tobytes())


async def _speed(size: int, before: float | None) -> tuple[list[Row], float]:
    rng = random.Random(size)
    shares = [1 / (place + 2) for place in range(VOCABULARY)]
    words = [f"w{place:x}q" for place in range(VOCABULARY)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        stand = Stand(await SqlCipherStore.open(path, os.urandom(32)), vectors_worker())
        try:
            await stand.vectors.call("open", "bench", MEMORY, folder + "/index", deadline_s=60)
            began = time.perf_counter()
            for start in range(0, size, AT_ONCE):
                text = rng.choices(words, shares, k=AT_ONCE * WORDS_A_CHUNK)
                chunks = [
                    (f"part {at}", " ".join(text[at * WORDS_A_CHUNK : (at + 1) * WORDS_A_CHUNK]))
                    for at in range(AT_ONCE)
                ]
                await stand.put(f"d{start}", chunks, [unit(rng) for _ in range(AT_ONCE)])
            filled_s = time.perf_counter() - began
            # As questions are: a few words that tell something among those that everybody says.
            questions = [" ".join(rng.choices(words[50:], shares[50:], k=6)) for _ in range(ASKED)]
            stand.by_meaning = False
            by_words = await _times(stand, questions)
            stand.by_meaning = True
            both = await _times(stand, questions)
            memory = stand.vectors.rss_bytes() / 1e6
            await stand.vectors.close()
            stand.vectors = vectors_worker()
            await _fill_disk(stand, folder + "/chroma")
            by_chroma, chroma_memory = await _times(stand, questions), stand.vectors.rss_bytes() / 1e6
        finally:
            await stand.vectors.close()
            await stand.store.close()
        on_disk = path.stat().st_size / 1e6
    p95 = percentile(both, 0.95)
    name = f"{size:,} chunks: "
    return [
        row(name + "a question, p50", percentile(both, 0.5), "ms"),
        row(name + "a question, p95", p95, "ms", most=20.0),
        row(name + "by words alone, p95", percentile(by_words, 0.95), "ms"),
        row(name + "p95", p95, "ms", against="with Chroma's index on disk", other=percentile(by_chroma, 0.95)),
        row(name + "memory of the vectors' worker", memory, "MB", against="with Chroma's", other=chroma_memory),
        row(name + "on the disk", on_disk, "MB"),
        row(name + "to take them in, without the model", filled_s, "s"),
        *([row(name + "p95", p95, "ms", against="a tenth of them", other=before)] if before else []),
    ], p95


async def _fill_disk(stand: Stand, folder: str) -> None:
    await stand.vectors.call("open", "bench", DISK, folder, deadline_s=60)
    last = 0
    while ids := await stand.store.read(lambda tx, last=last: tx.library.vectored(last, AT_ONCE)):
        rows = await stand.store.read(lambda tx, ids=ids: tx.library.vectors(ids))
        await stand.vectors.call("add", ids, b"".join(vector for _, vector in rows), deadline_s=60)
        last = ids[-1]


async def _times(stand: Stand, questions: list[str]) -> list[float]:
    search, times = stand.search(), []
    await search.find(questions[0], 5)
    for question in questions:
        began = time.perf_counter()
        await search.find(question, 5)
        times.append(1000 * (time.perf_counter() - began))
    return times


async def _quality() -> list[Row]:
    asked = tomllib.loads(QUESTIONS.read_text())["question"]
    with tempfile.TemporaryDirectory() as folder:
        store = await SqlCipherStore.open(Path(folder) / "store.db", os.urandom(32))
        stand = Stand(store, vectors_worker(), embedding_worker())
        assert stand.embedding is not None
        try:
            await stand.vectors.call("open", "bench", MEMORY, folder + "/index", deadline_s=60)
            chunk_count = 0
            async with Reading() as reading:
                for page in sorted((ROOT / "docs").glob("*.md")):
                    chunks = [(one.place, one.text) for one in (await reading.read(page)).chunks]
                    vectors: list[bytes] = []
                    for start in range(0, len(chunks), MAX_TEXTS):
                        texts = [text for _, text in chunks[start : start + MAX_TEXTS]]
                        vectors += await stand.embedding.call("embed", texts, deadline_s=60)
                    await stand.put(page.name, chunks, vectors)
                    chunk_count += len(chunks)
            found = {}
            for way in ("words", "meaning", "both"):
                stand.by_words, stand.by_meaning = way != "meaning", way != "words"
                search = stand.search()
                ranks = []
                for one in asked:
                    names = [each.passage.document for each in (await search.find(one["ask"], 5)).ranked]
                    ranks.append(names.index(one["page"]) + 1 if one["page"] in names else 0)
                found[way] = ranks
        finally:
            await asyncio.gather(stand.vectors.close(), stand.embedding.close())
            await store.close()
    rows = [row("pages' chunks", chunk_count, "chunks"), row("questions", len(asked), "questions")]
    recall = {way: sum(map(bool, ranks)) / len(ranks) for way, ranks in found.items()}
    first = {way: sum(rank == 1 for rank in ranks) / len(ranks) for way, ranks in found.items()}
    for way in ("words", "meaning"):
        other = {"against": f"{way} alone", "other": recall[way], "least": 1.0}
        rows.append(row("the right page among 5, by both", recall["both"], "of all", **other))
    rows += [row(f"the right page first, by {way}", share, "of all") for way, share in first.items()]
    return rows
