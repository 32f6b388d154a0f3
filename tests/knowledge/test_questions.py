"""The written-down questions: that they are what they say, and what words alone make of those over the project's own
pages, every citation checked against its page. `scripts/bench retrieval` asks all of them in every way."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from jarvis.knowledge.vectors import VECTOR_BYTES
from jarvis.store.sqlcipher import SqlCipherStore

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("selectolax", reason="the knowledge extra is not installed")


@pytest.fixture(autouse=True)
def benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "scripts")])


async def nothing(texts: list[str]) -> list[bytes]:
    """Vectors that nobody looks at."""
    return [bytes(VECTOR_BYTES) for _ in texts]


class NoVectors:
    async def call(self, method: str, *arguments: object, deadline_s: float) -> None: ...


def test_there_are_enough_and_each_is_asked_once_of_a_page_that_is_there() -> None:
    from benches.retrieval import OWN, PARTS, questions, unanswerable

    asked = questions(python=True)
    assert len(asked) >= 200 and len({one.ask for one in asked}) == len(asked)
    assert len(set(unanswerable())) >= 30
    for one in asked:
        assert one.ask.strip() == one.ask and one.pages
        if one.corpus == OWN:
            assert (ROOT / "docs" / one.pages[0]).is_file(), one.pages
        else:
            assert one.section
            assert all(page.split("/")[1] in PARTS or page == "python/glossary" for page in one.pages), one.pages


def test_words_alone_find_most_and_every_citation_stands(tmp_path: Path) -> None:
    from benches.retrieval import Result, ask, paths, questions
    from benches.support.asked import Asked

    async def asked() -> list[Result]:
        store = await SqlCipherStore.open(tmp_path / "store.db", os.urandom(32))
        try:
            library = Asked(store, NoVectors(), nothing, by_meaning=False)
            assert await library.fill(paths(None), nothing) > 100
            return [await ask(library, one) for one in questions(python=False)]
        finally:
            await store.close()

    results = asyncio.run(asked())
    assert sum(bool(one.rank) for one in results) >= 0.85 * len(results)
    quoted = [one for one in results if one.quoted]
    assert len(quoted) >= 0.7 * len(results)
    assert [one.question.ask for one in quoted if not one.stands] == []


def test_a_quotation_is_looked_for_where_it_is_cited(tmp_path: Path) -> None:
    from benches.support.citing import read

    page = tmp_path / "page.md"
    page.write_text(
        "# Oven\n\nHot.\n\n## Grill\n\nHeat *it* [up](x.md).\n\n```sh\n# no heading\n```\n\n## Care\n\nWipe it.\n"
    )
    web = tmp_path / "page.html"
    web.write_text(
        "<head><title>No</title></head><h1>Oven</h1><p>Hot.<h2>Grill</h2><p>Heat <b>it</b> up.<script>x</script>"
        "<p># no heading<dl><dt>care()</dt><dt>clean()</dt><dd>Wipe it.</dd><dt>oil()</dt><dd>Drop by drop.</dl>"
    )
    for path, care in ((page, "Oven > Care"), (web, "Oven > Grill > care()")):
        source = read(path)
        assert source.says("Heat it up. # no heading", "Oven > Grill") and source.says("Hot. Grill", "Oven")
        assert source.says("Wipe it.", care) and source.says("Wipe…", care) and source.says("Wipe it", "")
        assert not source.says("Heat it up.", care), "another section says so"
        assert not source.says("Drop by drop.", care)
        assert not source.says("Heat it up.", "Oven > Fan"), "there is no such section"
        assert not source.says("Heat it down.", "Oven > Grill"), "nobody says so"
