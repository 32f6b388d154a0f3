"""A library of any size out of few real texts: this project's pages and, where Python has it, its language reference.

A made-up chunk is sentences of several real ones; its vector lies between those of two of them, with some noise. So
words are as unequally common as in real texts, and vectors lie as densely as in a library about one thing, denser than
in one about many: harder for whatever finds the nearest.
"""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.engines.worker import Worker
from jarvis.knowledge.chunks import in_its_place, split
from jarvis.knowledge.embedding import MAX_TEXTS
from jarvis.knowledge.files.reading import Reading
from jarvis.plugins.kinds import FileText, Part

CHUNK_CHARS = 800
SENTENCES = 4
"""Of one real chunk in a row."""
NOISE = 0.02
"""Of each number; those of a vector are 0.05 on average."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n\s*\n")


@dataclass(frozen=True)
class Texts:
    places: list[str]
    sentences: list[list[str]]
    vectors: Any
    """(texts, DIMENSIONS) float32."""

    def chunk(self, rng: random.Random) -> tuple[str, str]:
        """(place, text)"""
        taken: list[str] = []
        at = 0
        while sum(map(len, taken)) < CHUNK_CHARS:
            at = rng.randrange(len(self.sentences))
            start = rng.randrange(len(self.sentences[at]))
            taken.append(" ".join(self.sentences[at][start : start + SENTENCES])[:CHUNK_CHARS])
        return self.places[at], "\n\n".join(taken)

    def between(self, rng: Any, count: int) -> Any:
        """So many vectors of length 1, (count, DIMENSIONS) float32."""
        share = rng.uniform(0.3, 0.7, (count, 1))
        one, other = (self.vectors[rng.integers(len(self.vectors), size=count)] for _ in range(2))
        made = share * one + (1 - share) * other + NOISE * rng.standard_normal(one.shape)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype("<f4")


async def read_texts(pages: Sequence[Path], embedding: Worker) -> Texts:
    found: list[tuple[str, str]] = []
    async with Reading() as reading:
        for page in pages:
            found += [(one.place, one.text) for one in (await reading.read(page)).chunks]
    for topic, text in _reference().items():
        found += [(topic, one.text) for one in split(FileText(topic, [Part(text, topic)]))]
    found = [(place, text) for place, text in found if sum(map(str.isalpha, text)) > 40]
    vectors: list[bytes] = []
    for start in range(0, len(found), MAX_TEXTS):
        texts = [in_its_place(*one) for one in found[start : start + MAX_TEXTS]]
        vectors += await embedding.call("embed", texts, deadline_s=60)
    sentences = [[one for one in _SENTENCE.split(text) if one.strip()] for _, text in found]
    return Texts([place for place, _ in found], sentences, np.stack([np.frombuffer(one, "<f4") for one in vectors]))


def _reference() -> dict[str, str]:
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:  # some distributions leave it out
        return {}
    return topics
