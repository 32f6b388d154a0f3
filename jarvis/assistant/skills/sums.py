"""What comes of a sum and of a change of units. Code reckons: no model is asked, and nothing is rounded without a
word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from fractions import Fraction

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said
from jarvis.assistant.types import Home, Request
from jarvis.assistant.wording.measures import convert, say_unit
from jarvis.assistant.wording.reckoning import reckon, say_number
from jarvis.core.errors import InvalidInput

CONVERTED_PLACES = 3
"""Of decimals: nobody weighs flour more exactly."""


async def calculate(match: Match, request: Request, home: Home) -> Said:
    try:
        result = reckon(str(match.slots["expression"]))
    except InvalidInput as error:
        return Said(str(error))
    return Said(f"That is {say_number(result.value, exact=result.exact)}.")


async def convert_units(match: Match, request: Request, home: Home) -> Said:
    amount, unit, to = Fraction(str(match.slots["amount"])), str(match.slots["from"]), str(match.slots["to"])
    try:
        found = convert(amount, unit, to)
    except InvalidInput as error:
        return Said(str(error))
    before = f"{say_number(amount)} {say_unit(unit, amount)}"
    places = CONVERTED_PLACES if abs(found) < 100 else 1
    if found and abs(found) < Fraction(1, 100):
        places = 6
    said = say_number(found, places=places)
    return Said(f"{before[:1].upper()}{before[1:]} {'is' if abs(amount) == 1 else 'are'} {said} {say_unit(to, found)}.")


SKILLS: dict[str, Callable[[Match, Request, Home], Awaitable[Said]]] = {
    "calculate": calculate,
    "convert": convert_units,
}
