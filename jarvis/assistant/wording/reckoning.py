"""What a sum comes to, and how a number is said. A sum is written in digits, its parts apart by spaces: `3 + 4 * 5`,
`sqrt 144`, `50 - 20 / 100 * 50`. Exact, by fractions; only a root without an end is rounded, and the answer says so.
Pure; no sum can make it slow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt

from jarvis.core.errors import InvalidInput

MAX_PARTS = 100
"""Of one sum. Nobody says more at once, and it bounds how deep brackets stand in one another."""
MAX_BITS = 4_000
"""Of any number on the way: some 1,200 digits, which are worked out at once and never read aloud."""
MAX_SAID = 10**15
"""Greater numbers are told by their size."""
PLACES = 6
"""Of decimals that are told."""
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_NO_SUM = "I can't work that out."
_TOO_LARGE = "That number is too large for me."


@dataclass(frozen=True, slots=True)
class Result:
    value: Fraction
    exact: bool = True


_Read = tuple[Fraction, int, bool]
"""A number, the index after it, and whether it is exact."""


def reckon(expression: str) -> Result:
    """Raises InvalidInput, in a sentence to be spoken, for what is no sum or has no answer."""
    parts = expression.split()
    if len(parts) > MAX_PARTS:
        raise InvalidInput("That sum is too long for me.")
    value, position, exact = _sum(parts, 0)
    if position != len(parts):
        raise InvalidInput(_NO_SUM)
    return Result(value, exact)


def say_number(value: Fraction, *, exact: bool = True, places: int = PLACES) -> str:
    """ "391", "2.5", "minus 3.5", "about 0.333333", "about 1.26765 times 10 to the power of 30"."""
    sign = "minus " if value < 0 else ""
    value = abs(value)
    if value >= MAX_SAID:
        with localcontext() as context:
            context.prec = 30
            size, power = f"{Decimal(value.numerator) / Decimal(value.denominator):.5e}".split("e")
        return f"about {sign}{size.rstrip('0').rstrip('.')} times 10 to the power of {int(power)}"
    rounded = round(value, places)
    if rounded == 0 and value:
        return f"almost nothing, but more than {sign}zero" if not sign else "almost nothing, but less than zero"
    whole, rest = divmod(rounded, 1)
    decimals = str(int(rest * 10**places)).zfill(places).rstrip("0")
    number = f"{sign}{whole:,}{f'.{decimals}' if decimals else ''}"
    return number if exact and rounded == value else f"about {number}"


def _sum(parts: Sequence[str], position: int) -> _Read:
    value, position, exact = _product(parts, position)
    while position < len(parts) and parts[position] in ("+", "-"):
        more, after, sure = _product(parts, position + 1)
        value = _bounded(value + more if parts[position] == "+" else value - more)
        position, exact = after, exact and sure
    return value, position, exact


def _product(parts: Sequence[str], position: int) -> _Read:
    value, position, exact = _power(parts, position)
    while position < len(parts) and parts[position] in ("*", "/"):
        more, after, sure = _power(parts, position + 1)
        if parts[position] == "/" and more == 0:
            raise InvalidInput("Nothing can be divided by zero.")
        value = _bounded(value * more if parts[position] == "*" else value / more)
        position, exact = after, exact and sure
    return value, position, exact


def _power(parts: Sequence[str], position: int) -> _Read:
    if parts[position : position + 1] == ["-"]:
        value, position, exact = _power(parts, position + 1)
        return -value, position, exact
    value, position, exact = _single(parts, position)
    if parts[position : position + 1] == ["^"]:
        power, position, sure = _power(parts, position + 1)
        value, exact = _raised(value, power), exact and sure
    return value, position, exact


def _single(parts: Sequence[str], position: int) -> _Read:
    part = parts[position] if position < len(parts) else ""
    if part == "sqrt":
        value, position, exact = _single(parts, position + 1)
        root, whole = _root(value)
        return root, position, exact and whole
    if part == "(":
        value, position, exact = _sum(parts, position + 1)
        if parts[position : position + 1] != [")"]:
            raise InvalidInput(_NO_SUM)
        return value, position + 1, exact
    if not _NUMBER.fullmatch(part.removeprefix("-")):
        raise InvalidInput(_NO_SUM)
    return Fraction(part), position + 1, True


def _raised(value: Fraction, power: Fraction) -> Fraction:
    if power.denominator != 1:
        raise InvalidInput("I can only work out whole powers.")
    if value == 0 and power < 0:
        raise InvalidInput("Nothing can be divided by zero.")
    if max(value.numerator.bit_length(), value.denominator.bit_length()) * abs(power) > MAX_BITS:
        raise InvalidInput(_TOO_LARGE)
    return value ** int(power)


def _root(value: Fraction) -> tuple[Fraction, bool]:
    if value < 0:
        raise InvalidInput("A negative number has no square root that can be counted with.")
    above, below = isqrt(value.numerator), isqrt(value.denominator)
    if above**2 == value.numerator and below**2 == value.denominator:
        return Fraction(above, below), True
    scale = 10 ** (2 * PLACES)
    return Fraction(isqrt(value.numerator * scale**2 // value.denominator), scale), False


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise InvalidInput(_TOO_LARGE)
    return value
