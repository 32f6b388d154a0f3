"""What can fill a slot, in English: the kinds that templates name in braces. A kind looks at the words from one place
on and tells what may begin there, the most words first; what it gives is plain data. Pure, and it never guesses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import asdict, replace
from fractions import Fraction

from jarvis.assistant.templates.graph import Found, Heard, Kind
from jarvis.assistant.wording.days import day_at, every_at, weekday
from jarvis.assistant.wording.durations import UNIT_WORDS, duration_at, is_number
from jarvis.assistant.wording.figures import figure
from jarvis.assistant.wording.measures import unit_at
from jarvis.assistant.wording.moments import when_at
from jarvis.assistant.wording.sums import BEYOND, plain, sum_at
from jarvis.assistant.wording.words import split

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
_WITHIN = frozenset(["of", "and", "the", "a", "in", "on", "for", "to", "with", "my"])
"""These may stand within a title, as in "cup of tea"."""
DANGLING = frozenset("for to the and my a an of in on at with about another or that called named".split())  # noqa: SIM905
"""A sentence that ends in one of these is not over."""


def name(heard: Heard, start: int) -> Iterator[Found]:
    """One to four words that can be a name, folded."""
    end = start
    while end < len(heard.texts) and end - start < MAX_NAME_WORDS and heard.texts[end] not in _NO_NAME:
        if end > start and _pauses(heard, end):
            break
        end += 1
    for last in range(end, start, -1):
        yield Found(last, " ".join(heard.texts[start:last]), NAME_WORD * (last - start), goes_on=True)


def room(heard: Heard, start: int) -> Iterator[Found]:
    """A name of a room or a place; nobody stops in the middle of one."""
    return (replace(found, goes_on=False) for found in name(heard, start))


def home_room(heard: Heard, start: int) -> Iterator[Found]:
    """A room of this home, as the home writes it."""
    begin = start + (heard.texts[start] in ("the", "my", "our"))
    for one in heard.rooms:
        words = [word.text for word in split(one)]
        words = words[words[:1] == ["the"] :]
        if words and list(heard.texts[begin : begin + len(words)]) == words:
            yield Found(begin + len(words), one)


def title(heard: Heard, start: int) -> Iterator[Found]:
    """What a timer is called: one to four words without numbers and lengths of time; nobody stops in its middle."""
    end = start
    for word in heard.texts[start : start + MAX_NAME_WORDS]:
        if is_number(word) or word in UNIT_WORDS or (word in _NO_NAME and (end == start or word not in _WITHIN)):
            break
        end += 1
    for last in range(end, start, -1):
        if heard.texts[last - 1] not in DANGLING:
            yield Found(last, " ".join(heard.texts[start:last]), NAME_WORD * (last - start))


def text(heard: Heard, start: int) -> Iterator[Found]:
    """Any words, as they were said."""
    most = min(len(heard.texts), start + MAX_TEXT_WORDS)
    for end in range(most, start, -1):
        if _cuts(heard, start) or _cuts(heard, end):
            continue
        yield Found(end, heard.as_said(start, end), TEXT_WORD * (end - start), goes_on=True, dictated=True)


def folded(heard: Heard, start: int) -> Iterator[Found]:
    """Any words, small and without an article: what a note or a reminder is about."""
    begin = start + (heard.texts[start] in _ARTICLES)
    for end in range(min(len(heard.texts), start + MAX_TEXT_WORDS), begin, -1):
        yield Found(end, " ".join(heard.texts[begin:end]), TEXT_WORD * (end - start), goes_on=True, dictated=True)


def items(heard: Heard, start: int) -> Iterator[Found]:
    """Things for a list, each as it was said: "eggs, bread and butter". Of lists none is one."""
    for found in text(heard, start):
        if "list" in heard.texts[start : found.end]:
            continue
        several = _items(heard, start, found.end)
        if several:
            yield replace(found, value=several)


def list_items(heard: Heard) -> list[str]:
    """All of what was said, as things for a list."""
    return _items(heard, 0, len(heard.texts))


def number(heard: Heard, start: int) -> Iterator[Found]:
    """int, or float where it has decimals."""
    found = figure(heard.texts, start)
    if found is not None and heard.texts[start] not in _ARTICLES:
        yield Found(found[1], _plain(found[0]))


def digits(heard: Heard, start: int) -> Iterator[Found]:
    """A number that is written in digits."""
    return iter(() if not heard.texts[start][:1].isdigit() else number(heard, start))


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


def half_said(heard: Heard, start: int) -> Iterator[Found]:
    """A number whose unit is still to come, for which nothing is kept."""
    for found in number(heard, start):
        yield Found(found.end, {}, goes_on=True)


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
    "digits": digits,
    "duration": duration,
    "every": every,
    "expression": expression,
    "folded": folded,
    "half_said": half_said,
    "home_room": home_room,
    "items": items,
    "name": name,
    "number": number,
    "percent": percent,
    "room": room,
    "text": text,
    "title": title,
    "unit": unit,
    "when": when,
}
_SIGNS = frozenset(",;!?")
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


def told(never_first: Set[str], *, may_ask: bool) -> Kind:
    """All the words up to the end, as they were said, unless the first is one of `never_first`."""

    def found(heard: Heard, start: int) -> Iterator[Found]:
        asks = heard.text.rstrip().endswith("?")
        if heard.texts[start] not in never_first and not _cuts(heard, start) and (may_ask or not asks):
            end = len(heard.texts)
            yield Found(end, heard.as_said(start, end), TEXT_WORD * (end - start), goes_on=True, dictated=True)

    return found


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _cuts(heard: Heard, at: int) -> bool:
    """Whether a contraction lies across the place: "what's" is two words that were said as one."""
    return 0 < at < len(heard.words) and heard.words[at].start == heard.words[at - 1].start


def _pauses(heard: Heard, at: int) -> bool:
    """Whether a sign stands before the word that no name goes over."""
    return not _SIGNS.isdisjoint(heard.text[heard.words[at - 1].end : heard.words[at].start])


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
