"""Text that is still being written into sentences to be said, each as soon as it is whole.

A voice gives no sound before its sentence's end, so long ones are cut where one would breathe; and the very first is
cut at its first clause, while the rest of it is being written, because somebody is waiting for it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jarvis.voice.speaking.numbers import words
from jarvis.voice.speaking.speakable import speakable

CLAUSE_CHARACTERS = 80
"""Longer sentences are cut at clauses."""
FIRST_CLAUSE_CHARACTERS = 40
"""The first is cut earlier."""
EARLY_CHARACTERS = 20
"""A shorter first clause would leave a gap before the next is made."""
MAX_CHARACTERS = 200
"""Cut at any space, for text without punctuation."""
CODE = "I leave out some code here."
"""Said in place of a block of code: nobody can listen to one, but it must not vanish unsaid."""
_BUFFER_CHARACTERS = 4_000
"""Text without any space, such as a data address, is dropped beyond this."""

_WITH_NAME = frozenset(
    words("dr mr mrs ms prof rev gen col capt lt sgt mt vs approx dept est e.g i.e cf al ca incl a.k.a")
)
"""Something always follows these in the same sentence."""
_WITH_NUMBER = frozenset(words("no nr fig vol p pp ch sec jan feb mar apr jun jul aug sep sept oct nov dec"))
"""A number follows these, or their full stop ends the sentence."""
_MAYBE_LAST = frozenset(words("a.m p.m etc inc ltd co corp jr sr st ave rd"))
"""The sentence goes on after these if the next word is not a new one's first."""
_DOTTED = re.compile(r"(?:[a-z]\.)+[a-z]")
_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s)|\n")
_LAST = re.compile(r"[.!?…][\"”’)\]*_]*$")
"""It may be whole already."""
_CLAUSE = re.compile(r"[,;:][\"'”’)]*\s|\s[-–—]\s|\s(?=(?:and|but|or|because|so|which|while|when)\s)")
_EARLY = re.compile(r"(?<![\d,])[,;:][\"'”’)]*\s|\s[–—]\s")
_DAYS = re.compile(r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z][a-z]+\s\d{1,2}),\s$")
"""A date goes on after its comma."""


class Sentences:
    """Takes text in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = ""
        self._in_code = False
        self._first = True

    def feed(self, piece: str) -> Iterator[str]:
        """Speakable sentences this piece completes."""
        self._buffer += piece
        yield from self._take(final=False)

    def flush(self) -> Iterator[str]:
        """What is left, at the end of the text."""
        yield from self._take(final=True)

    def _take(self, final: bool) -> Iterator[str]:
        while (cut := self._cut(final)) is not None:
            said = cut if cut == CODE else speakable(cut)
            if said:
                yield from _clauses(said, FIRST_CLAUSE_CHARACTERS if self._first else CLAUSE_CHARACTERS)
                self._first = False

    def _cut(self, final: bool) -> str | None:
        """The next sentence as written; None when more text is needed."""
        fence = self._buffer.find("```")
        if self._in_code:
            self._buffer = self._buffer[fence + 3 :] if fence >= 0 else self._buffer[-2:]
            self._in_code = fence < 0
            return None if self._in_code or not self._buffer else self._cut(final)
        if fence == 0:
            self._buffer, self._in_code = self._buffer[3:], True
            return CODE
        end = _sentence_end(self._buffer, final) if fence < 0 else _sentence_end(self._buffer[:fence] + "\n", True)
        if fence > 0:
            end = min(end or fence, fence)
        if end is None and self._first and not final and not _LAST.search(self._buffer):
            end = _early_end(self._buffer)
        if end is None and len(self._buffer) > MAX_CHARACTERS:
            end = self._buffer.rfind(" ", 0, MAX_CHARACTERS)
            if end <= 0:
                end = None
                self._buffer = self._buffer[-_BUFFER_CHARACTERS:]
        if end is None and final and self._buffer:
            end = len(self._buffer)
        if end is None:
            return None
        cut, self._buffer = self._buffer[:end], self._buffer[end:].lstrip(" \t\r\n")
        return cut


def cut(text: str) -> list[str]:
    """A whole text, as `Sentences` gives it."""
    sentences = Sentences()
    return [*sentences.feed(text), *sentences.flush()]


def _sentence_end(text: str, final: bool) -> int | None:
    for match in _END.finditer(text):
        if match[0] == "\n":
            if text[: match.start()].strip():
                return match.end()
            continue
        goes_on = _goes_on(text[: match.start()], match[0], text[match.end() :].lstrip(), final)
        if goes_on is None:
            return None
        if not goes_on:
            return match.end()
    return None


def _goes_on(before: str, mark: str, after: str, final: bool) -> bool | None:
    """Whether this full stop belongs to an abbreviation, an initial or a list's number; None when only what comes next
    can tell."""
    if not mark.startswith(".") or mark.startswith(".."):
        return False
    last = before.rsplit(None, 1)[-1:]
    word = last[0].lstrip("\"'“‘([*_").lower() if last else ""
    if word in _WITH_NAME or (len(word) == 1 and word.isalpha() and word not in ("i", "p")):
        return True
    if word in _WITH_NUMBER or word in _MAYBE_LAST or _DOTTED.fullmatch(word):
        if not after:
            return False if final else None
        if word in _WITH_NUMBER:
            return after[0].isdigit() or (word != "no" and after[0].islower())
        if word == "st" and not re.search(r"[A-Z]\w+\s\S+$", before):
            return True  # Saint, unless a name stands before it
        return not after.lstrip("\"'“‘(*_")[:1].isupper()
    return word.isdigit() and not before[: len(before) - len(word)].strip(" \t*_")


def _early_end(text: str) -> int | None:
    """The end of the first clause, where nothing is open that would be torn: a bracket, a quotation, a link, emphasis,
    a date."""
    for match in _EARLY.finditer(text):
        before = text[: match.end()]
        torn = any(before.count(opens) != before.count(closes) for opens, closes in ("()", "[]", "“”"))
        if torn or before.count("*") % 2 or before.count("`") % 2 or before.count('"') % 2 or _DAYS.search(before):
            continue
        if len(before.strip()) >= EARLY_CHARACTERS:
            return match.end()
    return None


def _clauses(sentence: str, limit: int) -> Iterator[str]:
    """The sentence in parts of about `limit` characters, cut at clauses; never over MAX_CHARACTERS."""
    while len(sentence) > max(limit, CLAUSE_CHARACTERS):
        cuts = [match.end() for match in _CLAUSE.finditer(sentence) if 15 <= match.end() <= len(sentence) - 10]
        good = [cut for cut in cuts if cut <= limit] or cuts[:1]
        if good and good[-1] <= MAX_CHARACTERS:
            cut = good[-1]
        elif len(sentence) > MAX_CHARACTERS:
            cut = sentence.rfind(" ", 0, MAX_CHARACTERS)
            cut = cut if cut > 0 else MAX_CHARACTERS
        else:
            break
        yield sentence[:cut].strip()
        sentence, limit = sentence[cut:].strip(), CLAUSE_CHARACTERS
    if sentence:
        yield sentence
