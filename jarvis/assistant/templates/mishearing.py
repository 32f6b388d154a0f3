"""What a sentence may have been before a recogniser, or a finger, got one word wrong: by a table of what is written for
what was said, and for words that no template knows, by one letter. Pure; the number of guesses is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

MAX_VARIANTS = 16
"""Of one sentence; each costs about as much as understanding it."""
MIN_LETTERS = 5
"""Shorter words have too many neighbours."""
LONG = 7
"""Such a word may begin with another letter: "chopping" is no other word of ours than "shopping"."""


class Mishearing:
    def __init__(self, vocabulary: Iterable[str], heard: Mapping[str, Sequence[str]]) -> None:
        """`heard` says for a word what is written for it."""
        self._vocabulary = frozenset(vocabulary)
        self._meant: dict[str, list[str]] = {}
        for meant, several in heard.items():
            for word in several:
                self._meant.setdefault(word, []).append(meant)
        self._near: dict[str, list[str]] = {}
        for word in sorted(self._vocabulary):
            if len(word) >= MIN_LETTERS:
                for key in {word, *_shorter(word)}:
                    self._near.setdefault(key, []).append(word)

    def variants(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """`texts` with one word exchanged, the likelier ones first."""
        return islice(self._variants(texts), MAX_VARIANTS)

    def _variants(self, texts: Sequence[str]) -> Iterator[list[str]]:
        for meant_by in (lambda word: self._meant.get(word, ()), self.neighbours):
            for position, word in enumerate(texts):
                for meant in meant_by(word):
                    yield [*texts[:position], meant, *texts[position + 1 :]]

    def neighbours(self, word: str) -> list[str]:
        """Words of the vocabulary that are one letter away from one that is not of it, and begin like it if short."""
        if len(word) < MIN_LETTERS or word in self._vocabulary:
            return []
        keys = {word, *_shorter(word)}
        near = {one for key in keys for one in self._near.get(key, ())}
        alike = (one for one in near if one[0] == word[0] or len(word) >= LONG)
        return sorted(one for one in alike if _one_apart(one, word))


def _shorter(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _one_apart(one: str, other: str) -> bool:
    """By one letter more, less or changed, or two that changed places."""
    if len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return short in _shorter(long)
    differing = [at for at in range(len(one)) if one[at] != other[at]]
    if len(differing) == 2:
        first, second = differing
        return second == first + 1 and one[first] == other[second] and one[second] == other[first]
    return len(differing) == 1
