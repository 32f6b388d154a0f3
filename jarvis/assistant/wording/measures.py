"""Units, by their words, and from one to another. Exact by fractions, after the units' own definitions. Volumes of the
kitchen and gallons are those of the United States, where they differ. Lengths of time end at the week: months and years
have no one length. Pure; reads English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from jarvis.core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Unit:
    name: str
    """In the singular."""
    plural: str
    kind: str
    """Only units of one kind are converted into each other."""
    size: Fraction
    """In the first unit of its kind."""
    zero: Fraction = Fraction(0)
    """Where its scale begins, in the first unit of its kind."""


_FOOT, _POUND, _GALLON = Fraction("0.3048"), Fraction("453.59237"), Fraction("3.785411784")
# kind: name (plural if it is not with an s), size, other words for it
_TABLE: dict[str, list[tuple[str, Fraction | str, str]]] = {
    "length": [
        ("meter", "1", "metre metres m"), ("kilometer", "1000", "kilometre kilometres km kms"),
        ("centimeter", "0.01", "centimetre centimetres cm cms"), ("millimeter", "0.001", "millimetre millimetres mm"),
        ("mile", 5280 * _FOOT, "mi"), ("yard", 3 * _FOOT, "yd yds"), ("foot/feet", _FOOT, "ft"),
        ("inch/inches", _FOOT / 12, "in"), ("nautical mile", "1852", ""),
    ],
    "mass": [
        ("gram", "1", "g gramme grammes"), ("kilogram", "1000", "kg kgs kilo kilos"), ("milligram", "0.001", "mg"),
        ("ton", "1000000", "tonne tonnes"), ("pound", _POUND, "lb lbs"), ("ounce", _POUND / 16, "oz"),
        ("stone/stone", 14 * _POUND, "stones"),
    ],
    "volume": [
        ("liter", "1", "litre litres l"), ("milliliter", "0.001", "millilitre millilitres ml"),
        ("deciliter", "0.1", "decilitre decilitres dl"), ("gallon", _GALLON, ""), ("quart", _GALLON / 4, ""),
        ("pint", _GALLON / 8, ""), ("cup", _GALLON / 16, ""), ("fluid ounce", _GALLON / 128, "floz"),
        ("tablespoon", _GALLON / 256, "tbsp"), ("teaspoon", _GALLON / 768, "tsp"),
    ],
    "time": [
        ("second", "1", "sec secs s"), ("minute", "60", "min mins"), ("hour", "3600", "hr hrs h"), ("day", "86400", ""),
        ("week", "604800", ""),
    ],
    "speed": [
        ("kilometer per hour/kilometers per hour", Fraction(1000, 3600), "kph kmh"),
        ("mile per hour/miles per hour", 5280 * _FOOT / 3600, "mph"), ("meter per second/meters per second", "1", ""),
        ("knot", Fraction(1852, 3600), ""),
    ],
    "data": [
        ("byte", "1", ""), ("kilobyte", "1000", "kb"), ("megabyte", "1000000", "mb"), ("gigabyte", "1000000000", "gb"),
        ("terabyte", "1000000000000", "tb"),
    ],
}  # fmt: skip
_DEGREES = [  # by kelvin
    Unit("kelvin", "kelvin", "temperature", Fraction(1)),
    Unit("celsius", "degrees celsius", "temperature", Fraction(1), Fraction("273.15")),
    Unit("fahrenheit", "degrees fahrenheit", "temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
]
_DEGREE_WORDS = {"celsius": "centigrade c", "fahrenheit": "f", "kelvin": ""}


def _units() -> tuple[dict[str, Unit], dict[tuple[str, ...], Unit]]:
    by_name = {unit.name: unit for unit in _DEGREES}
    by_words = {tuple(phrase.split()): unit for unit in _DEGREES for phrase in _degree_phrases(unit.name)}
    for kind, rows in _TABLE.items():
        for names, size, more in rows:
            name, _, plural = names.partition("/")
            unit = Unit(name, plural or f"{name}s", kind, Fraction(size))
            by_name[name] = unit
            by_words |= {tuple(phrase.split()): unit for phrase in (name, unit.plural, *more.split())}
    return by_name, by_words


def _degree_phrases(name: str) -> Iterable[str]:
    for word in (name, *_DEGREE_WORDS[name].split()):
        yield from (word, f"degrees {word}", f"degree {word}")


UNITS, _BY_WORDS = _units()
_LONGEST = max(map(len, _BY_WORDS))
_PER = {("kilometer", "hour"), ("mile", "hour"), ("meter", "second")}


def unit_at(words: Sequence[str], start: int) -> tuple[Unit, int] | None:
    """The longest unit that begins at `start`, and the index after it. "Kilometers an hour" is one."""
    for length in range(min(_LONGEST, len(words) - start), 0, -1):
        unit = _BY_WORDS.get(tuple(words[start : start + length]))
        if unit is not None:
            return _per(words, unit, start + length)
    return None


def convert(amount: Fraction, unit: str, to: str) -> Fraction:
    """`amount` of `unit` in `to`, both by their names. Raises InvalidInput for units of different kinds, and for what
    is no unit."""
    try:
        one, other = UNITS[unit], UNITS[to]
    except KeyError as error:
        raise InvalidInput(f"I don't know the unit {error.args[0]}.") from None
    if one.kind != other.kind:
        raise InvalidInput(
            f"I can't tell {one.plural} in {other.plural}: one measures {one.kind}, the other {other.kind}."
        )
    return (amount * one.size + one.zero - other.zero) / other.size


def say_unit(name: str, amount: Fraction) -> str:
    """The unit as it is said after so many: "mile", "miles", "degrees Celsius"."""
    unit = UNITS[name]
    if unit.kind == "temperature" and name != "kelvin":
        return f"degree{'' if abs(amount) == 1 else 's'} {name.capitalize()}"
    return unit.name if abs(amount) == 1 else unit.plural


def _per(words: Sequence[str], unit: Unit, after: int) -> tuple[Unit, int]:
    """ "kilometres an hour": a speed."""
    if unit.kind == "length" and after + 1 < len(words) and words[after] in ("per", "an", "a"):
        time = _BY_WORDS.get((words[after + 1],))
        if time is not None and (unit.name, time.name) in _PER:
            return UNITS[f"{unit.name} per {time.name}"], after + 2
    return unit, after
