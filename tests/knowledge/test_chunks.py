"""Chunks fit the embedding model, keep to their section, and name the place where their words stand."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.knowledge.chunks import MAX_TOKENS, SPECIAL_TOKENS, in_its_place, split, tokens_in
from jarvis.knowledge.embedding import MAX_CHARACTERS, MODEL
from jarvis.knowledge.files.builtin import PROCESSORS
from jarvis.knowledge.files.reader import processor_for
from jarvis.knowledge.places import Place
from jarvis.models import cache
from jarvis.plugins.kinds import FileLimits, FileText, Part

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "The boiler in the cellar was serviced in May by the plumber from the village. "
words = st.text(st.sampled_from("ab Z9.\n,;é漢_-\t"), max_size=400)
parts = st.lists(
    st.builds(
        Part,
        words,
        st.sampled_from(["", "A", "A > B", "page 1", "page 2", "lines 3-400", "f, lines 3-400"]),
        st.sampled_from(["heading", "text", "code", "table"]),
    ),
    max_size=12,
)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(parts, st.integers(16, 80))
def test_nothing_is_lost_and_everything_fits(given_parts: list[Part], most: int) -> None:
    chunks = split(FileText("t", given_parts), most)
    assert squeezed("".join(one.text for one in chunks)) == squeezed("".join(one.text for one in given_parts))
    assert all(tokens_in(one.text) <= most - SPECIAL_TOKENS for one in chunks)
    assert all(one.text.strip() for one in chunks)
    assert [one.index for one in chunks] == list(range(len(chunks)))
    assert {Place.parse(one.place).path for one in chunks} <= {Place.parse(one.place).path for one in given_parts}


@pytest.mark.parametrize(
    "text", ["x" * 60_000, " " * 60_000 + "y", "a\n" * 30_000, "漢" * 20_000, "a " * 30_000, "." * 9_000]
)
def test_no_chunk_is_more_than_the_model_takes(text: str) -> None:
    for kind in ("text", "code"):
        chunks = split(FileText("t", [Part(text, "lines 1-30000", kind)]))  # type: ignore[arg-type]
        assert chunks and all(len(one.text) < MAX_CHARACTERS for one in chunks)


def test_a_section_is_a_chunk_with_its_heading() -> None:
    chunks = split(
        FileText(
            "House",
            [
                Part("House", "House", "heading"),
                Part("Cellar", "House > Cellar", "heading"),
                Part("The boiler is old.", "House > Cellar"),
                Part("It leaks.", "House > Cellar"),
                Part("Roof", "House > Roof", "heading"),
                Part("It is new.", "House > Roof"),
            ],
        )
    )
    assert [(one.text, one.place) for one in chunks] == [
        ("House\n\nCellar\n\nThe boiler is old.\n\nIt leaks.", "House > Cellar"),
        ("Roof\n\nIt is new.", "House > Roof"),
    ]


def test_pages_and_functions_are_not_mixed_but_lines_are() -> None:
    def places(*given_places: str) -> list[str]:
        return [one.place for one in split(FileText("t", [Part("some words", place) for place in given_places]))]

    assert places("page 1", "page 1", "page 2") == ["page 1", "page 2"]
    assert places("f, lines 1-2", "g, lines 3-9") == ["f, lines 1-2", "g, lines 3-9"]
    assert places("lines 1-2", "line 4", "lines 6-7") == ["lines 1-7"]
    assert places("minute 1", "minute 1", "minute 2") == ["minutes 1-2"]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    chunks = split(FileText("t", [Part(SENTENCE * 40, "page 7")]))
    assert len(chunks) > 2
    assert all(one.text.endswith("village.") and one.text.startswith("The boiler") for one in chunks)
    assert {one.place for one in chunks} == {"page 7"}
    assert all(tokens_in(one.text) > MAX_TOKENS / 2 for one in chunks[:-1])


def test_a_long_function_is_cut_between_lines_that_are_told() -> None:
    rows = [f"    call_number({n}, with_argument='{n}')" for n in range(200)]
    chunks = split(FileText("t", [Part("\n".join(["def f():", *rows]), "f, lines 11-211", "code")]))
    assert len(chunks) > 3
    for one in chunks:
        place = Place.parse(one.place)
        assert place.path == "f"
        held = one.text.split("\n")
        assert place.last - place.first + 1 == len(held)
        assert held == ["def f():", *rows][place.first - 11 : place.last - 10]


@pytest.mark.parametrize("text", ["", "A > B", "line 3", "lines 3-9", "page 2", "A > B, pages 2-3", "f.g, line 1"])
def test_a_place_reads_as_it_was_written(text: str) -> None:
    assert str(Place.parse(text)) == text


@pytest.mark.models
def test_the_models_own_tokenizer_counts_no_more() -> None:
    """Over this project's own prose and code; what it counted more of would not be found by its meaning."""
    if not cache.installed(MODEL):
        reason = f"The model {MODEL} is not installed; run `jarvis models pull {MODEL}`."
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(cache.locate(MODEL) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    files = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "jarvis" / "node").glob("*.py"))[:20]]
    counted = []
    for path in files:
        for chunk in split(processor_for(path, PROCESSORS).read(path, FileLimits())):
            counted.append(len(tokenizer.encode(chunk.text).ids))
    assert len(counted) > 300
    over = sum(count > MAX_TOKENS for count in counted)
    assert over <= len(counted) / 100, f"{over} of {len(counted)} are over, the longest {max(counted)}"


def test_what_is_embedded_stands_below_its_headings_once() -> None:
    assert in_its_place("Oven > Care > Grill", "Grill\n\nDescale it.") == "Oven > Care > Grill\n\nDescale it."
    assert in_its_place("Oven > Care", "Oven\n\nCare\n\nCare") == "Oven > Care\n\nCare"
    assert in_its_place("Shelf.add, lines 3-9", "def add():\n    pass") == "Shelf.add\n\ndef add():\n    pass"
    for place in ("", "page 3", "lines 1-2"):
        assert in_its_place(place, "Words.") == "Words."
