"""Sums are exact, said as numbers are said, and never hang; units go by their definitions."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.registry import SKILLS
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.measures import UNITS, convert, unit_at
from jarvis.assistant.wording.reckoning import MAX_PARTS, reckon, say_number
from jarvis.core.errors import InvalidInput
from tests.assistant.homes import MemoryHome

NUMBERS = st.decimals(min_value=0, max_value=10**6, places=2).map(lambda one: f"{one:f}")


def said(intent: str, **slots: Any) -> str:
    match = Match(intent, {name.rstrip("_"): value for name, value in slots.items()})
    return asyncio.run(SKILLS[intent](match, Request("", "kitchen"), cast(Home, MemoryHome()))).text


@given(NUMBERS, st.lists(st.tuples(st.sampled_from("+-*"), NUMBERS), max_size=8))
def test_a_sum_is_what_python_s_own_fractions_make_of_it(first: str, rest: list[tuple[str, str]]) -> None:
    parts = [first, *(part for pair in rest for part in pair)]
    expected = eval("".join(part if part in "+-*" else f"Fraction('{part}')" for part in parts))
    assert reckon(" ".join(parts)).value == expected


@given(st.text(alphabet="0123456789+-*/^()sqrt. ", max_size=80))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        assert say_number(reckon(text).value)
    except InvalidInput as error:
        assert str(error)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("17 * 23", "That is 391."),
        ("3 + 4 * 5", "That is 23."),
        ("( 3 + 4 ) * 5", "That is 35."),
        ("15 / 100 * 80", "That is 12."),
        ("50 - 20 / 100 * 50", "That is 40."),
        ("0.1 + 0.2", "That is 0.3."),
        ("1000000 / 8", "That is 125,000."),
        ("5 - 8", "That is minus 3."),
        ("1 / 3", "That is about 0.333333."),
        ("2 / 3", "That is about 0.666667."),
        ("sqrt 144", "That is 12."),
        ("sqrt 2", "That is about 1.414214."),
        ("sqrt ( 9 / 4 )", "That is 1.5."),
        ("2 ^ 10", "That is 1,024."),
        ("2 ^ -1", "That is 0.5."),
        ("- 2 ^ 2", "That is minus 4."),
        ("2 ^ 100", "That is about 1.26765 times 10 to the power of 30."),
        ("1 / 0", "Nothing can be divided by zero."),
        ("0 ^ -1", "Nothing can be divided by zero."),
        ("2 ^ 0.5", "I can only work out whole powers."),
        ("9 ^ 9 ^ 9", "That number is too large for me."),
        ("sqrt -4", "A negative number has no square root that can be counted with."),
        ("17 *", "I can't work that out."),
        (" + ".join(["1"] * MAX_PARTS), "That sum is too long for me."),
    ],
)
def test_what_is_said_of_a_sum(expression: str, answer: str) -> None:
    assert said("calculate", expression=expression) == answer


@pytest.mark.parametrize(
    ("amount", "unit", "to", "answer"),
    [
        ("5", "mile", "kilometer", "5 miles are about 8.047 kilometers."),
        ("350", "fahrenheit", "celsius", "350 degrees Fahrenheit are about 176.7 degrees Celsius."),
        ("-40", "celsius", "fahrenheit", "Minus 40 degrees Celsius are minus 40 degrees Fahrenheit."),
        ("1", "cup", "milliliter", "1 cup is about 236.6 milliliters."),
        ("3", "tablespoon", "teaspoon", "3 tablespoons are 9 teaspoons."),
        ("1", "week", "hour", "1 week is 168 hours."),
        ("12", "inch", "foot", "12 inches are 1 foot."),
        ("1", "mile", "gram", "I can't tell miles in grams: one measures length, the other mass."),
    ],
)
def test_what_is_said_of_units(amount: str, unit: str, to: str, answer: str) -> None:
    assert said("convert", amount=amount, from_=unit, to=to) == answer


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.fractions())
def test_there_and_back_is_the_same(one: str, other: str, amount: Fraction) -> None:
    if UNITS[one].kind == UNITS[other].kind:
        assert convert(convert(amount, one, other), other, one) == amount
    else:
        with pytest.raises(InvalidInput):
            convert(amount, one, other)


def test_units_by_their_words() -> None:
    for words, name in [
        ("km", "kilometer"), ("fluid ounces", "fluid ounce"), ("degrees c", "celsius"), ("feet", "foot"),
        ("litres", "liter"), ("stone", "stone"), ("miles an hour", "mile per hour"),
    ]:  # fmt: skip
        texts = words.split()
        found = unit_at(["so", *texts], 1)
        assert found is not None and (found[0].name, found[1]) == (name, 1 + len(texts))
    assert unit_at(["banana"], 0) is None and unit_at([], 0) is None
