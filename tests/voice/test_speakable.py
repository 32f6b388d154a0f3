"""What a voice says of written text, and where it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.voice.speakable import MAX_CHARACTERS, Sentences, speakable, under_sixty


def cut(text: str, size: int = 3) -> list[str]:
    splitter = Sentences()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [one for piece in pieces for one in splitter.feed(piece)] + list(splitter.flush())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold** and _soft_ and `code`.", "Bold and soft and code."),
        ("See [the page](https://a.example/x_(y)?z=1).", "See the page."),
        ("Go to https://a.example/path?q=1.", "Go to a link."),
        ("Done! 🎉✅", "Done!"),
        ("# Title", "Title"),
        ("- an item", "an item"),
        ("It is 10:30.", "It is ten thirty."),
        ("It is 7:05 pm.", "It is seven oh five P M."),
        ("At 12:00.", "At twelve o'clock."),
        ("At 14:00", "At fourteen hundred hours"),
        ("20 °C and -3°", "20 degrees Celsius and minus 3 degrees"),
        ("5 km in 10 min, 1 kg", "5 kilometres in 10 minutes, 1 kilogram"),
        ("50% of $3.50", "50 percent of 3.50 dollars"),
        ("salt & pepper", "salt and pepper"),
        ("snake_case stays", "snake_case stays"),
        ("I'm 5 months in", "I'm 5 months in"),
        ("🎉 *** ---", ""),
        ("", ""),
    ],
)
def test_what_is_said(written: str, said: str) -> None:
    assert speakable(written) == said


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith is in. He waits.", ["Dr. Smith is in.", "He waits."]),
        ("J. R. Smith said 3.14 is pi. Yes!", ["J. R. Smith said 3.14 is pi.", "Yes!"]),
        ("Use it, e.g. here. Or not?", ["Use it, e.g. here.", "Or not?"]),
        ("1. Salt\n2. Oil\n", ["1. Salt", "2. Oil"]),
        ("He said “stop.” Then he left.", ["He said “stop.”", "Then he left."]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("No end", ["No end"]),
        ("Before. ```python\nx = 1. Y\n``` After.", ["Before.", "After."]),
        ("Open ```and never closed. Really.", ["Open"]),
        ("", []),
    ],
)
def test_where_it_is_cut(text: str, sentences: list[str], size: int) -> None:
    assert cut(text, size) == sentences


def test_the_first_sentence_comes_while_the_rest_is_being_written() -> None:
    splitter = Sentences()
    assert list(splitter.feed("It is ten thirty.")) == []  # it might be "ten thirty.5"
    assert list(splitter.feed(" And")) == ["It is ten thirty."]


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
        assert "```" not in part and not re.search(r"\*|https?://", part)


@given(
    st.lists(st.sampled_from(["Yes.", "No!", "It is so, is it not?", "Dr. No came."]), max_size=20), st.integers(1, 9)
)
def test_no_word_is_lost_or_said_twice(sentences: list[str], size: int) -> None:
    assert " ".join(cut(" ".join(sentences), size)) == " ".join(sentences)


def test_memory_is_bounded_for_text_without_an_end() -> None:
    splitter = Sentences()
    for _ in range(200):
        assert list(splitter.feed("x" * 1000)) == []
        assert len(splitter._buffer) <= 5_000


def test_numbers_in_words() -> None:
    assert [under_sixty(n) for n in (0, 9, 10, 19, 20, 21, 59)] == [
        "zero", "nine", "ten", "nineteen", "twenty", "twenty-one", "fifty-nine",
    ]  # fmt: skip
