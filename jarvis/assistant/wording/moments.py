"""Times of day, from words and to words: "seven", "half past six in the evening", "tomorrow at 7:30". Pure; reads
English. A time without "am" or "pm" is the next one that comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jarvis.assistant.wording.days import WEEKDAYS, date_of, day_at, every_at
from jarvis.assistant.wording.durations import number_at

Half = Literal["am", "pm"]

_NAMED: dict[str, tuple[int, int, Half]] = {"noon": (12, 0, "pm"), "midday": (12, 0, "pm"), "midnight": (12, 0, "am")}
_HALVES: list[tuple[tuple[str, ...], Half]] = [
    (("a", "m"), "am"),
    (("p", "m"), "pm"),
    (("am",), "am"),
    (("pm",), "pm"),
    (("in", "the", "morning"), "am"),
    (("in", "the", "afternoon"), "pm"),
    (("in", "the", "evening"), "pm"),
    (("at", "night"), "pm"),
    (("tonight",), "pm"),
    (("this", "evening"), "pm"),
    (("this", "afternoon"), "pm"),
    (("this", "morning"), "am"),
]


@dataclass(frozen=True, slots=True)
class Moment:
    hour: int
    """0 to 23, or 1 to 12 while nobody has said which half of the day."""
    minute: int
    half: Half | None = None
    day: str | None = None
    """`today`, `tomorrow`, a weekday or a date, as `days` writes them."""

    def fits(self, at: datetime) -> bool:
        """Whether clocks may call `at` so, on whatever day."""
        hour, of = (at.hour % 12, 12) if 1 <= self.hour <= 12 else (at.hour, 24)
        return (hour, at.minute) == (self.hour % of, self.minute) and self.half in (
            None,
            "am" if at.hour < 12 else "pm",
        )


def when_at(words: Sequence[str], start: int) -> tuple[Moment, tuple[str, ...], int] | None:
    """A time of day that begins at `start`, the days of the week on which it comes again, and the index after: "every
    weekday at 6:45". A day may stand before or after it."""
    position, day, every = _days(words, start, None, ())
    position, half = _half(words, position, None) if position > start else (position, None)
    if half is None and position > start:
        position, half = _part_of_day(words, position)
    position += _at(words, position) in ("at", "for", "by") and (position > start or _at(words, position) == "at")
    clock = _clock(words, position)
    if clock is None:
        return None
    hour, minute, said, position = clock
    half = said or half
    for _ in range(2):  # "at seven tomorrow evening" and "at seven in the evening tomorrow"
        position, half = _half(words, position, half)
        after, day, every = _days(words, position, day, every)
        if after > position:
            position = after
            if half is None:
                position, half = _part_of_day(words, position)
    if half is not None and not 1 <= hour <= 12:
        half = None  # "19:30 in the evening"
    return Moment(hour, minute, half, None if every else day), every, position


def next_moment(moment: Moment, now: datetime) -> datetime:
    """The first time after `now` that is such a moment. What counts of it is what a clock on the wall shows then: on a
    night when clocks change its zone may be another than that of `now`. A date with a year may be in the past."""
    hours = [moment.hour]
    if moment.half is not None:
        hours = [moment.hour % 12 + (12 if moment.half == "pm" else 0)]
    elif 1 <= moment.hour <= 12 and moment.day in (None, "today"):
        hours = [moment.hour % 12, moment.hour % 12 + 12]
    local = now.replace(tzinfo=None)
    day = date_of(moment.day, now) if moment.day is not None else None
    first = local if day is None else datetime.combine(day, local.time())
    days = [0, 1] if day is None else [0]
    found = [
        (first + timedelta(days=more)).replace(hour=hour, minute=moment.minute, second=0, microsecond=0)
        for more in days
        for hour in hours
    ]
    again = 7 if moment.day in WEEKDAYS else 1
    late = found[-1] if _has_year(moment.day) else found[-1] + timedelta(days=again)
    return min([one for one in found if one > local] or [late]).replace(tzinfo=now.tzinfo)


def say_moment(at: datetime, now: datetime) -> str:
    """ "7:30 AM", "7:30 AM tomorrow"."""
    later = (at.date() - now.date()).days
    day = {0: "", 1: " tomorrow"}.get(later, f" on {at:%A}")
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}{day}"


def _clock(words: Sequence[str], start: int) -> tuple[int, int, Half | None, int] | None:
    """(hour, minute, half of the day if it is said by the word itself, index after)."""
    word = _at(words, start)
    if word in _NAMED:
        return (*_NAMED[word], start + 1)
    offset = _offset(words, start)
    if offset is not None and (hour := _hour(words, offset[1])) is not None:
        minutes, (value, position) = offset[0], hour
        whole = value * 60 + minutes
        return (whole // 60 % 24 or (12 if value == 1 else 0), whole % 60, None, position)
    if (run := _run_together(words, start)) is not None:
        return (*run, None, start + 1)
    whole_part, dot, rest = word.partition(".")
    if dot and whole_part.isdigit() and len(rest) == 2 and rest.isdigit():  # 7.30
        value, minute, position = int(whole_part), int(rest), start + 1
    else:
        hour = _hour(words, start)
        if hour is None:
            return None
        value, position = hour
        minute = 0
        if _at(words, position) in ("o'clock", "oclock"):
            position += 1
        elif (more := _minutes(words, position)) is not None:
            minute, position = more
    return (value, minute, None, position) if value < 24 and minute < 60 else None


def _run_together(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """ "630", as recognisers write half past six. Only where a time is bound to stand: 500 is mostly a number."""
    word = _at(words, start)
    if not (word.isdigit() and word.isascii() and len(word) in (3, 4) and int(word[:-2]) < 24 and int(word[-2:]) < 60):
        return None
    bound = _at(words, start - 1) in ("at", "for", "by") or _half(words, start + 1, None)[1] is not None
    return (int(word[:-2]), int(word[-2:])) if bound else None


def _offset(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """ "half past", "quarter to", "ten minutes past": (minutes, index after)."""
    position = start + (_at(words, start) == "a")
    word = _at(words, position)
    if word in ("half", "quarter"):
        minutes, position = (30 if word == "half" else 15), position + 1
    else:
        number = number_at(words, position)
        if number is None or not 1 <= number[0] <= 59:
            return None
        minutes, position = number
        position += _at(words, position) in ("minute", "minutes")
    direction = _at(words, position)
    if direction in ("past", "after"):
        return minutes, position + 1
    if word == "half" and (hour := _hour(words, position)) is not None and 1 <= hour[0] <= 12:
        return minutes, position  # "half six", as the British say
    return (-minutes, position + 1) if direction in ("to", "before", "till") and word != "half" else None


def _hour(words: Sequence[str], start: int) -> tuple[int, int] | None:
    number = number_at(words, start, one_word=True)
    return number if number is not None and number[0] < 24 else None


def _minutes(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """ "30", "thirty five", "oh five"; digits must be two, since "7 5" is no time."""
    word = _at(words, start)
    if word.isdigit() and len(word) != 2:
        return None
    if word in ("oh", "o", "zero"):
        number = number_at(words, start + 1, one_word=True)
        return number if number is not None and 1 <= number[0] <= 9 else None
    number = number_at(words, start)
    return number if number is not None and (word.isdigit() or number[0] >= 10) else None


def _half(words: Sequence[str], position: int, half: Half | None) -> tuple[int, Half | None]:
    for phrase, meant in _HALVES if half is None else ():
        if tuple(words[position : position + len(phrase)]) == phrase:
            return position + len(phrase), meant
    return position, half


def _days(
    words: Sequence[str], position: int, day: str | None, every: tuple[str, ...]
) -> tuple[int, str | None, tuple[str, ...]]:
    """A day, or the days of a week, unless one was said already."""
    if day is None and not every:
        if (again := every_at(words, position)) is not None:
            return again[1], None, again[0]
        if (one := day_at(words, position)) is not None:
            return one[1], one[0], every
    return position, day, every


def _part_of_day(words: Sequence[str], position: int) -> tuple[int, Half | None]:
    """ "evening" in "tomorrow evening"."""
    word = _at(words, position)
    if word not in ("morning", "afternoon", "evening", "night"):
        return position, None
    return position + 1, "am" if word == "morning" else "pm"


def _has_year(day: str | None) -> bool:
    return day is not None and len(day) == 10 and day[:4].isdigit()


def _at(words: Sequence[str], position: int) -> str:
    return words[position] if 0 <= position < len(words) else ""
