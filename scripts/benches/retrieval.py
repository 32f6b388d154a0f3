"""Whether the library finds what was asked for and cites it rightly: written-down questions (`tests/knowledge/`) over
the project's own pages and, with `--full`, over Python's documentation too, all in one library, by words alone, by
meaning alone and by both; and whether what neither answers is answered by "I found nothing".

    apt-get install python3-doc
    scripts/bench retrieval --full [--python-docs DIR] [--vectors FILE]

Questions with an even number may be looked at while the ranking is worked on; the others are held out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.support.asked import Asked, Kept
from benches.support.citing import Source
from benches.support.citing import read as read_again
from benches.table import Row, row
from jarvis.knowledge.embedding import embedding_worker
from jarvis.knowledge.vectors import MEMORY, vectors_worker
from jarvis.models.pull import pull
from jarvis.store.sqlcipher import SqlCipherStore

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ROOT / "tests" / "knowledge"
OWN, PYTHON = "the project's pages", "Python's documentation"
INSTALLED = "/usr/share/doc"
PARTS = ("tutorial", "faq", "howto", "reference", "using", "library")
"""Of Python's documentation: what is for those who write in it."""
FIRST = 5
WAYS = ("words", "meaning", "both")


@dataclass(frozen=True, slots=True)
class Question:
    number: int
    ask: str
    corpus: str
    pages: tuple[str, ...]
    """The page that answers best, then others that answer too."""
    section: str = ""
    """Stands in the best page's passage or its place."""


@dataclass
class Result:
    """What came of one question, asked in one way."""

    question: Question
    rank: int
    """Of the first passage from a right page among FIRST; 0 for none."""
    in_section: bool
    quoted: bool = False
    """Something was quoted at all."""
    stands: bool = False
    """The quotation stands in the cited document at the cited place."""
    right_page: bool = False


def run(python_docs: Path | None = None, vectors: Path | None = None) -> list[Row]:
    """Over the project's own pages alone, which `python_docs` changes nothing about."""
    return asyncio.run(_run(None, vectors))


def run_full(python_docs: Path | None = None, vectors: Path | None = None) -> list[Row]:
    return asyncio.run(_run(python_pages(python_docs), vectors))


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"python_docs": arguments.python_docs, "vectors": arguments.vectors}


def python_pages(given: Path | None) -> Path:
    """The folder with Python's documentation: the given one, else the newest that is installed."""
    found = [given] if given else sorted(Path(INSTALLED).glob("python3*/html"))
    if not found or not all((found[-1] / part).is_dir() for part in PARTS):
        raise SystemExit(
            f"There is no HTML of Python's documentation in {given or INSTALLED}. "
            "Run `apt-get install python3-doc`, or give its folder with --python-docs."
        )
    return found[-1]


def questions(*, python: bool) -> list[Question]:
    found = []
    for corpus, name in ((OWN, "questions.toml"), (PYTHON, "python_questions.toml"))[: 1 + python]:
        for number, one in enumerate(tomllib.loads((WRITTEN / name).read_text())["question"]):
            pages = tuple(map(name_of(corpus), (one["page"], *one.get("also", ()))))
            found.append(Question(number, one["ask"], corpus, pages, one.get("section", "")))
    return found


def unanswerable() -> list[str]:
    both = tomllib.loads((WRITTEN / "unanswerable.toml").read_text())
    return [*both["far"], *both["near"]]


def name_of(corpus: str) -> Callable[[str], str]:
    return lambda page: page if corpus == OWN else f"python/{page}"


def paths(python_docs: Path | None) -> dict[str, Path]:
    found = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}
    for part in PARTS if python_docs else ():
        for path in sorted((python_docs / part).glob("*.html")):  # type: ignore[operator]
            found[f"python/{part}/{path.stem}"] = path
    return found


async def _run(python_docs: Path | None, vectors: Path | None) -> list[Row]:
    pull(["minilm-l6-v2"])
    embedding, index = embedding_worker(), vectors_worker()

    async def embed(texts: list[str]) -> list[bytes]:
        return list(await embedding.call("embed", texts, deadline_s=120))

    with tempfile.TemporaryDirectory() as folder:
        store = await SqlCipherStore.open(Path(folder) / "store.db", os.urandom(32))
        library = Asked(store, index, embed)
        try:
            await index.call("open", "bench", MEMORY, folder + "/index", deadline_s=60)
            with Kept(embed, vectors) as kept:
                chunks = await library.fill(paths(python_docs), kept.vectors)
            asked = questions(python=python_docs is not None)
            results = {}
            for way in WAYS:
                library.by_words, library.by_meaning = way != "meaning", way != "words"
                results[way] = [await ask(library, one) for one in asked]
            found = [bool((await library.answering().look_up(one, "")).quotations) for one in unanswerable()]
        finally:
            await asyncio.gather(index.close(), embedding.close())
            await store.close()
    return [row("chunks", chunks, "chunks"), *rows(results), *_nothing(found)]


async def ask(library: Asked, question: Question) -> Result:
    passages = [one.passage for one in (await library.search().find(question.ask, FIRST)).ranked]
    right = [one.document in question.pages for one in passages]
    told = [one for one in passages if one.document == question.pages[0]]
    within = any(question.section.casefold() in f"{one.place} {one.text}".casefold() for one in told)
    result = Result(question, right.index(True) + 1 if any(right) else 0, within)
    quotations = (await library.answering().look_up(question.ask, "")).quotations
    if quotations:
        first = quotations[0]
        page = library.entries[first.document]
        result.quoted, result.right_page = True, page.document in question.pages
        result.stands = source(page.path).says(first.text, first.place)
    return result


_sources: dict[Path, Source] = {}


def source(path: Path) -> Source:
    if path not in _sources:
        _sources[path] = read_again(path)
    return _sources[path]


def share(results: Sequence[Result], told: Callable[[Result], object]) -> float:
    return sum(bool(told(one)) for one in results) / max(len(results), 1)


def rows(results: dict[str, list[Result]]) -> list[Row]:
    found: list[Row] = []
    corpora = list(dict.fromkeys(one.question.corpus for one in results["both"]))
    for name in [*corpora, "all of them"] if len(corpora) > 1 else corpora:
        some = {way: _of(all_, name) for way, all_ in results.items()}
        found.append(row(f"{name}: questions", len(some["both"]), "questions"))
        recall = {way: share(ones, lambda one: one.rank) for way, ones in some.items()}
        for way in WAYS[:2]:
            against = {"against": f"{way} alone", "other": recall[way], "least": 1.0}
            found.append(row(f"{name}: the right page among {FIRST}", recall["both"], "of all", **against))
        for half, odd in (("looked at", 0), ("held out", 1)):
            ones = {way: [one for one in all_ if one.question.number % 2 == odd] for way, all_ in some.items()}
            best = max(share(ones[way], lambda one: one.rank) for way in WAYS[:2])
            both = share(ones["both"], lambda one: one.rank)
            found.append(
                row(f"{name}: among {FIRST}, {half}", both, "of all", against="the better half", other=best, least=1.0)
            )
        for way in WAYS:
            found.append(row(f"{name}: first, by {way}", share(some[way], lambda one: one.rank == 1), "of all"))
        for way in WAYS:
            mean = sum(1 / one.rank for one in some[way] if one.rank) / len(some[way])
            found.append(row(f"{name}: mean reciprocal rank, by {way}", mean, "of 1"))
        if name == PYTHON:
            found.append(
                row(
                    f"{name}: the right section among {FIRST}",
                    share(some["both"], lambda one: one.in_section),
                    "of all",
                )
            )
        quoted = [one for one in some["both"] if one.quoted]
        found += [
            row(f"{name}: something is quoted", len(quoted) / len(some["both"]), "of all"),
            row(
                f"{name}: a quotation stands where it is cited",
                share(quoted, lambda one: one.stands),
                "of those",
                least=1.0,
            ),
            row(f"{name}: it is from a right page", share(quoted, lambda one: one.right_page), "of those"),
        ]
    return found


def _of(results: Iterable[Result], corpus: str) -> list[Result]:
    return [one for one in results if corpus in (one.question.corpus, "all of them")]


def _nothing(found: list[bool]) -> list[Row]:
    half = len(found) // 2
    return [
        row("questions about the world: nothing found", found[:half].count(False) / half, f"of {half}"),
        row("about other software: nothing found", found[half:].count(False) / half, f"of {half}"),
    ]
