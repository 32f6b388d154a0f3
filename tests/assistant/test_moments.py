"""Times of day as people say them, and which one is meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.assistant.wording.moments import Moment, next_moment, say_moment, when_at
from jarvis.assistant.wording.words import split

NOW = datetime(2026, 11, 21, 15, 7, tzinfo=timezone(timedelta(hours=1)))


def moment(text: str) -> Moment | None:
    words = [word.text for word in split(text)]
    found = when_at(words, 0)
    return found[0] if found is not None and not found[1] and found[2] == len(words) else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seven", "7:00 PM"),
        ("7", "7:00 PM"),
        ("7 am", "7:00 AM tomorrow"),
        ("seven a.m.", "7:00 AM tomorrow"),
        ("7:30", "7:30 PM"),
        ("07:30", "7:30 PM"),
        ("19:30", "7:30 PM"),
        ("7.30 in the morning", "7:30 AM tomorrow"),
        ("seven thirty", "7:30 PM"),
        ("six oh five", "6:05 PM"),
        ("seven o'clock", "7:00 PM"),
        ("half past three", "3:30 PM"),
        ("half past two", "2:30 AM tomorrow"),
        ("quarter to four", "3:45 PM"),
        ("a quarter past six in the evening", "6:15 PM"),
        ("ten past five", "5:10 PM"),
        ("ten minutes to one", "12:50 AM tomorrow"),
        ("noon", "12:00 PM tomorrow"),
        ("midnight", "12:00 AM tomorrow"),
        ("12", "12:00 AM tomorrow"),
        ("12 pm", "12:00 PM tomorrow"),
        ("tomorrow at seven", "7:00 AM tomorrow"),
        ("seven tomorrow", "7:00 AM tomorrow"),
        ("seven tomorrow evening", "7:00 PM tomorrow"),
        ("eight tonight", "8:00 PM"),
        ("seven in the morning tomorrow", "7:00 AM tomorrow"),
        ("three", "3:00 AM tomorrow"),
        ("23:59", "11:59 PM"),
        ("0:30", "12:30 AM tomorrow"),
    ],
)
def test_a_moment_is_the_next_one_that_is_meant(text: str, expected: str) -> None:
    found = moment(text)
    assert found is not None
    at = next_moment(found, NOW)
    assert say_moment(at, NOW) == expected and at > NOW


@pytest.mark.parametrize(
    "text", ["", "pasta", "25:00", "7:75", "7 5", "half seven eight", "ten minutes", "at", "7 people"]
)
def test_what_is_no_time_of_day_is_none(text: str) -> None:
    assert moment(text) is None


WORDS = ["half", "past", "to", "seven", "7", "30", "12", "am", "pm", "o'clock", "tomorrow", "a", "quarter", "in", "the"]


@given(st.lists(st.sampled_from([*WORDS, "morning", "at"])))
def test_any_words_are_understood_or_not_and_what_is_lies_within_two_days(words: list[str]) -> None:
    found = when_at(words, 0)
    if found is not None:
        at = next_moment(found[0], NOW)
        assert NOW < at <= NOW + timedelta(days=2) and not found[1] and 0 < found[2] <= len(words)
