"""What was changed between two texts, as few insertions and deletions by position, and how changes made to an older
text are carried over to a newer one. Positions are in Unicode scalar values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_PAIRS = 200_000
"""Of equal lines, or of equal characters of a changed passage, that are looked at: the time grows with them, to half a
second. Where there are more, the passage is replaced as one."""


class Change(NamedTuple):
    """Delete `delete` characters from `position` on, then insert there."""

    position: int
    delete: int
    insert: str


def changes(old: str, new: str) -> list[Change]:
    """What makes `new` of `old`; positions are in `old`, ascending, and passages do not overlap."""
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    return [
        Change(start + at + offset, len(less), more)
        for at, gone, come in _compared(left.splitlines(keepends=True), right.splitlines(keepends=True))
        for offset, less, more in _compared(gone, come)
    ]


def carried(made: Sequence[Change], old: str, new: str) -> list[Change]:
    """Changes that were made to `old`, as changes to what has become of it: each stays beside the characters it stood
    beside, and deletes those that are still there. In the order to apply them: from the end, so that none moves
    another."""
    moved = changes(old, new)
    result = []
    for change in reversed(made):
        kept = list(_kept(change.position, change.position + change.delete, moved))
        at = kept[0][0] if kept else _place(change.position, moved)
        result += [Change(start, length, "") for start, length in reversed(kept)]
        if change.insert:
            result.append(Change(at, 0, change.insert))
    return result


def apply(made: Sequence[Change], text: str) -> str:
    """The text after changes in the order of `carried`."""
    for position, delete, insert in made:
        text = text[:position] + insert + text[position + delete :]
    return text


def _place(position: int, moved: Sequence[Change]) -> int:
    """Where the border before the character at `position` has come to stand."""
    shift = 0
    for at, gone, come in moved:
        if position <= at:
            break
        if position < at + gone:
            return at + shift
        shift += len(come) - gone
    return position + shift


def _kept(start: int, end: int, moved: Sequence[Change]) -> Iterator[tuple[int, int]]:
    """(position, length) of what is left of the passage from `start` to `end`."""
    shift = 0
    for at, gone, come in moved:
        if start < min(at, end):
            yield start + shift, min(at, end) - start
        start = max(start, min(at + gone, end), min(at, end))
        shift += len(come) - gone
    if start < end:
        yield start + shift, end - start


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _compared(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, str, str]]:
    """(position in characters, what went, what came)"""
    before = [0]
    for one in old:
        before.append(before[-1] + len(one))
    counts = Counter(new)
    if sum(counts[one] for one in old) > MAX_PAIRS:
        return [(0, "".join(old), "".join(new))]
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(before[a], "".join(old[a:b]), "".join(new[c:d])) for tag, a, b, c, d in codes if tag != "equal"]
