"""A file's text cut into chunks, each small enough to be embedded whole and told apart by its place.

A chunk never mixes two sections, two functions or two pages. What is too long is cut where a reader would: between
paragraphs, else between lines, sentences, words. Pure and linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jarvis.knowledge.places import Place
from jarvis.plugins.kinds import FileText, Part

MAX_TOKENS = 256
"""The embedding model counts no more (`jarvis.knowledge.embedding`)."""
LEAST_TOKENS = 16
"""Less would cut sentences into words."""
SPECIAL_TOKENS = 2
"""The model puts one before and one after each text."""
_TOKENS = re.compile(r"[A-Za-z]{1,5}|[0-9]{1,2}|[^\sA-Za-z0-9]|\s{8}")
"""Five letters of a word count as a token, since rare words fall into pieces. White space is nothing to the model, but
a text of nothing else has an end too. Measured with the model's own tokenizer, see tests/knowledge/test_chunks.py."""
_CHARS_OF_TOKEN = 16
"""No text has more for each token: fifteen of white space make one."""
_CUTS = tuple(map(re.compile, (r"\n[^\S\n]*\n", r"\n", r"(?<=[.!?;:])\s+|(?<=[。！？])", r"\s+")))
_JOINTS = {"heading": "\n\n", "text": "\n\n", "code": "\n", "table": "\n"}


@dataclass(frozen=True, slots=True)
class Chunk:
    text: str
    place: str
    """As a person looks it up: "Chapter > Section", "page 3", "Class.method, lines 10-20"; "" for a whole file."""
    index: int
    """From 0, in the order of the file."""


@dataclass(slots=True)
class _Growing:
    """The chunk that is being filled."""

    text: str
    place: Place
    tokens: int
    bare: bool
    """It holds headings only."""

    def takes(self, place: Place, heading: bool) -> bool:
        if self.bare:
            return self.place.holds(place)
        return not heading and self.place.path == place.path and (place.unit != "page" or self.place == place)


def in_its_place(place: str, text: str) -> str:
    """What is embedded of a chunk: its text below all the headings that lead to it, since a section seldom says again
    what its page is about."""
    path = Place.parse(place).path
    return f"{path}\n\n{below_headings(place, text)}" if path else text


def below_headings(place: str, text: str) -> str:
    """A chunk's text without the headings at its beginning, which its place names already."""
    paragraphs = text.split("\n\n")
    named = set(Place.parse(place).path.split(" > "))
    while len(paragraphs) > 1 and paragraphs[0].strip() in named:
        paragraphs.pop(0)
    return "\n\n".join(paragraphs)


def tokens_in(text: str) -> int:
    """How many tokens the embedding model makes of it, at most; the special ones apart. It takes no model to say, so
    that every node cuts alike."""
    return len(_TOKENS.findall(text))


def split(text: FileText, max_tokens: int = MAX_TOKENS) -> list[Chunk]:
    """The chunks in order, each of at most `max_tokens`; what holds no word is left out."""
    room = max(max_tokens, LEAST_TOKENS) - SPECIAL_TOKENS
    done: list[_Growing] = []
    now: _Growing | None = None
    for part in text.parts:
        heading = part.kind == "heading"
        for words, place in _pieces(part, room):
            tokens = tokens_in(words)
            if now is not None and now.tokens + tokens <= room and now.takes(place, heading):
                now.text += _JOINTS[part.kind if not now.bare else "heading"] + words
                now.place = place if now.bare else now.place.to(place)
                now.tokens += tokens
                now.bare = now.bare and heading
            else:
                now = _Growing(words, place, tokens, heading)
                done.append(now)
    return [Chunk(one.text, str(one.place), index) for index, one in enumerate(done)]


def _pieces(part: Part, room: int) -> Iterator[tuple[str, Place]]:
    """A part in pieces that fit."""
    place, text, at, lines = Place.parse(part.place), part.text, 0, 0
    if _measured(text, 0, len(text), room) <= room:
        if whole := text.strip():
            yield (text.strip("\n").rstrip() if part.kind == "code" else whole), place
        return
    for start, end in _spans(text, 0, len(text), room):
        words = text[start:end].rstrip()
        blank = words[: len(words) - len(words.lstrip())]
        begins = start + (blank.rfind("\n") + 1 if part.kind == "code" else len(blank))
        lines, at = lines + text.count("\n", at, begins), begins
        if words := text[begins : start + len(words)]:
            yield words, place.within(lines, words.count("\n") + 1)


def _spans(text: str, start: int, end: int, room: int, level: int = 0) -> Iterator[tuple[int, int]]:
    """Neighbouring spans that fit, as long as they may be, of one that does not, cut at the coarsest places that
    serve."""
    if level == len(_CUTS):
        yield from ((at, min(at + room, end)) for at in range(start, end, room))  # a character is one token at most
        return
    held, tokens = start, 0
    for piece, piece_end in _between(text, start, end, _CUTS[level]):
        more = _measured(text, piece, piece_end, room)
        if tokens + more > room:
            if piece > held:
                yield held, piece
            held, tokens = piece, 0
        if more > room:
            yield from _spans(text, piece, piece_end, room, level + 1)
            held = piece_end
        else:
            tokens += more
    if end > held:
        yield held, end


def _measured(text: str, start: int, end: int, room: int) -> int:
    """Its tokens; of what is far too long only that it is more than `room`."""
    return room + 1 if end - start > (room + 1) * _CHARS_OF_TOKEN else tokens_in(text[start:end])


def _between(text: str, start: int, end: int, cut: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """What stands between the cuts; the white space of a cut belongs to what follows it."""
    at = start
    for found in cut.finditer(text, start, end):
        if found.start() > at:
            yield at, found.start()
            at = found.start()
    if end > at:
        yield at, end
