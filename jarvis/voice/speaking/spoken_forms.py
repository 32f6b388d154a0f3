"""How written figures are said: times, dates, years, money, units, telephone numbers, versions, fractions, sums.

Rules for `speakable`, in the order in which they are tried: what is more particular comes first. Whole numbers and
plain decimals stay as they are, since every voice reads those. English; pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from jarvis.voice.speaking.numbers import cardinal, decade, digits, fraction, ordinal, words, year

Replace = str | Callable[[re.Match[str]], str]

_MONTHS = words("January February March April May June July August September October November December")
_MONTH_NAMES = {name[:3].lower(): name for name in _MONTHS} | {"sept": "September"}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"

_UNITS = {
    "km/h": "kilometres per hour", "kph": "kilometres per hour", "mph": "miles per hour", "m/s": "metres per second",
    "km²": "square kilometres", "m²": "square metres", "m³": "cubic metres", "cm²": "square centimetres",
    "km": "kilometres", "cm": "centimetres", "mm": "millimetres", "nm": "nanometres", "µm": "micrometres",
    "m": "metres", "mi": "miles", "ft": "feet", "yd": "yards", "lb": "pounds", "lbs": "pounds", "oz": "ounces",
    "kg": "kilograms", "g": "grams", "mg": "milligrams", "µg": "micrograms", "l": "litres", "L": "litres",
    "ml": "millilitres", "mL": "millilitres", "dl": "decilitres", "cl": "centilitres", "gal": "gallons",
    "tsp": "teaspoons", "tbsp": "tablespoons", "kcal": "kilocalories",
    "min": "minutes", "mins": "minutes", "h": "hours", "hrs": "hours", "hr": "hours", "s": "seconds",
    "sec": "seconds", "secs": "seconds", "ms": "milliseconds", "µs": "microseconds", "yrs": "years",
    "B": "bytes", "kB": "kilobytes", "KB": "kilobytes", "MB": "megabytes", "GB": "gigabytes", "TB": "terabytes",
    "KiB": "kibibytes", "MiB": "mebibytes", "GiB": "gibibytes", "kb": "kilobytes", "mb": "megabytes", "gb": "gigabytes",
    "Mbps": "megabits per second", "Mbit/s": "megabits per second", "Gbps": "gigabits per second",
    "MB/s": "megabytes per second",
    "kWh": "kilowatt hours", "Wh": "watt hours", "kW": "kilowatts", "MW": "megawatts", "mW": "milliwatts", "W": "watts",
    "V": "volts", "mA": "milliamps", "mAh": "milliamp hours", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz",
    "GHz": "gigahertz", "dB": "decibels", "hPa": "hectopascals", "kPa": "kilopascals", "bpm": "beats per minute",
    "rpm": "revolutions per minute", "fps": "frames per second", "ppm": "parts per million", "px": "pixels",
}  # fmt: skip
_ONE = {"feet": "foot", "hertz": "hertz"}
_MONEY = {
    "$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "p"), "¥": ("yen", ""), "₹": ("rupee", "paisa"),
    "USD": ("US dollar", "cent"), "EUR": ("euro", "cent"), "GBP": ("pound", "p"), "CHF": ("Swiss franc", "centime"),
    "JPY": ("yen", ""),
}  # fmt: skip
_SCALE = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion", "B": "billion"}
_SAME = frozenset(("p", "yen"))
_VULGAR = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8)}

_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
_BEFORE = r"(?<![\w.,/:-])"
"""A figure begins here, and is no part of a longer word or figure."""


def _one_of(table: Mapping[str, object]) -> str:
    return "|".join(sorted(map(re.escape, table), key=len, reverse=True))


def _clock(match: re.Match[str]) -> str:
    hour, minute, second = int(match["hour"]), int(match["minute"] or 0), match["second"]
    half = f" {match['half'][0].upper()}M" if match["half"] else ""
    said = cardinal(hour)
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        said += " o'clock" if 1 <= hour <= 12 else " hundred hours"
    if second and int(second):
        said += f" and {cardinal(int(second))} second{'' if int(second) == 1 else 's'}"
    return said + half


def _date(match: re.Match[str]) -> str:
    """Year, month and day by name; a date whose month cannot be known is left alone."""
    month, day = int(match["m"]), int(match["d"])
    if month > 12 and day <= 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{_MONTHS[month - 1]} {ordinal(day)}, {year(int(match['y']))}"


def _iso(match: re.Match[str]) -> str:
    return _date(match) + (" at " if match["time"] else "")


def _slashed(match: re.Match[str]) -> str:
    first, second = int(match["m"]), int(match["d"])
    if (first <= 12 and second <= 12 and first != second) or max(first, second) > 31 or min(first, second) > 12:
        return match[0].replace("/", " slash ")
    return _date(match)


def _month_day(match: re.Match[str]) -> str:
    month = _MONTH_NAMES[match["month"][:3].lower()]
    said = f"{month} {ordinal(int(match['d']))}"
    return f"{said}, {year(int(match['y']))}" if match["y"] else said


def _day_month(match: re.Match[str]) -> str:
    month = _MONTH_NAMES[match["month"][:3].lower()]
    said = f"{ordinal(int(match['d']))} of {month}"
    return f"{said} {year(int(match['y']))}" if match["y"] else said


def _decade(match: re.Match[str]) -> str:
    return decade(int(match["y"]))


def _unit(match: re.Match[str]) -> str:
    name = _UNITS[match["unit"]]
    one = match["number"] == "1" or match["dash"]  # "a 10-km run"
    return f"{match['number']} {_single(name) if one else name}"


def _single(name: str) -> str:
    return _ONE.get(name) or re.sub(r"s\b", "", name, count=1)


def _degrees(match: re.Match[str]) -> str:
    scale = {"C": " Celsius", "F": " Fahrenheit"}.get(match["scale"] or "", "")
    minus = "minus " if match["sign"] else ""
    return f"{minus}{match['number']} degree{'' if match['number'] == '1' else 's'}{scale}"


def _money(match: re.Match[str]) -> str:
    whole, part = _MONEY[match["sign"]]
    minus = "minus " if match["minus"] else ""
    number, scale = match["number"], match["scale"] or match["word"] or ""
    if scale:
        return f"{minus}{number} {_SCALE.get(scale, scale)} {_many(whole, 2)}"
    units, _, cents = number.replace(",", "").partition(".")
    if len(cents) not in (0, 2) or not part:
        return f"{minus}{number} {_many(whole, 2)}"
    said = [f"{number.partition('.')[0]} {_many(whole, int(units))}"] if int(units) or not int(cents or 0) else []
    if int(cents or 0):
        said.append(f"{int(cents)} {_many(part, int(cents))}")
    return minus + " and ".join(said)


def _many(name: str, count: int) -> str:
    return name if count == 1 or name in _SAME else f"{name}s"


def _telephone(match: re.Match[str]) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(digits(group) for group in re.findall(r"\d+", match[0]))


def _version(match: re.Match[str]) -> str:
    word = "version " if match["v"] else ""
    return word + " point ".join(match["rest"].split("."))


def _address(match: re.Match[str]) -> str:
    return " dot ".join(match[0].split("."))


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match["above"]), int(match["below"])
    if 2 <= below <= 10 and 0 < above < below:
        return fraction(above, below)
    return f"{above} out of {below}" if above <= below else f"{above} over {below}"


def _part_of(match: re.Match[str]) -> str:
    return f"{_fraction(match)} of a {_single(_UNITS[match['unit']])}"


def _vulgar(match: re.Match[str]) -> str:
    said = fraction(*_VULGAR[match["vulgar"]])
    return f"{match['whole']} and {said}" if match["whole"] else said


def _signed(match: re.Match[str]) -> str:
    return f"minus {match['number']}"


_TIME = r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
_HALF = r"(?P<half>[AaPp]\.?[Mm]\b(?:\.(?=\s+[a-z])|\.(?=[,;:!?]))?)"
_YEAR = r"(?P<y>1[1-9]\d\d|20\d\d)"

FORMS: tuple[tuple[str, Replace], ...] = (
    # dates before anything that has slashes, dots or dashes between figures
    (rf"{_BEFORE}(?P<y>\d{{4}})-(?P<m>0[1-9]|1[0-2])-(?P<d>[0-2]\d|3[01])(?:(?P<time>T)(?=\d)|(?![\w-]))", _iso),
    (rf"{_BEFORE}(?P<m>\d\d?)/(?P<d>\d\d?)/{_YEAR}\b", _slashed),
    (rf"{_BEFORE}(?P<d>\d\d?)\.(?P<m>\d\d?)\.{_YEAR}\b", _date),
    (rf"\b{_MONTH}\s(?P<d>[12]?\d|3[01])(?:st|nd|rd|th)?(?:,?\s{_YEAR})?\b(?![:.]\d)", _month_day),
    (rf"{_BEFORE}(?P<d>[12]?\d|3[01])(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR}\b)?(?!\w)", _day_month),
    (rf"{_BEFORE}(?P<y>1[1-9]\d0|20\d0)[’']?s\b", _decade),
    (r"(?<!\w)[’'](?P<y>[2-9]0)s\b", _decade),
    (rf"\b(?P<in>[Ii]n|[Ss]ince|[Uu]ntil|[Yy]ear|[Dd]uring)\s{_YEAR}(?=[.,;:!?)\"”’]|\s*$)(?![.,:]\d)",
     lambda match: f"{match['in']} {year(int(match['y']))}"),
    # telephone numbers, addresses of machines, versions
    (r"(?<![\w.,/])(?:\+\d{1,3}[ -]?)(?:\(?\d{1,5}\)?[ -]?){2,5}\d{2,}\b", _telephone),
    (r"(?<![\w.,/+-])(?:1[ -])?(?:\(\d{3}\)\s?|\d{3}[ -])\d{3}-\d{4}\b", _telephone),
    (r"(?<![\w.,/+-])\d{3}-\d{4}\b|(?<![\w.,/+-])0\d{2,4}[ /-]\d{4,9}\b", _telephone),
    (r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)", _address),
    (r"(?<![\w.])(?P<v>[Vv]ersion\s[vV]?|[vV]\.?\s?)(?P<rest>\d+(?:\.\d+)*)(?![\w])", _version),
    (r"(?<![\w.])(?P<v>)(?P<rest>\d+\.\d+(?:\.\d+)+)(?![\w])", _version),
    # times
    (rf"(?<![\w:.]){_TIME}\s?-\s?(?=\d\d?:\d\d)", lambda match: f"{_clock_of(match)} to "),
    (rf"(?<![\w:.]){_TIME}(?:\s*{_HALF})?(?![\d:])", _clock),
    (rf"(?<![\w:.])(?P<hour>1[0-2]|[1-9])(?P<minute>)(?P<second>)\s?{_HALF}", _clock),
    (r"(?<![\w:.])(?P<one>\d{1,2}):(?P<two>\d{1,2})(?![\d:])", r"\g<one> to \g<two>"),
    (r"\b24/7\b", "twenty-four seven"),
    # degrees, money, units, percent; the sign before the number where nothing is written before that
    (rf"(?P<sign>(?<![\w)])[-−])?(?<![\d.]){_NUMBER}\s*°\s*(?P<scale>[CF]?)(?![A-Za-z])", _degrees),
    (rf"(?P<minus>(?<!\w)[-−])?(?P<sign>{_one_of(_MONEY)})\s?{_NUMBER}"
     r"(?:\s?(?P<word>thousand|million|billion|trillion)\b|(?P<scale>k|K|m|M|bn|B)\b)?", _money),
    (rf"(?P<minus>(?<!\w)[-−])?(?<![\w.,]){_NUMBER}(?P<word>)(?P<scale>)\s?(?P<sign>{_one_of(_MONEY)})(?!\w)", _money),
    (rf"(?<![\w.,-]){_NUMBER}\s?(?:-|–|to)\s?(?P<top>\d+(?:\.\d+)?)\s?(?P<unit>{_one_of(_UNITS)})(?![\w'’/²³])",
     lambda match: f"{match['number']} to {match['top']} {_UNITS[match['unit']]}"),
    (rf"{_BEFORE}(?P<above>\d{{1,2}})/(?P<below>[2-9]|10)\s(?P<unit>{_one_of(_UNITS)})(?![\w'’/²³])", _part_of),
    (rf"(?<![\w.,]){_NUMBER}(?:\s|(?P<dash>-))?(?P<unit>{_one_of(_UNITS)})(?![\w'’/²³])(?:\.(?=\s[a-z\d]))?", _unit),
    (r"(?<![\w.,])(?P<number>\d+)\s?in\.(?=\s[a-z\d]|[,;])", r"\g<number> inches"),
    (r"(?<![\w.,])(?P<feet>\d)['’′](?P<inches>\d\d?)(?:[\"”″]|['’′]{2})?(?!\w)", r"\g<feet> foot \g<inches>"),
    (rf"(?<!\d){_NUMBER}\s?%", r"\g<number> percent"),
    (rf"(?<!\d){_NUMBER}\s?‰", r"\g<number> per thousand"),
    # fractions, sums, ranges
    (r"(?<!\d)(?P<whole>\d*)\s?(?P<vulgar>[½⅓⅔¼¾⅛⅜⅝])", _vulgar),
    (rf"{_BEFORE}(?P<above>\d{{1,3}})/(?P<below>\d{{1,3}})(?![\w/])", _fraction),
    (r"(?<=[\w)])\s?[×✕]\s?(?=[\d(])|(?<=\d)\s?\*\s?(?=\d)|(?<=\d)x(?=\d|\s[a-z])|(?<=\d)\sx\s(?=\d)", " times "),
    (r"(?<=[\w)])\s?÷\s?(?=[\d(])|(?<=\d)\s/\s(?=\d)", " divided by "),
    (r"(?<=[\w)])\s?\+\s?(?=\d)|(?<=\w)\s\+\s(?=\w)", " plus "),
    (r"(?<=[\w)])\s?=\s?(?=[\w-])", " equals "),
    (r"(?<=\d)\s[-−]\s(?=\d)", " minus "),
    (r"(?<![\w.,/-])(?P<low>\d+(?:\.\d+)?)[-–](?=\d+(?:\.\d+)?(?![\w-]|\.\d|/))", r"\g<low> to "),
    (rf"(?<![\w)])[-−]{_NUMBER}(?![\w-])", _signed),
    (r"\s?≈\s?|(?<!\w)~(?=\d)", " about "),
    (r"\s?≤\s?", " at most "),
    (r"\s?≥\s?", " at least "),
    (r"\s<\s(?=\d)", " less than "),
    (r"\s>\s(?=\d)", " more than "),
    (r"\s?±\s?", " plus or minus "),
    (r"(?<=\w)²", " squared"),
    (r"(?<=\w)³", " cubed"),
    (r"(?<![\w&])#\s?(?=\d)", "number "),
    (r"(?:[Ss]ection\s)?§\s?(?=\d)", "section "),
)  # fmt: skip


def _clock_of(match: re.Match[str]) -> str:
    """A time without its half of the day, as at the beginning of a range."""
    hour, minute = int(match["hour"]), int(match["minute"])
    if not minute:
        return cardinal(hour) + (" o'clock" if 1 <= hour <= 12 else " hundred hours")
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
