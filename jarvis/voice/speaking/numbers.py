"""Numbers in English words: how many, which one, which year, digit by digit. Pure."""

from __future__ import annotations


def words(text: str) -> list[str]:
    return text.split()


_ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_FRACTIONS = ("", "", "half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
MAX_DIGITS = 15
"""Of a number said as a number; longer ones are said digit by digit."""


def cardinal(number: int) -> str:
    """ "minus forty-two". Digit by digit beyond 15 digits."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number < 100:
        tens, ones = divmod(number, 10)
        return _ONES[number] if number < 20 else _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES[hundreds]} hundred" + (f" {cardinal(rest)}" if rest else "")
    if number >= 10**MAX_DIGITS:
        return digits(str(number))
    said, group = [], 0
    while number:
        number, rest = divmod(number, 1000)
        if rest:
            said.append(cardinal(rest) + _GROUPS[group])
        group += 1
    return " ".join(reversed(said))


def ordinal(number: int) -> str:
    """ "twenty-first"."""
    said = cardinal(number)
    head, dash, last = said.rpartition("-") if "-" in said.rpartition(" ")[2] else said.rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else f"{last}th"
    return head + dash + last


def year(number: int) -> str:
    """ "nineteen eighty-four", "two thousand six", "twenty twenty-six"."""
    century, rest = divmod(number, 100)
    if not 11 <= century <= 99 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decade(number: int) -> str:
    """ "nineteen eighties" of 1980, "eighties" of 80."""
    said = year(number) if number >= 100 else cardinal(number)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def digits(text: str) -> str:
    """Each digit of the text by itself."""
    return " ".join(_ONES[int(one)] for one in text if one.isascii() and one.isdigit())


def fraction(above: int, below: int) -> str:
    """ "three quarters"; `below` is 2 to 10."""
    name = _FRACTIONS[below]
    if above == 1:
        return f"{'an' if name == 'eighth' else 'a'} {name}"
    return f"{cardinal(above)} {'halves' if below == 2 else name + 's'}"
