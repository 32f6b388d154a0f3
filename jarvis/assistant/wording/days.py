"""Days, from words: weekdays, dates without or with a year, and days that come again ("every weekday", "Monday to
Friday", "on weekends"). Pure; reads English. A day is written `today`, `tomorrow`, `monday`, `12-24` or
`2027-12-24`; days that come again are `mon` to `sun`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from jarvis.assistant.wording.figures import SMALL, TENS, at, digits, under_hundred

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORT = tuple(day[:3] for day in WEEKDAYS)
WORKDAYS, WEEKEND = SHORT[:5], SHORT[5:]
_SHORTENED = {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4, "sat": 5}
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12, "twentieth": 20,
    "thirtieth": 30,
} | {f"{word}th": value for word, value in SMALL.items() if value in (4, 6, 7, 10, 11, *range(13, 20))}  # fmt: skip
_ENDINGS = ("st", "nd", "rd", "th")
_REPEATED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("every", "day"): SHORT, ("each", "day"): SHORT, ("everyday",): SHORT, ("daily",): SHORT,
    ("every", "single", "day"): SHORT, ("every", "weekday"): WORKDAYS, ("each", "weekday"): WORKDAYS,
    ("weekdays",): WORKDAYS, ("weekday",): WORKDAYS, ("every", "workday"): WORKDAYS, ("workdays",): WORKDAYS,
    ("every", "working", "day"): WORKDAYS, ("working", "days"): WORKDAYS, ("during", "the", "week"): WORKDAYS,
    ("every", "weekend"): WEEKEND, ("weekends",): WEEKEND, ("the", "weekends"): WEEKEND,
}  # fmt: skip


def weekday(word: str) -> int | None:
    """0 for Monday."""
    if word in WEEKDAYS:
        return WEEKDAYS.index(word)
    return _SHORTENED.get(word)


def day_at(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """One day that begins at `start`, and the index after it."""
    position = start + (at(words, start) == "on")
    word = at(words, position)
    if word in ("today", "tomorrow") and position == start:
        return word, position + 1
    position += word in ("this", "next", "coming") and weekday(at(words, position + 1)) is not None
    number = weekday(at(words, position))
    if number is not None:
        return WEEKDAYS[number], position + 1
    return _date_at(words, position)


def every_at(words: Sequence[str], start: int) -> tuple[tuple[str, ...], int] | None:
    """The days of a week on which something comes again, and the index after them."""
    begin = start + (at(words, start) in ("on", "at", "from"))
    for phrase, days in _REPEATED.items():
        if tuple(words[begin : begin + len(phrase)]) == phrase:
            return days, begin + len(phrase)
    first = weekday(at(words, begin))
    last = weekday(at(words, begin + 2)) if at(words, begin + 1) in ("to", "through", "till", "until") else None
    if first is not None and last is not None:
        return tuple(SHORT[(first + more) % 7] for more in range((last - first) % 7 + 1)), begin + 3
    every = at(words, begin) in ("every", "each")
    numbers, position = _weekdays(words, begin + every)
    if every and not numbers and at(words, begin + 1) in ("morning", "evening", "afternoon", "night"):
        return SHORT, begin + 1  # what half of the day it is, is read after
    plural = any(word.endswith("days") for word in words[begin:position])
    return (tuple(SHORT[number] for number in sorted(numbers)), position) if numbers and (every or plural) else None


def date_of(day: str, now: datetime) -> date | None:
    """The next such day, today included; None for a word that is no day, and for 29 February in most years."""
    today = now.date()
    if day in ("today", "tomorrow"):
        return today + timedelta(days=day == "tomorrow")
    if day in WEEKDAYS:
        return today + timedelta(days=(WEEKDAYS.index(day) - today.weekday()) % 7)
    try:
        if len(day) > 5:
            return date.fromisoformat(day)
        this = date.fromisoformat(f"{today.year}-{day}")
        return this if this >= today else date.fromisoformat(f"{today.year + 1}-{day}")
    except ValueError:
        return None


def _weekdays(words: Sequence[str], start: int) -> tuple[set[int], int]:
    """ "Monday, Wednesday and Fridays"."""
    found: set[int] = set()
    position = start
    while True:
        joint = position + (bool(found) and at(words, position) == "and")
        word = at(words, joint)
        number = weekday(word)
        if number is None and word.endswith("s"):
            number = weekday(word[:-1])
        if number is None:
            return found, position
        found.add(number)
        position = joint + 1


def _date_at(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """ "December 24th", "the twenty fourth of December", "24 December 2027"."""
    position = start + (at(words, start) == "the")
    if at(words, position) in _MONTHS:
        month = _MONTHS.index(at(words, position))
        position += 1
        day = _ordinal(words, position + (at(words, position) == "the"))
    else:
        day = _ordinal(words, position)
        if day is None:
            return None
        position = day[1] + (at(words, day[1]) == "of")
        if at(words, position) not in _MONTHS:
            return None
        month = _MONTHS.index(at(words, position))
        day = day[0], position + 1
    if day is None or not 1 <= day[0] <= _MONTH_LENGTHS[month]:
        return None
    year = at(words, day[1])
    written = f"{month + 1:02d}-{day[0]:02d}"
    if len(year) == 4 and year.isdigit() and year.isascii() and year >= "1900":
        return f"{year}-{written}", day[1] + 1
    return written, day[1]


def _ordinal(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """ "24th", "24", "twenty fourth", "twenty four"."""
    word = at(words, start)
    if word[:1].isdigit():
        value = digits(word)
        if value is None or value.denominator != 1:
            return None
        return int(value), start + 1 + (at(words, start + 1) in _ENDINGS)
    if word in _ORDINALS:
        return _ORDINALS[word], start + 1
    if word in TENS and (more := _ORDINALS.get(at(words, start + 1), 99)) < 10:
        return TENS[word] + more, start + 2
    return under_hundred(words, start)
