"""What can fill a slot, in English: the kinds that templates name in braces. A kind looks at the words from one place
on and tells what may begin there, the most words first; what it gives is plain data. Pure, and it never guesses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from fractions import Fraction

from jarvis.assistant.templates.graph import Found, Heard, Kind
from jarvis.assistant.wording.days import day_at, every_at, weekday
from jarvis.assistant.wording.durations import UNIT_WORDS, duration_at
from jarvis.assistant.wording.figures import figure
from jarvis.assistant.wording.measures import unit_at
from jarvis.assistant.wording.moments import when_at
from jarvis.assistant.wording.sums import BEYOND, plain, sum_at

MAX_NAME_WORDS = 4
MAX_TEXT_WORDS = 60
NAME_WORD, TEXT_WORD = 1.0, 1.5
"""What a word costs of which nothing is known."""

_ARTICLES = frozenset(["the", "a", "an", "my", "our", "your", "some", "more"])
_NO_NAME_WORDS = """
i you it he she we they me us him her them this that these those who what which when where why how is are was were be
been am do does did have has had will would can could should may might must in on at to from of for with by off up down
out and or but not if as than then there here please about into onto over all every any
"""
_NO_NAME = _ARTICLES | frozenset(_NO_NAME_WORDS.split())
"""No word of a name: it would take the words that make the sentence another one."""


def name(heard: Heard, start: int) -> Iterator[Found]:
    """One to four words that can be a name, folded."""
    end = start
    while end < len(heard.texts) and end - start < MAX_NAME_WORDS and heard.texts[end] not in _NO_NAME:
        end += 1
    for last in range(end, start, -1):
        yield Found(last, " ".join(heard.texts[start:last]), NAME_WORD * (last - start), goes_on=True)


def room(heard: Heard, start: int) -> Iterator[Found]:
    """A name of a room or a place; nobody stops in the middle of one."""
    return (replace(found, goes_on=False) for found in name(heard, start))


def text(heard: Heard, start: int) -> Iterator[Found]:
    """Any words, as they were said."""
    most = min(len(heard.texts), start + MAX_TEXT_WORDS)
    for end in range(most, start, -1):
        if _cuts(heard, start) or _cuts(heard, end):
            continue
        yield Found(end, heard.as_said(start, end), TEXT_WORD * (end - start), goes_on=True)


def folded(heard: Heard, start: int) -> Iterator[Found]:
    """Any words, small and without an article: what a note or a reminder is about."""
    begin = start + (heard.texts[start] in _ARTICLES)
    for end in range(min(len(heard.texts), start + MAX_TEXT_WORDS), begin, -1):
        yield Found(end, " ".join(heard.texts[begin:end]), TEXT_WORD * (end - start), goes_on=True)


def items(heard: Heard, start: int) -> Iterator[Found]:
    """Things for a list, each as it was said: "eggs, bread and butter"."""
    for found in text(heard, start):
        several = _items(heard, start, found.end)
        if several:
            yield Found(found.end, several, found.cost, goes_on=True)


def list_items(heard: Heard) -> list[str]:
    """All of what was said, as things for a list."""
    return _items(heard, 0, len(heard.texts))


def number(heard: Heard, start: int) -> Iterator[Found]:
    """int, or float where it has decimals."""
    found = figure(heard.texts, start)
    if found is not None and heard.texts[start] not in _ARTICLES:
        yield Found(found[1], _plain(found[0]))


def percent(heard: Heard, start: int) -> Iterator[Found]:
    """A whole number of 0 to 100, with or without the word."""
    named = _SHARES.get(heard.texts[start])
    if named is not None:
        yield Found(start + 1, named)
    for found in number(heard, start):
        if isinstance(found.value, int) and 0 <= found.value <= 100:
            said = heard.texts[found.end : found.end + 1] == ("percent",)
            yield Found(found.end + said, found.value, 0.1 if said else 0.2)


def degrees(heard: Heard, start: int) -> Iterator[Found]:
    """A number with or without "degrees"; of Celsius or Fahrenheit as the house has it."""
    for found in number(heard, start):
        said = heard.texts[found.end : found.end + 1] in (("degrees",), ("degree",))
        yield Found(found.end + said, found.value, 0.1 if said else 0.3)


def amount(heard: Heard, start: int) -> Iterator[Found]:
    """A number in decimals, as text; "a cup" is one."""
    if heard.texts[start] in ("a", "an"):
        yield Found(start + 1, "1", 0.2)
    found = figure(heard.texts, start)
    written = None if found is None else plain(found[0])
    if found is not None and written is not None:
        yield Found(found[1], written)


def duration(heard: Heard, start: int) -> Iterator[Found]:
    """Seconds."""
    found = duration_at(heard.texts, start)
    if found is not None:
        yield Found(found[1], found[0])


def when(heard: Heard, start: int) -> Iterator[Found]:
    """A time of day, with its day or the days on which it comes again: {at, every}."""
    found = when_at(heard.texts, start)
    if found is not None:
        moment, every, end = found
        surer = moment.half is not None or moment.minute > 0 or not 1 <= moment.hour <= 12  # "seven", "seven thirty"
        value = {"at": asdict(moment)} | ({"every": list(every)} if every else {})
        yield Found(end, value, goes_on=not surer)


def every(heard: Heard, start: int) -> Iterator[Found]:
    """Days of the week on which something comes again."""
    found = every_at(heard.texts, start)
    if found is not None:
        yield Found(found[1], list(found[0]))


def day(heard: Heard, start: int) -> Iterator[Found]:
    """One day: `today`, `friday`, `12-24`; without the part of a day that follows."""
    if heard.texts[start] == "on" and start + 1 < len(heard.texts) and weekday(heard.texts[start + 1]) is None:
        return
    if heard.texts[start] == "yesterday":
        yield Found(start + 1, "yesterday")
    found = day_at(heard.texts, start)
    if found is not None:
        yield Found(found[1], found[0])


def unit(heard: Heard, start: int) -> Iterator[Found]:
    """A unit's name in the singular."""
    found = unit_at(heard.texts, start)
    if found is not None:
        yield Found(found[1], found[0].name)


def expression(heard: Heard, start: int) -> Iterator[Found]:
    """A sum in digits."""
    found = None if BEYOND.search(heard.text) else sum_at(heard.texts, start)
    if found is not None:
        yield Found(found[1], found[0])


KINDS: dict[str, Kind] = {
    "amount": amount,
    "day": day,
    "degrees": degrees,
    "duration": duration,
    "every": every,
    "expression": expression,
    "folded": folded,
    "items": items,
    "name": name,
    "number": number,
    "percent": percent,
    "room": room,
    "text": text,
    "unit": unit,
    "when": when,
}
_SHARES = {
    "half": 50,
    "halfway": 50,
    "fully": 100,
    "full": 100,
    "maximum": 100,
    "max": 100,
    "minimum": 1,
    "highest": 100,
    "lowest": 1,
}


def ending_in(heads: Iterable[tuple[str, ...]]) -> Kind:
    """A name whose last words are one of `heads`: "kitchen ceiling light". As it was said, but folded."""
    known = frozenset(heads)
    longest = max(map(len, known), default=0)

    def found(heard: Heard, start: int) -> Iterator[Found]:
        for one in name(heard, start):
            if any(heard.texts[one.end - length : one.end] in known for length in range(1, longest + 1)):
                yield Found(one.end, one.value, 0.15 + 0.5 * (one.end - start - 1))

    return found


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _cuts(heard: Heard, at: int) -> bool:
    """Whether a contraction lies across the place: "what's" is two words that were said as one."""
    return 0 < at < len(heard.words) and heard.words[at].start == heard.words[at - 1].start


def _items(heard: Heard, start: int, end: int) -> list[str]:
    """Between commas and "and". Where recognisers leave commas out, a plural ends a thing: "eggs bread and butter"."""
    several: list[str] = []
    begin = start
    for position in range(start, end):
        word, following = heard.texts[position], heard.texts[position + 1] if position + 1 < end else ""
        comma = position + 1 < end and "," in heard.text[heard.words[position].end : heard.words[position + 1].start]
        if word in ("and", "plus") or (begin == position and word in ("some", "also", "the", "more", "any")):
            begin = position + 1
        elif position + 1 == end or comma or following in ("and", "plus") or _ends_a_thing(word, following):
            several.append(heard.as_said(begin, position + 1))
            begin = position + 1
    return several


def _ends_a_thing(word: str, following: str) -> bool:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return plural and word not in UNIT_WORDS and following not in ("of", "for", "from", "in", "with", "to", "that", "")
