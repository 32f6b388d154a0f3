"""Where text that is still being written is cut for the voice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.voice.speaking.sentences import CODE, EARLY_CHARACTERS, MAX_CHARACTERS, Sentences
from jarvis.voice.speaking.sentences import cut as cut_whole


def cut(text: str, size: int = 3) -> list[str]:
    splitter = Sentences()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [one for piece in pieces for one in splitter.feed(piece)] + list(splitter.flush())


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith is in. He waits.", ["Doctor Smith is in.", "He waits."]),
        ("J. R. Smith said 3.14 is pi. Yes!", ["J. R. Smith said 3.14 is pi.", "Yes!"]),
        ("Use it, e.g. here. Or not?", ["Use it, for example here.", "Or not?"]),
        ("1. Salt\n2. Oil\n", ["1. Salt", "2. Oil"]),
        ("He said “stop.” Then he left.", ["He said “stop.”", "Then he left."]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("No end", ["No end"]),
        ("Come at 5 p.m. Then we eat.", ["Come at five PM.", "Then we eat."]),
        ("Come at 5 p.m. or later.", ["Come at five PM or later."]),
        ("She said no. Then No. 5 came.", ["She said no.", "Then number 5 came."]),
        ("It was in Dec. I think so.", ["It was in Dec.", "I think so."]),
        ("On Dec. 5 we met. So.", ["On December fifth we met.", "So."]),
        ("Made by Foo Inc. in May. Yes.", ["Made by Foo Inc. in May.", "Yes."]),
        ("Made in the U.S. It is good.", ["Made in the U.S.", "It is good."]),
        ("Bread, milk, etc. Then home.", ["Bread, milk, et cetera.", "Then home."]),
        ("Before. ```python\nx = 1. Y\n``` After.", ["Before.", CODE, "After."]),
        ("Look: ```x``` and ```y``` too.", ["Look:", CODE, "and", CODE, "too."]),
        ("Open ```and never closed. Really.", ["Open", CODE]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\nEnd", ["a, b.", "1, 2.", "End"]),
        ("", []),
    ],
)
def test_where_it_is_cut(text: str, sentences: list[str], size: int) -> None:
    assert cut(text, size) == sentences


def test_the_first_sentence_comes_while_the_rest_is_being_written() -> None:
    splitter = Sentences()
    assert list(splitter.feed("It is ten thirty.")) == []  # it might be "ten thirty.5"
    assert list(splitter.feed(" And")) == ["It is ten thirty."]


def test_the_first_clause_comes_while_its_sentence_is_being_written() -> None:
    splitter = Sentences()
    assert list(splitter.feed("The weather looks fine today,")) == []
    assert list(splitter.feed(" though I cannot")) == ["The weather looks fine today,"]
    assert list(splitter.feed(" say, for certain, what tomorrow brings")) == []
    assert list(splitter.feed(". So")) == ["though I cannot say, for certain, what tomorrow brings."]


@pytest.mark.parametrize(
    "text",
    [
        "Well, it is",  # too short to cover the making of the next
        "Today is already Saturday, November 21, 2026, I think",
        "He asked (as everybody does, always) for",
        'The old man called out "come, my friends, and',
        "Take the **very, very long, and winding** road",
        "There were as many as 1,000 of them over there",
        "Read [the first, the second, and the third](https://a.example/x",
    ],
)
def test_the_first_clause_is_never_torn(text: str) -> None:
    splitter = Sentences()
    early = [one for char in text for one in splitter.feed(char)]
    assert all(len(one) >= EARLY_CHARACTERS and one.endswith((",", ";", ":", "–")) for one in early)
    for one in early:
        assert one.count("(") == one.count(")") and one.count('"') % 2 == 0 and "[" not in one
        assert not one.endswith(("Saturday,", "21,", "1,", "very,"))


def test_a_text_that_is_whole_is_not_cut_early() -> None:
    assert cut_whole("The weather looks fine today, though I may err.") == [
        "The weather looks fine today, though I may err."
    ]


def test_long_sentences_are_cut_where_one_breathes() -> None:
    text = (
        "The weather looks fine today, though I cannot say for certain what tomorrow brings, because the wind has "
        "turned and the clouds are coming in from the sea."
    )
    parts = cut(text)
    assert parts[0] == "The weather looks fine today,"
    assert all(len(part) <= 80 for part in parts)
    assert " ".join(parts) == text


@given(st.text(max_size=600), st.integers(1, 50))
def test_it_always_ends_with_parts_a_voice_can_take(text: str, size: int) -> None:
    for part in cut(text, size):
        assert part and len(part) <= MAX_CHARACTERS
        assert "```" not in part and not re.search(r"\*|https?://[a-z]", part)


@given(
    st.lists(st.sampled_from(["Yes.", "No!", "It is so, is it not?", "Doctor No came."]), max_size=20),
    st.integers(1, 9),
)
def test_no_word_is_lost_or_said_twice(sentences: list[str], size: int) -> None:
    assert " ".join(cut(" ".join(sentences), size)) == " ".join(sentences)


WORDS = st.sampled_from(
    ["Mr.", "e.g.", "etc.", "p.m.", "no.", "Dec.", "one", "Two", "three,", "four;", "“five”", "(six", "7)"]
)


@given(st.lists(WORDS, max_size=40), st.integers(1, 9))
def test_how_it_arrives_changes_no_word(words: list[str], size: int) -> None:
    """Only where the very first clause ends may depend on the pace."""
    text = " ".join(words)
    assert _bare(cut(text, size)) == _bare(cut_whole(text))


def _bare(parts: list[str]) -> list[str]:
    return re.findall(r"\w+", " ".join(parts))


def test_memory_is_bounded_for_text_without_an_end() -> None:
    splitter = Sentences()
    for _ in range(200):
        assert list(splitter.feed("x" * 1000)) == []
        assert len(splitter._buffer) <= 5_000
