"""Days and numbers as people say them."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction

import pytest

from jarvis.assistant.wording.days import date_of, day_at, every_at
from jarvis.assistant.wording.figures import figure
from jarvis.assistant.wording.moments import Moment, next_moment, when_at
from jarvis.assistant.wording.words import split

NOW = datetime(2026, 11, 21, 22, 30)  # a Saturday
WORK = ("mon", "tue", "wed", "thu", "fri")


def texts(text: str) -> list[str]:
    return [word.text for word in split(text)]


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("every weekday", WORK),
        ("Monday to Friday", WORK),
        ("from Monday through Wednesday", ("mon", "tue", "wed")),
        ("Friday to Monday", ("fri", "sat", "sun", "mon")),
        ("on weekends", ("sat", "sun")),
        ("every Monday, Wednesday and Friday", ("mon", "wed", "fri")),
        ("Mondays and Fridays", ("mon", "fri")),
        ("each day", (*WORK, "sat", "sun")),
    ],
)
def test_days_that_come_again(said: str, days: tuple[str, ...]) -> None:
    assert every_at(texts(said), 0) == (days, len(texts(said)))


@pytest.mark.parametrize("said", ["Monday", "on Friday", "every timer", "to Friday", "Monday and"])
def test_a_day_that_comes_once_does_not_come_again(said: str) -> None:
    assert every_at(texts(said), 0) is None


@pytest.mark.parametrize(
    ("said", "day", "meant"),
    [
        ("next Tuesday", "tuesday", date(2026, 11, 24)),
        ("on Saturday", "saturday", date(2026, 11, 21)),
        ("December 24th", "12-24", date(2026, 12, 24)),
        ("the twenty fourth of December", "12-24", date(2026, 12, 24)),
        ("the 3rd of May", "05-03", date(2027, 5, 3)),
        ("1 June 2028", "2028-06-01", date(2028, 6, 1)),
        ("tomorrow", "tomorrow", date(2026, 11, 22)),
    ],
)
def test_one_day(said: str, day: str, meant: date) -> None:
    assert day_at(texts(said), 0) == (day, len(texts(said)))
    assert date_of(day, NOW) == meant


@pytest.mark.parametrize("said", ["the 32nd of May", "February 30", "the second", "may", "12"])
def test_what_is_no_day(said: str) -> None:
    assert day_at(texts(said), 0) is None


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        (Moment(22, 0, None, "saturday"), datetime(2026, 11, 28, 22, 0)),
        (Moment(9, 0, "am", "sunday"), datetime(2026, 11, 22, 9, 0)),
        (Moment(8, 0, "pm", "12-24"), datetime(2026, 12, 24, 20, 0)),
        (Moment(11, 0, None, "saturday"), datetime(2026, 11, 28, 11, 0)),
        (Moment(11, 0, None, None), datetime(2026, 11, 21, 23, 0)),
    ],
)
def test_the_next_time_on_that_day(moment: Moment, at: datetime) -> None:
    assert next_moment(moment, NOW) == at


def test_a_time_with_days_before_or_after_it() -> None:
    meant = (Moment(6, 45), WORK)
    for said in ("every weekday at 6:45", "quarter to seven Monday to Friday", "at 6:45 on weekdays"):
        found = when_at(texts(said), 0)
        assert found is not None and found[:2] == meant and found[2] == len(texts(said)), said
    assert when_at(texts("every morning at eight"), 0) == (Moment(8, 0, "am"), (*WORK, "sat", "sun"), 4)


def test_digits_run_together_are_a_time_where_one_must_stand() -> None:
    assert when_at(texts("at 630 tomorrow"), 0) == (Moment(6, 30, None, "tomorrow"), (), 3)
    assert when_at(texts("930 pm"), 0) == (Moment(9, 30, "pm"), (), 2)
    for said in ("500", "pay 500", "at 675", "at 2460"):
        assert when_at(texts(said), 0) is None


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("two thousand five hundred and six", 2506),
        ("1,200", 1200),
        ("minus three point one four", Fraction(-314, 100)),
        ("3 point 14", Fraction(314, 100)),
        ("two and a half million", 2_500_000),
        ("a hundred and one", 101),
        ("three quarters of a", Fraction(3, 4)),
        ("one million two hundred thousand", 1_200_000),
    ],
)
def test_numbers(said: str, value: Fraction) -> None:
    assert figure(texts(said), 0) == (value, len(texts(said)))


@pytest.mark.parametrize("said", ["a cup", "minus", "and five", "1.2.3", "many"])
def test_what_is_no_number(said: str) -> None:
    assert figure(texts(said), 0) is None
