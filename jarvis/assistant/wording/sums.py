"""Sums as people say them, written in digits: "seventeen times twenty three" is `17 * 23`. It reads, and does not
reckon. Pure; reads English. What it cannot write exactly is no sum: a wrong one would be answered with confidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from jarvis.assistant.wording.figures import at, figure

MAX_NUMBERS = 10
"""Of one sum; nobody says more in a breath."""

_BETWEEN: dict[tuple[str, ...], str] = {
    ("plus",): "+", ("and", "then", "plus"): "+", ("minus",): "-", ("less",): "-", ("take", "away"): "-",
    ("times",): "*", ("multiplied", "by"): "*", ("multiplied", "with"): "*", ("x",): "*",
    ("divided", "by"): "/", ("over",): "/", ("to", "the", "power", "of"): "^",
}  # fmt: skip
_AFTER = {("squared",): 2, ("cubed",): 3}
_BEFORE: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "add": (("and", "plus", "to"), "+", False), "subtract": (("from",), "-", True), "take": (("from",), "-", True),
    "multiply": (("by", "with", "and"), "*", False),
    "divide": (("by",), "/", False), "sum": (("and",), "+", False), "product": (("and",), "*", False),
    "difference": (("and",), "-", False),
}  # fmt: skip
"""verb: (the words between its two numbers, the sign, whether the second stands first)."""
_SHARES = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
BEYOND = re.compile(r"[()√π²³!∛∑∫]|\d\d-\d+-\d|\d-\d\d+-\d|\d-\d+-\d\d")
"""Signs that change a sum and that words do not carry; and what is a date, or a telephone's number."""


def sum_at(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """The longest sum that begins at `start`, and the index after it. A number alone is none."""
    special = _verb(words, start) or _share(words, start)
    if special is not None:
        return special
    term = _term(words, start)
    if term is None:
        return None
    written, position = [term[0]], term[1]
    while len(written) < 2 * MAX_NUMBERS and (sign := _sign(words, position)) is not None:
        term = _term(words, sign[1])
        if term is None:
            break
        written += [sign[0], term[0]]
        position = term[1]
    whole = " ".join(written)
    return (whole, position) if " " in whole else None


def plain(value: Fraction) -> str | None:
    """In decimals, exactly; None when they would never end."""
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, 16):
        scaled = value * 10**places
        if scaled.denominator == 1:
            sign, number = ("-", -scaled.numerator) if scaled < 0 else ("", scaled.numerator)
            text = str(number).rjust(places + 1, "0")
            return f"{sign}{text[:-places]}.{text[-places:]}"
    return None


def number_in_decimals(words: Sequence[str], start: int) -> tuple[str, int] | None:
    found = figure(words, start)
    written = None if found is None else plain(found[0])
    return None if found is None or written is None else (written, found[1])


def _term(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """A number, its root or its power."""
    position = start + (at(words, start) == "the")
    root = at(words, position) == "root" or (at(words, position), at(words, position + 1)) == ("square", "root")
    if root:
        position += 1 + (at(words, position) == "square")
        found = number_in_decimals(words, position + (at(words, position) in ("of", "from")))
        return None if found is None else (f"sqrt {found[0]}", found[1])
    found = number_in_decimals(words, start)
    if found is None:
        return None
    for phrase, power in _AFTER.items():
        if at(words, found[1]) == phrase[0]:
            return f"{found[0]} ^ {power}", found[1] + 1
    return found


def _sign(words: Sequence[str], position: int) -> tuple[str, int] | None:
    for phrase, sign in _BETWEEN.items():
        if tuple(words[position : position + len(phrase)]) == phrase:
            return sign, position + len(phrase)
    return None


def _verb(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """ "subtract 37 from 100", "the sum of 3 and 4"."""
    position = start + (at(words, start) == "the")
    known = _BEFORE.get(at(words, position))
    if known is None:
        return None
    position += 1 + (at(words, position + 1) in ("of", "between"))
    first = number_in_decimals(words, position)
    between = 0 if first is None else first[1] + (at(words, first[1]) == "away")
    if first is None or at(words, between) not in known[0]:
        return None
    second = number_in_decimals(words, between + 1)
    if second is None:
        return None
    one, other = (second[0], first[0]) if known[2] else (first[0], second[0])
    return f"{one} {known[1]} {other}", second[1]


def _share(words: Sequence[str], start: int) -> tuple[str, int] | None:
    """ "15 percent of 80", "20 percent off 50", "half of 90", "a third of 12"."""
    position = start + (at(words, start) in ("a", "one") and at(words, start + 1) in _SHARES)
    share = _SHARES.get(at(words, position))
    if share is not None and at(words, position + 1) == "of":
        of = number_in_decimals(words, position + 2)
        return None if of is None else (f"{of[0]} / {share}", of[1])
    percent = number_in_decimals(words, start + (at(words, start) in ("a", "an")))
    if percent is None or at(words, percent[1]) not in ("percent", "per"):
        return None
    position = percent[1] + 1 + (at(words, percent[1]) == "per" and at(words, percent[1] + 1) == "cent")
    how = at(words, position)
    if how == "tip" and at(words, position + 1) in ("on", "for"):  # "an 18 percent tip on 64"
        how, position = "of", position + 1
    of = number_in_decimals(words, position + 1) if how in ("of", "off") else None
    if of is None:
        return None
    part = f"{percent[0]} / 100 * {of[0]}"
    return (part if how == "of" else f"{of[0]} - {part}"), of[1]
