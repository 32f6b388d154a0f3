"""Which passages answer a question: two rankings, by words and by meaning, are fused by reciprocal rank, so that scores
which mean different things are never added; a passage gains by what else of its document was found, and no document may
crowd out the others. Pure; where passages come from, be it this node or another, makes no difference here.

Source: Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods", 2009.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

RANK_OFFSET = 60
"""The paper's k: how little the very first places count more than the next."""
BESIDE, BESIDE_SHARE = 2, 0.05
"""A passage gains this share of the scores of so many others of its document, the best: where several were found, it is
what the document is about. Ten times as much, and long documents win for being long."""
PER_DOCUMENT = 2
"""Passages of one document among the first, as long as others have any."""
MAX_WORDS = 32
"""Of a question that are looked for; a spoken one has ten."""
CLOSE, CLOSER = 0.33, 0.04
"""Cosine from which a passage is about what was asked, whatever its words, and how much more with each tenfold of
passages that it was chosen from: in a large library something is always near. Of 17,000 chunks that know nothing of a
question the nearest lay at 0.2 to 0.49, of 350 at 0.1 to 0.47."""
NEAR = 0.3
"""Cosine from which it is when it holds some of the words too. With this model unrelated texts lie below 0.2, and
answers to a question mostly above 0.4."""
RELATED = 0.175
"""Cosine from which it is when it holds all of them."""
ENOUGH_WORDS = 0.6
"""Of a question's words that a passage must hold to be about it where its meaning is not known."""
BY_CHANCE = 0.5
"""A passage that holds less of a question's words than this was found by chance, where its meaning is known too."""
STEM_CHARS = 5
"""By which two forms of a word are taken for one."""
_OWNER = re.compile("['\u2019]s$")
"""Of "the room's screen": what is looked for is the room."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_EMPTY = frozenset(
    "a about according am an and any are as at be been but by can could did do does for from had has have he her his "  # noqa: SIM905 - one list
    "how i if in into is it its me my no not of on or our please say says she should so tell than that the their them "
    "then there these they this those to us was we were what what's when where which who whom whose why will with "
    "would you your".split()
)
"""English words that stand in every text, so that they tell nothing."""


@dataclass(frozen=True, slots=True)
class Passage:
    holder: bytes
    """Node that holds it."""
    document: str
    position: int
    """Of the chunk in its document, from 0."""
    place: str
    text: str
    words: float | None
    """How well its words fit, by BM25; more is better. None when they were not found."""
    meaning: float | None
    """Cosine of its vector with the question's, -1 to 1. None when it was not found by it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    passage: Passage
    score: float
    """0 to 1; 1 when it was first by words and by meaning, or nearly so in a document that was found often."""


def words_of(question: str) -> list[str]:
    """Those worth looking for, each once, in order; all of them when each is an empty one."""
    found = list(dict.fromkeys(_OWNER.sub("", word.casefold()) for word in _WORD.findall(question)))
    return ([word for word in found if word not in _EMPTY] or found)[:MAX_WORDS]


def coverage(words: Sequence[str], text: str) -> float:
    """How many of the words stand in the text in some form, 0 to 1."""
    if not words:
        return 0.0
    text = text.casefold()
    return sum(_holds(text, word[:STEM_CHARS]) for word in words) / len(words)


def _holds(text: str, stem: str) -> bool:
    """Whether a word of the text begins so, or is that where the stem is shorter than others. It takes a twentieth of
    cutting the text into words, and a question has a hundred passages."""
    at = text.find(stem)
    while at >= 0:
        end = at + len(stem)
        ends = len(stem) == STEM_CHARS or not _goes_on(text[end : end + 2])
        if ends and not _goes_on(text[max(at - 2, 0) : at][::-1]):
            return True
        at = text.find(stem, at + 1)
    return False


def _goes_on(beside: str) -> bool:
    """Whether a word reaches into the two characters beside one of its own, the nearer first."""
    return beside[:1].isalnum() or (beside[:1] in ("'", "’") and beside[1:].isalnum())


def without_chance_hits(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """The same passages; those that hold few of the words have no place in the ranking by words. Where little was
    written about a question, the first of that ranking would else be whatever holds one common word of it."""
    words = words_of(question)
    return [
        one
        if one.words is None or coverage(words, f"{one.place} {one.text}") >= BY_CHANCE
        else replace(one, words=None)
        for one in passages
    ]


def fits(question: str, passage: Passage, *, among: int = 1, compared: bool = False) -> bool:
    """Whether a passage is about the question at all: the best of a library is still nothing when nothing fits. It was
    chosen from `among` passages. `compared`: its holder looked for meaning, so that one without any was not near."""
    covered = coverage(words_of(question), f"{passage.place} {passage.text}")
    if passage.meaning is None:
        return covered >= (1.0 if compared else ENOUGH_WORDS)
    if covered >= BY_CHANCE:
        return passage.meaning >= (RELATED if covered == 1.0 else NEAR)
    return passage.meaning >= CLOSE + CLOSER * math.log10(max(among, 1))


def excerpt(question: str, text: str, most_chars: int) -> str:
    """The sentences of a passage that hold most of the question's words, as many in one stretch as `most_chars` take;
    at least one, cut at a word when it is longer."""
    words = words_of(question)
    sentences = [" ".join(one.split()) for one in _SENTENCE.split(text) if one.strip()]
    best, best_score = "", -1.0
    for start, first in enumerate(sentences):
        stretch = first
        for one in sentences[start + 1 :]:
            if len(stretch) + 1 + len(one) > most_chars:
                break
            stretch += f" {one}"
        score = coverage(words, stretch) + coverage(words, first) / 100  # of two, the one that begins where it matters
        if score > best_score:
            best, best_score = stretch, score
    return best if len(best) <= most_chars else best[:most_chars].rsplit(" ", 1)[0] + "…"


def rank(passages: Sequence[Passage], most: int) -> list[Ranked]:
    """The best, best first. Of passages with the same text only one counts, as when two rooms hold the same file."""
    scores: dict[int, float] = {}
    for measure in (lambda one: one.words, lambda one: one.meaning):
        for place, index in enumerate(_order(passages, measure)):
            scores[index] = scores.get(index, 0.0) + 1 / (RANK_OFFSET + place + 1)
    scores = _with_others(passages, scores)
    best = sorted(scores, key=lambda index: (-scores[index], index))
    texts: set[str] = set()
    ranked: list[Ranked] = []
    for index in best:
        if passages[index].text not in texts:
            texts.add(passages[index].text)
            ranked.append(Ranked(passages[index], min(round(scores[index] * (RANK_OFFSET + 1) / 2, 4), 1.0)))
    return _diverse(ranked, most)


def _with_others(passages: Sequence[Passage], scores: dict[int, float]) -> dict[int, float]:
    found: dict[str, list[float]] = {}
    for index, score in scores.items():
        found.setdefault(passages[index].document, []).append(score)
    best = {document: heapq.nlargest(1 + BESIDE, some) for document, some in found.items()}
    return {
        index: score + BESIDE_SHARE * (sum(top) - max(score, top[-1]))  # itself is no other, if it is among them
        for index, score in scores.items()
        for top in (best[passages[index].document],)
    }


def _order(passages: Sequence[Passage], measure: Callable[[Passage], float | None]) -> list[int]:
    measured = [(value, index) for index, one in enumerate(passages) if (value := measure(one)) is not None]
    return [index for _, index in sorted(measured, key=lambda pair: (-pair[0], pair[1]))]


def _diverse(ranked: Sequence[Ranked], most: int) -> list[Ranked]:
    """The first `most` in their order, with at most PER_DOCUMENT of one document unless there is nothing else."""
    taken: dict[str, int] = {}
    chosen: set[int] = set()
    for index, one in enumerate(ranked):
        document = one.passage.document
        if len(chosen) < most and taken.get(document, 0) < PER_DOCUMENT:
            taken[document] = taken.get(document, 0) + 1
            chosen.add(index)
    for index in range(len(ranked)):
        if len(chosen) < most:
            chosen.add(index)
    return [ranked[index] for index in sorted(chosen)]
