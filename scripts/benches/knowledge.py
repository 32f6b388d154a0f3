"""The library as it grows: how quickly a question is answered among 1,000, 10,000 and (`--full`) 100,000 chunks, what
each part of that takes, what is missed, and what memory and disk it needs; beside Chroma over the same vectors. Whether
the answers are the right ones is `scripts/bench retrieval`'s.

Texts and vectors are made of real ones (`support/grown.py`); the questions are the written-down ones about this
project's own pages. **A question** comes with its vector, as from another room: both rankings, the passages' texts,
their order, the answer's bytes. **With its embedding** is a search in the room where it is asked, from its text on.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benches.support.grown import Texts, read_texts
from benches.support.plot import Bar, Panel, svg
from benches.table import Row, machine, percentile, row
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.knowledge.embedding import embedding_worker
from jarvis.knowledge.retrieval import words_of
from jarvis.knowledge.vectors import DISK, MEMORY, vectors_worker
from jarvis.models.pull import pull
from jarvis.node.library.entries import Entry
from jarvis.node.library.messages import Question, write_question
from jarvis.node.library.search import CANDIDATES, Search
from jarvis.store.protocol import Transaction
from jarvis.store.sqlcipher import SqlCipherStore

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "tests" / "knowledge" / "questions.toml"
SIZES, FULL_SIZES = (1_000, 10_000), (1_000, 10_000, 100_000)
AT_ONCE = 500
FIRST = 10
MOST_MS = 20.0
ME = b"n" * 16


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    return asyncio.run(_run(sizes))


def run_full() -> list[Row]:
    return run(FULL_SIZES)


async def _run(sizes: tuple[int, ...]) -> list[Row]:
    pull(["minilm-l6-v2"])
    embedding = embedding_worker()
    try:
        texts = await read_texts(sorted((ROOT / "docs").glob("*.md")), embedding)
        asked = {}
        for one in tomllib.loads(QUESTIONS.read_text())["question"]:
            asked[one["ask"]] = (await embedding.call("embed", [one["ask"]], deadline_s=30))[0]
        rows = [row("real texts", len(texts.places), "chunks"), row("questions", len(asked), "questions")]
        before = None
        for size in sizes:
            grown = await _grown(size, texts, asked, embedding)
            rows += grown.rows(f"{size:,} chunks: ", before)
            before = grown
    finally:
        await embedding.close()
    return rows


@dataclass
class Stand:
    """As much of a node as a search needs, with nobody around it."""

    store: SqlCipherStore
    vectors: Worker
    embedding: Worker
    answer: Any = None
    held: dict[str, Any] = field(default_factory=dict)
    coming: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)

    def search(self) -> Search:
        stand: Any = self
        return Search(stand, stand, stand, stand, stand, SystemClock(), ME, near=tuple, may_leave=lambda: False)

    def serve(self, topic: str, handler: Any) -> None:
        self.answer = handler

    async def asked(self, question: str, vector: bytes) -> None:
        """By some other room: each may ask only so often."""
        await self.answer(os.urandom(16), write_question(Question(question, vector, 5, frozenset())))

    async def read(self, view: Any) -> Any:
        return await self.store.read(lambda tx: view(tx, None))

    async def vector_of(self, text: str, *, within_s: float) -> bytes:
        return (await self.embedding.call("embed", [text], deadline_s=30))[0]

    async def nearest(self, vector: bytes, most: int, *, within_s: float) -> list[tuple[int, float]]:
        _, ids, scores = await self.vectors.call("nearest", vector, most, deadline_s=30)
        return list(zip(ids, scores, strict=True))

    async def put(self, name: str, chunks: list[tuple[str, str]], vectors: list[bytes]) -> list[int]:
        """The chunks' ids."""

        def work(tx: Transaction) -> list[int]:
            tx.library.begin(name, b"")
            ids = tx.library.append(name, chunks)
            tx.library.put_vectors(list(zip(ids, vectors, strict=True)))
            return ids

        ids = await self.store.write(work)
        await self.vectors.call("add", ids, b"".join(vectors), deadline_s=30)
        self.held[name] = self.entries[name] = Entry(name, name, ME, len(chunks), 0, 0)
        return ids


@dataclass
class Exact:
    """The nearest of all vectors that were told, for each question."""

    questions: Any
    """(questions, DIMENSIONS) float32."""
    ids: Any = None
    scores: Any = None

    def add(self, ids: list[int], rows: Any) -> None:
        scores = self.questions @ rows.T
        known = np.broadcast_to(np.array(ids), scores.shape)
        if self.ids is not None:
            scores, known = np.hstack([self.scores, scores]), np.hstack([self.ids, known])
        best = np.argsort(-scores, axis=1)[:, :CANDIDATES]
        self.scores, self.ids = np.take_along_axis(scores, best, 1), np.take_along_axis(known, best, 1)

    def recall(self, found: list[list[int]], most: int) -> float:
        pairs = zip(self.ids[:, :most].tolist(), found, strict=True)
        return sum(len(set(right) & set(one[:most])) / len(right) for right, one in pairs) / len(found)


@dataclass
class Nearest:
    """One form of the index over the same vectors."""

    times: list[float]
    recall: tuple[float, float]
    """Of the first FIRST, and of all CANDIDATES."""
    memory: float
    filled_s: float


@dataclass
class Grown:
    """What was measured at one size; times in ms."""

    given: list[float]
    """Questions whose vectors are known."""
    whole: list[float]
    processor_ms: float
    words: list[float]
    passages: list[float]
    ours: Nearest
    chroma: Nearest
    node_memory: float
    on_disk: float
    filled_s: float

    def rows(self, name: str, before: Grown | None) -> list[Row]:
        p95, ours, chroma = percentile(self.given, 0.95), self.ours, self.chroma
        tenth = {"against": "a tenth of them", "other": percentile(before.given, 0.95)} if before else {}
        alone = {"against": "Chroma alone", "other": percentile(chroma.times, 0.95)}
        return [
            row(name + "a question, p50", percentile(self.given, 0.5), "ms"),
            row(name + "a question, p95", p95, "ms", most=MOST_MS),
            *([row(name + "a question, p95", p95, "ms", **tenth)] if tenth else []),
            row(name + "with its embedding, p50", percentile(self.whole, 0.5), "ms"),
            row(name + "with its embedding, p95", percentile(self.whole, 0.95), "ms", most=MOST_MS),
            row(name + "processor time of a question, both processes, mean", self.processor_ms, "ms"),
            row(name + "of which words, p95", percentile(self.words, 0.95), "ms"),
            row(name + "of which passages' texts, p95", percentile(self.passages, 0.95), "ms"),
            row(name + "of which vectors, p50", percentile(ours.times, 0.5), "ms"),
            row(name + "of which vectors, p95", percentile(ours.times, 0.95), "ms", **alone),
            row(name + "Chroma alone, p50", percentile(chroma.times, 0.5), "ms"),
            row(name + "Chroma alone, p95", percentile(chroma.times, 0.95), "ms"),
            *(
                row(f"{name}the nearest {most} that are found", one, "of all", against="Chroma", other=other)
                for most, one, other in zip((FIRST, CANDIDATES), ours.recall, chroma.recall, strict=True)
            ),
            row(name + "memory of the vectors' worker", ours.memory, "MB", against="Chroma", other=chroma.memory),
            row(name + "Chroma's memory", chroma.memory, "MB"),
            row(name + "memory of the process that asks, with its store", self.node_memory, "MB"),
            row(name + "on the disk", self.on_disk, "MB"),
            row(name + "to take them in, without the model", self.filled_s, "s"),
            row(name + "to fill the index of vectors", ours.filled_s, "s", against="Chroma", other=chroma.filled_s),
        ]


async def _grown(size: int, texts: Texts, asked: dict[str, bytes], embedding: Worker) -> Grown:
    rng, numbers = random.Random(size), np.random.default_rng(size)
    exact = Exact(np.stack([np.frombuffer(one, "<f4") for one in asked.values()]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        stand = Stand(await SqlCipherStore.open(path, os.urandom(32)), vectors_worker(), embedding)
        try:
            await stand.vectors.call("open", "bench", MEMORY, folder + "/index", deadline_s=60)
            filled_s = 0.0
            for start in range(0, size, AT_ONCE):
                chunks, rows = [texts.chunk(rng) for _ in range(AT_ONCE)], texts.between(numbers, AT_ONCE)
                began = time.perf_counter()
                exact.add(await stand.put(f"d{start}", chunks, [one.tobytes() for one in rows]), rows)
                filled_s += time.perf_counter() - began
            await stand.vectors.close()
            ours = await _nearest(stand, MEMORY, folder + "/index", exact, asked)
            search = stand.search()
            before, given = (
                _processor_s(stand.vectors.pid),
                await _times(asked, lambda one: stand.asked(one, asked[one])),
            )
            processor_ms = 1000 * (_processor_s(stand.vectors.pid) - before) / len(given) / 2
            whole = await _times(asked, lambda one: search.find(one, 5))
            words = await _times(asked, lambda one: stand.read(_by_words(one)))
            passages = await _times(
                asked, lambda one: stand.read(_passages(rng.sample(range(1, size), 2 * CANDIDATES)))
            )
            gc.collect()
            node_memory = _memory(os.getpid())
            await stand.vectors.close()
            chroma = await _nearest(stand, DISK, folder + "/chroma", exact, asked)
        finally:
            await stand.vectors.close()
            await stand.store.close()
        on_disk = path.stat().st_size / 1e6
    return Grown(given, whole, processor_ms, words, passages, ours, chroma, node_memory, on_disk, filled_s)


async def _nearest(stand: Stand, form: str, folder: str, exact: Exact, asked: dict[str, bytes]) -> Nearest:
    """The index in this form, filled from the store as at a node's start, and asked."""
    stand.vectors = vectors_worker()
    await stand.vectors.call("open", "bench", form, folder, deadline_s=60)
    last, filled_s = 0, 0.0
    while ids := await stand.store.read(lambda tx, last=last: tx.library.vectored(last, AT_ONCE)):
        rows = await stand.store.read(lambda tx, ids=ids: tx.library.vectors(ids))
        began = time.perf_counter()
        await stand.vectors.call("add", ids, b"".join(vector for _, vector in rows), deadline_s=120)
        filled_s += time.perf_counter() - began
        last = ids[-1]
    found: list[list[int]] = []

    async def ask(vector: bytes) -> None:
        found.append([one for one, _ in await stand.nearest(vector, CANDIDATES, within_s=30)])

    times = await _times(asked.values(), ask)
    found = found[-len(asked) :]
    recall = exact.recall(found, FIRST), exact.recall(found, CANDIDATES)
    return Nearest(times, recall, _memory(stand.vectors.pid), filled_s)


def _by_words(question: str) -> Callable[..., Any]:
    return lambda tx, _: tx.library.search(words_of(question), CANDIDATES)


def _passages(ids: list[int]) -> Callable[..., Any]:
    return lambda tx, _: tx.library.chunks(ids)


async def _times(asked: Any, ask: Callable[[Any], Awaitable[Any]]) -> list[float]:
    """In ms, of each once everything was asked once."""
    times: list[float] = []
    for one in [*asked, *asked]:
        began = time.perf_counter()
        await ask(one)
        times.append(1000 * (time.perf_counter() - began))
    return times[len(times) // 2 :]


def _memory(pid: int | None) -> float:
    """In MB; what is shared with others counts in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def _processor_s(pid: int | None) -> float:
    """Of this process, and of that one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drawn(rows: list[Row]) -> str:
    """How it grows, as an SVG."""
    sizes = [f"{size:,} chunks" for size in FULL_SIZES if any(one.measure.startswith(f"{size:,} ch") for one in rows)]
    value = {one.measure: one.value for one in rows}

    def bars(measure: str, label: str, *, ours: bool = True) -> list[Bar]:
        return [Bar(f"{size}: {label}", value[f"{size}: {measure}"], ours) for size in sizes]

    def both(measure: str, chroma: str) -> list[Bar]:
        pairs = zip(bars(measure, "Jarvis"), bars(chroma, "Chroma", ours=False), strict=True)
        return [one for pair in pairs for one in pair]

    panels = [
        Panel(
            "A question by words and by meaning, p95, less is better", "ms", bars("a question, p95", "its vector known")
        ),
        Panel("The same with its embedding, p95, less is better", "ms", bars("with its embedding, p95", "all of it")),
        Panel("The nearest vectors alone, p95", "ms", both("of which vectors, p95", "Chroma alone, p95")),
        Panel("Memory of the worker that finds them", "MB", both("memory of the vectors' worker", "Chroma's memory")),
        Panel("The store on the disk, encrypted: texts, words, vectors", "MB", bars("on the disk", "Jarvis")),
    ]
    return svg(panels, f"{machine()}. Made by scripts/bench knowledge --full --svg.")
