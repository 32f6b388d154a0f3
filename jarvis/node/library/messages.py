"""What two nodes say when one asks the other's library: a question with its vector, and the passages that fit. Pure.
Nothing that is read here is believed: sizes, shapes and numbers are looked at first, and who holds a passage is who
sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.knowledge.retrieval import Passage
from jarvis.knowledge.vectors import VECTOR_BYTES

MAX_QUESTION_CHARS = 1_000
MAX_PASSAGES = 16
MAX_TEXT_CHARS = 8_000
MAX_ONLY = 32
"""Documents that a question may name; a person means one."""
ANSWER_BYTES = 31 * 1024
"""Of an answer's 32 KiB."""
_QUESTION = Limits(size_bytes=16 * 1024, depth=2, items=MAX_ONLY + 6)
_ANSWER = Limits(size_bytes=32 * 1024, depth=2, items=7 * MAX_PASSAGES + 2)


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    vector: bytes | None
    """Of its meaning; None when nobody could tell it."""
    most: int
    """Passages wanted."""
    only: frozenset[str] = frozenset()
    """Documents to look in; all when empty."""


def write_question(question: Question) -> bytes:
    return pack([question.text, question.vector, question.most, sorted(question.only)[:MAX_ONLY]])


def read_question(body: bytes) -> Question:
    """Raises InvalidBytes."""
    match unpack(body, _QUESTION):
        case [str(text), bytes() | None as vector, int(most), list(only)]:
            fits = len(text) <= MAX_QUESTION_CHARS and (vector is None or len(vector) == VECTOR_BYTES)
            if fits and all(isinstance(one, str) for one in only):
                return Question(text, vector, max(1, min(most, MAX_PASSAGES)), frozenset(only))
    raise InvalidBytes("That is no question to a library.")


def write_passages(passages: Sequence[Passage]) -> bytes:
    """As many as fit, from the first on."""
    rows: list[list[Any]] = []
    size = 0
    for one in passages[:MAX_PASSAGES]:
        row = [one.document, one.position, one.place, one.text, one.words, one.meaning]
        size += len(pack(row))
        if size > ANSWER_BYTES:
            break
        rows.append(row)
    return pack(rows)


def read_passages(body: bytes, holder: bytes) -> list[Passage]:
    """Raises InvalidBytes."""
    rows = unpack(body, _ANSWER)
    if not isinstance(rows, list) or len(rows) > MAX_PASSAGES:
        raise InvalidBytes("Those are no passages.")
    return [_passage(row, holder) for row in rows]


def _passage(row: Any, holder: bytes) -> Passage:
    match row:
        case [str(document), int(position), str(place), str(text), words, meaning]:
            if position >= 0 and len(text) <= MAX_TEXT_CHARS:
                return Passage(holder, document, position, place, text, _score(words), _score(meaning))
    raise InvalidBytes("That is no passage.")


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidBytes("That is no score.")
    return float(max(-1e6, min(1e6, value)))
