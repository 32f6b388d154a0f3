"""Lengths of time, from words and to words: "an hour and a half", "1h 30", "ninety seconds". Pure; reads English.
Never guesses: a number without its unit is not a length, except after a larger unit ("one hour thirty")."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from jarvis.assistant.wording.figures import SMALL, TENS, at, cardinal, under_hundred

_UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "minuet": 60, "minuets": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600, "our": 3600, "ours": 3600,
    "day": 86400, "days": 86400,
}  # fmt: skip
_SOUNDS_LIKE = {"to": 2, "too": 2}
"""What recognisers write for "two". Believed only right before a unit."""
_MOST = 10**9
"""A larger number of a unit is no length a person means."""

UNIT_WORDS = frozenset(_UNITS)
NUMBER_WORDS = frozenset(SMALL) | frozenset(TENS) | {"hundred", "thousand", "half", "quarter", "couple"}

_Found = tuple[Fraction, int]


def is_number(word: str) -> bool:
    return word[:1].isdigit() or word in NUMBER_WORDS


def parse_duration(words: Sequence[str]) -> int | None:
    """Whole seconds when `words` are one length of time and nothing else."""
    found = duration_at(words, 0)
    return found[0] if found is not None and found[1] == len(words) else None


def duration_at(words: Sequence[str], start: int) -> tuple[int, int] | None:
    """The longest length of time that begins at `start`, as (seconds, index after)."""
    first = _quantity(words, start)
    if first is None:
        return None
    total, unit, position = first
    while True:
        following = _quantity(words, position + (at(words, position) == "and"))
        if following is not None and following[1] < unit:
            total, unit, position = total + following[0], following[1], following[2]
            continue
        bare = _bare_remainder(words, position, unit)
        if bare is not None:
            total, position = total + bare[0], bare[1]
        return round(total), position


def number_at(words: Sequence[str], start: int, *, one_word: bool = False) -> tuple[int, int] | None:
    """A whole number under a hundred that begins at `start`, in digits or words, as (number, index after)."""
    word = at(words, start)
    if word.isdigit() and word.isascii() and len(word) <= 2:
        return int(word), start + 1
    if one_word:
        return (SMALL[word], start + 1) if word in SMALL else None
    return under_hundred(words, start)


def _quantity(words: Sequence[str], start: int) -> tuple[Fraction, int, int] | None:
    """A number with its unit, and a half of it: (seconds, seconds of the unit, index after)."""
    if at(words, start) in ("a", "the") and at(words, start + 1) == "second" and at(words, start + 2) == "timer":
        return None  # the second timer, not one of a second
    number = _number(words, start)
    if number is None:
        if at(words, start) not in _SOUNDS_LIKE or start == 0:
            return None
        number = Fraction(_SOUNDS_LIKE[words[start]]), start + 1
    value, position = number
    if value > _MOST:
        return None
    position += at(words, position) == "more"
    unit = _unit(at(words, position))
    if unit is None:
        return None
    position += 1
    part = _and_a_part(words, position)
    if part is not None and _unit(at(words, part[1])) is None and at(words, part[1]) not in ("of", "an", "a"):
        value, position = value + part[0], part[1]
    return value * unit, unit, position


def _bare_remainder(words: Sequence[str], position: int, unit: int) -> _Found | None:
    """ "thirty" in "one hour thirty" or "an hour and thirty": a number of the next smaller unit, at the end or right
    before "timer"."""
    if unit not in (60, 3600):
        return None
    position += at(words, position) == "and"
    number = cardinal(words, position) if at(words, position) != "one" else None  # "the ten minute one"
    if number is None or number[0] >= 60 or at(words, number[1]) not in ("", "timer"):
        return None
    return number[0] * (unit // 60), number[1]


def _unit(word: str) -> int | None:
    return _UNITS.get(word.removesuffix("'s"))


def _number(words: Sequence[str], start: int) -> _Found | None:
    """A number before a unit: whole, decimal, with a fraction, or a fraction of one ("half an")."""
    part = _part_of(words, start)
    if part is not None:
        return part
    word, after = at(words, start), at(words, start + 1)
    if word in ("a", "an"):
        if after == "couple":
            return Fraction(2), start + 2 + (at(words, start + 2) == "of")
        if after in ("hundred", "thousand"):
            return cardinal(words, start)
        return (Fraction(1), start + 1) if _unit(after) is not None else None
    if word == "couple":
        return Fraction(2), start + 1 + (after == "of")
    whole = cardinal(words, start)
    if whole is None:
        return None
    more = _and_a_part(words, whole[1])
    return (whole[0] + more[0], more[1]) if more is not None else whole


def _part_of(words: Sequence[str], start: int) -> _Found | None:
    """ "half an", "half", "a half", "a quarter of an", "three quarters of an"."""
    position = start + (at(words, start) in ("a", "one"))
    word = at(words, position)
    if word == "half":
        value = Fraction(1, 2)
    elif word == "quarter":
        value = Fraction(1, 4)
    elif at(words, start) in ("three", "3") and at(words, start + 1) == "quarters":
        value, position = Fraction(3, 4), start + 1
    else:
        return None
    position += 1
    position += at(words, position) == "of"
    position += at(words, position) in ("a", "an")
    return value, position


def _and_a_part(words: Sequence[str], position: int) -> _Found | None:
    """ "and a half", "and a quarter", "and three quarters", or a half written as one sign."""
    if at(words, position) == "half":
        return Fraction(1, 2), position + 1
    if at(words, position) != "and":
        return None
    first, second = at(words, position + 1), at(words, position + 2)
    if first in ("a", "one") and second in ("half", "quarter"):
        return Fraction(1, 2 if second == "half" else 4), position + 3
    if first == "half":
        return Fraction(1, 2), position + 2
    if first in ("three", "3") and second == "quarters":
        return Fraction(3, 4), position + 3
    return None


def say_duration(seconds: float) -> str:
    """ "1 hour, 30 minutes and 5 seconds". Rounded to whole seconds; below one it says "0 seconds"."""
    left = max(0, round(seconds))
    parts = []
    for unit, name in ((3600, "hour"), (60, "minute"), (1, "second")):
        count, left = divmod(left, unit)
        if count:
            parts.append(f"{count} {name}{'s' if count != 1 else ''}")
    if not parts:
        return "0 seconds"
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
