"""Lengths of time survive being spoken and read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.assistant.wording.durations import duration_at, parse_duration, say_duration
from jarvis.assistant.wording.words import split

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    """A number below 1000 as it is spoken."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return " ".join(filter(None, [TENS[number // 10 - 2], ONES[number % 10] if number % 10 else ""]))
    rest = number % 100
    return f"{ONES[number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")


def read(text: str) -> int | None:
    return parse_duration([word.text for word in split(text)])


@given(st.integers(1, 48 * 3600))
def test_what_is_said_is_read_again(seconds: int) -> None:
    assert read(say_duration(seconds)) == seconds


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.sampled_from([" ", " and ", ", ", "-"]))
def test_spelled_lengths_are_read(hours: int, minutes: int, seconds: int, joint: str) -> None:
    parts = [(hours, "hour"), (minutes, "minute"), (seconds, "second")]
    spoken = joint.join(f"{in_words(n)} {unit}{'s' if n != 1 else ''}" for n, unit in parts if n)
    if spoken:
        assert read(spoken) == 3600 * hours + 60 * minutes + seconds


@given(st.integers(1, 200), st.sampled_from([("minutes", 60), ("hours", 3600)]))
def test_halves_and_quarters(count: int, unit: tuple[str, int]) -> None:
    name, seconds = unit
    assert read(f"{in_words(count)} and a half {name}") == count * seconds + seconds // 2
    assert read(f"{in_words(count)} {name} and a half") == count * seconds + seconds // 2
    assert read(f"{count} and three quarters {name}") == count * seconds + 3 * seconds // 4
    assert read(f"{count}.5 {name}") == count * seconds + seconds // 2


@pytest.mark.parametrize(
    "text",
    ["", "ten", "minutes", "and a half", "half", "a couple", "1.2.3 minutes", "9999999999 seconds", "ten apples",
     "ten minutes ago", "the second timer", "to", "for minutes", "ten minutes twenty eggs"],
)  # fmt: skip
def test_what_is_no_length_is_not_guessed(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=300))
def test_any_text_is_searched_quietly(text: str) -> None:
    words = [word.text for word in split(text)]
    for start in range(len(words)):
        found = duration_at(words, start)
        assert found is None or (found[0] >= 0 and start < found[1] <= len(words))
