"""Numbers, from words: "1,200", "two thousand five hundred", "minus three point one four", "two and a half million".
Exact. Pure; reads English."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
SMALL = {word: value for value, word in enumerate(f"{_ONES} eighteen nineteen".split())}
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - one line
TENS = {word: 10 * value for value, word in enumerate(_DECADES, start=2)} | {"fourty": 40}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}
_MAX_DIGITS = 15
"""A longer string of digits is no number a person says."""

Figure = tuple[Fraction, int]
"""A number, and the index after its words."""


def figure(words: Sequence[str], start: int) -> Figure | None:
    """The longest number that begins at `start`."""
    if at(words, start) in ("minus", "negative"):
        positive = figure(words, start + 1) if at(words, start + 1) not in ("minus", "negative") else None
        return None if positive is None else (-positive[0], positive[1])
    part = _part(words, start)
    if part is not None:
        return part
    whole = cardinal(words, start)
    if whole is None:
        return None
    value, position = whole
    if at(words, position) == "and" and at(words, position + 1) in ("a", "one", "half"):
        part = _part(words, position + 1)
        if part is not None:
            value, position = value + part[0], part[1]
    scale = _SCALES.get(at(words, position))
    return (value, position) if scale is None else (value * scale, position + 1)


def cardinal(words: Sequence[str], start: int) -> Figure | None:
    """Digits or number words, with a decimal part if any, without parts such as "and a half"."""
    total, position, below = Fraction(0), start, 10**15
    some = False
    while True:
        joint = position + (some and at(words, position) == "and")
        group = _group(words, joint, first=not some)
        if group is None:
            break
        value, after = group
        scale = _SCALES.get(at(words, after), 1)
        if scale >= below or (some and (value >= below or at(words, joint)[:1].isdigit())):
            break
        total, position, below, some = total + value * scale, after + (scale > 1), scale, True
        if scale == 1:
            break
    return (total, position) if some else None


def under_hundred(words: Sequence[str], start: int) -> tuple[int, int] | None:
    word = at(words, start)
    if word in SMALL:
        return SMALL[word], start + 1
    if word in TENS:
        ones = SMALL.get(at(words, start + 1), 0)
        return (TENS[word] + ones, start + 2) if 1 <= ones <= 9 else (TENS[word], start + 1)
    return None


def digits(word: str) -> Fraction | None:
    if len(word) > _MAX_DIGITS or not word.isascii():
        return None
    whole, *rest = word.split(",")
    if rest and all(len(three) == 3 and three.partition(".")[0].isdigit() for three in rest[:-1]):
        last = rest[-1].partition(".")
        if len(last[0]) == 3 and 1 <= len(whole) <= 3:
            word = word.replace(",", "")  # 1,200
    try:
        return Fraction(word.replace(",", "."))
    except ValueError:
        return None  # 1.2.3


def at(words: Sequence[str], position: int) -> str:
    return words[position] if 0 <= position < len(words) else ""


def _group(words: Sequence[str], start: int, *, first: bool) -> Figure | None:
    """What stands before a "thousand": digits, or up to "nine hundred and ninety nine", or "a"."""
    word = at(words, start)
    if word[:1].isdigit():
        value = digits(word)
        if value is None or value.denominator > 1:
            return None if value is None else (value, start + 1)
        return _decimals(words, value, start + 1)
    if word in ("a", "an") and first and at(words, start + 1) in ("hundred", *_SCALES):
        value, position = Fraction(1), start + 1
    else:
        small = under_hundred(words, start)
        if small is None:
            return None
        value, position = Fraction(small[0]), small[1]
    if at(words, position) == "hundred":
        value, position = value * 100, position + 1
        rest = under_hundred(words, position + (at(words, position) == "and"))
        if rest is not None:
            value, position = value + rest[0], rest[1]
    return _decimals(words, value, position)


def _decimals(words: Sequence[str], value: Fraction, position: int) -> Figure:
    """ "point one four": digits one by one, or 14 as a recogniser writes it."""
    if at(words, position) != "point":
        return value, position
    unit, after = Fraction(1, 10), position + 1
    while ((word := at(words, after)) in SMALL and SMALL[word] < 10) or (word == "oh" and after > position + 1):
        value, unit, after = value + unit * SMALL.get(word, 0), unit / 10, after + 1
    if after == position + 1:
        word = at(words, after)
        if not (word.isdigit() and word.isascii() and len(word) < _MAX_DIGITS):
            return value, position
        value, after = value + Fraction(int(word), 10 ** len(word)), after + 1
    return value, after


def _part(words: Sequence[str], start: int) -> Figure | None:
    """ "half", "a half", "one third", "three quarters" (of a): below one."""
    word, after = at(words, start), at(words, start + 1)
    if word in ("half", "quarter"):
        value, position = _PARTS[word], start + 1
    elif word in ("a", "one") and after in _PARTS:
        value, position = _PARTS[after], start + 2
    elif (count := SMALL.get(word, int(word) if word in "2345" and word else 0)) > 1 and after.removesuffix(
        "s"
    ) in _PARTS:
        if not after.endswith("s"):
            return None
        value, position = count * _PARTS[after.removesuffix("s")], start + 2
    else:
        return None
    if at(words, position) in ("a", "an"):
        position += 1
    elif at(words, position) == "of" and at(words, position + 1) in ("a", "an"):
        position += 2
    return value, position
