"""How much of one text is in another, by words. Pure; two recognisers hear one sentence in different words, so nothing
here asks for equality."""

from __future__ import annotations

import re
from collections import Counter

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words(text: str) -> list[str]:
    """In order, without case and punctuation."""
    return _WORD.findall(text.casefold().replace("’", "'"))


def overlap(text: str, other: str) -> float:
    """The share of `text`'s words that are in `other` too, 0 to 1; a word said twice counts twice. 0 for no words."""
    mine, theirs = Counter(words(text)), Counter(words(other))
    count = mine.total()
    return (mine & theirs).total() / count if count else 0.0
