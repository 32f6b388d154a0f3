"""Asking what the home knows: this node's own library and, over links, those of peers that hold documents or copies of
them, all at once and within a deadline. Whose documents nobody answered for in time is named; nobody is waited for
longer.

A peer is sent the question with its vector, so that it need not ask a model: a request's handler must not wait for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, Overloaded
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.knowledge.retrieval import Passage, Ranked, rank, without_chance_hits, words_of
from jarvis.node.library.entries import Entry
from jarvis.node.library.index import Index
from jarvis.node.library.messages import (
    MAX_PASSAGES,
    MAX_QUESTION_CHARS,
    Question,
    read_passages,
    read_question,
    write_passages,
    write_question,
)
from jarvis.node.library.shelf import Shelf
from jarvis.node.membership.allowances import Allowances
from jarvis.node.membership.members import Members
from jarvis.node.membership.requests import Requests
from jarvis.node.records.journal import Journal
from jarvis.node.texts import iso_time
from jarvis.replica.replica import Replica
from jarvis.store.library import StoredChunk
from jarvis.store.protocol import Transaction

TOPIC = "knowledge.find"
CANDIDATES = 30
"""Of each ranking. Of 259 questions among 17,000 chunks the right page is among the first five as often with 50, and
each that is read takes 40 µs."""
CANDIDATES_OF_SOME = 500
"""When only some documents count, or copies lie here that are not whole: those that count may come late in both."""
PEERS_S = 0.15
"""For peers to answer: nobody notices it in a reply, and a link in a house takes some milliseconds."""
OWN_S = 2.0
"""For this node's own models, which may have to be loaded; without them words alone decide."""
THEIRS_S = 0.1
"""For our index when a peer asks; it waits no longer than PEERS_S."""
MAX_ASKED = 16
"""Peers, the nearest first."""
BURST, PER_S = 60.0, 8.0
"""Questions that a peer may ask at once, and more each second: people ask one at a time, a program some in a row. An
answer costs some milliseconds, so that this is a twentieth of a core."""

log = structlog.get_logger()


ByWords = list[tuple[StoredChunk, float]]
"""With their texts: the store has time for them while vectors are compared."""

Near = list[tuple[int, float]]
"""Chunk -> how near it is."""


@dataclass(frozen=True, slots=True)
class Found:
    ranked: list[Ranked]
    by_meaning: bool
    """False when words alone decided here."""
    silent: tuple[bytes, ...]
    """Holders that did not answer, of documents for which no copy did either."""
    in_place: frozenset[str] = frozenset()
    """Documents for which only copies answered."""


class Search:
    """`near` gives connected members, the nearest first; `may_leave` says whether what is asked here may leave this
    node."""

    def __init__(
        self,
        journal: Journal,
        members: Members,
        shelf: Shelf,
        index: Index,
        requests: Requests,
        clock: Clock,
        node_id: bytes,
        *,
        near: Callable[[], Sequence[bytes]],
        may_leave: Callable[[], bool],
    ) -> None:
        self._journal, self._members, self._shelf, self._index = journal, members, shelf, index
        self._requests, self._node_id = requests, node_id
        self._near, self._may_leave = near, may_leave
        self._allowances = Allowances(clock, BURST, PER_S)
        requests.serve(TOPIC, self._asked)

    async def search(self, question: str, most: int, *, here: bool = False) -> dict[str, Any]:
        """As people see it. `here`: ask nobody else. Raises InvalidInput."""
        found = await self.find(question, most, here=here)
        await self._members.refresh()
        rows = [self._row(one, found) for one in found.ranked]
        silent = [self._members.name_of(one) for one in found.silent]
        return {"results": rows, "by_meaning": found.by_meaning, "silent": silent}

    async def find(self, text: str, most: int, *, only: frozenset[str] = frozenset(), here: bool = False) -> Found:
        """`only` names documents to look in, all when it is empty. Raises InvalidInput."""
        text = text.strip()
        if not text or len(text) > MAX_QUESTION_CHARS:
            raise InvalidInput(f"A question has 1 to {MAX_QUESTION_CHARS} characters.")
        entries = self._shelf.entries
        meant = [entry for name, entry in entries.items() if not only or name in only]
        holders = {node for entry in meant for node in entry.sources} - {self._node_id}
        alone = here or not self._may_leave()
        asked = [] if alone else [one for one in self._near() if one in holders][:MAX_ASKED]
        # Words are looked for meanwhile: models and vectors are other processes.
        words, (question, near, answers) = await asyncio.gather(
            self._by_words(text, only), self._by_meaning(text, most, only, asked)
        )
        own, by_meaning = await self._passages(question, words, near), near is not None
        answered = {peer for peer, answer in zip(asked, answers, strict=True) if answer is not None}
        theirs = [one for answer in answers for one in answer or () if self._known(one)]
        ranked = rank(self._once([*own, *theirs]), question.most)
        away = [entry for entry in meant if entry.holder not in answered | {self._node_id}]
        silent = {entry.holder for entry in away if not self._covers(entry, answered)}
        return Found(ranked, by_meaning, tuple(sorted(silent)), frozenset(entry.document for entry in away))

    def _covers(self, entry: Entry, answered: AbstractSet[bytes]) -> bool:
        """Whether a copy of it was looked in."""
        return entry.document in self._shelf.held or bool(entry.copies & answered)

    def _once(self, passages: Sequence[Passage]) -> list[Passage]:
        """Of the same passage in several rooms this node's own, else its holder's, else the nearest copy's."""

        def place(one: Passage) -> int:
            return 0 if one.holder == self._node_id else 2 - (one.holder == self._shelf.entries[one.document].holder)

        kept: dict[tuple[str, int], Passage] = {}
        for one in passages:
            before = kept.setdefault((one.document, one.position), one)
            if place(one) < place(before):
                kept[one.document, one.position] = one
        return list(kept.values())

    def title_of(self, document: str) -> str:
        entry = self._shelf.entries.get(document)
        return entry.title if entry else ""

    def _row(self, one: Ranked, found: Found) -> dict[str, Any]:
        passage = one.passage
        about, entry = self._shelf.held.get(passage.document), self._shelf.entries.get(passage.document)
        return {
            "document_id": passage.document,
            "title": self.title_of(passage.document),
            "chunk": passage.position,
            "score": one.score,
            "text": passage.text,
            "holder": self._members.name_of(passage.holder),
            "node_id": to_text(passage.holder),
            "copy": passage.document in found.in_place,
            "source": about.source or None if about else None,
            "place": passage.place,
            "outdated": iso_time(entry.outdated_ms) if entry and entry.outdated_ms else None,
            "read_at": iso_time(entry.at_ms) if entry else None,
            "meaning": None if passage.meaning is None else round(passage.meaning, 3),
        }

    def _known(self, passage: Passage) -> bool:
        """Whether the home knows that this peer holds it: not so before its entry came, nor once it was removed."""
        entry = self._shelf.entries.get(passage.document)
        return entry is not None and passage.holder in entry.sources

    async def _vector(self, text: str) -> bytes | None:
        return await self._index.vector_of(text, within_s=OWN_S) if self._shelf.entries else None

    async def _by_words(self, text: str, only: frozenset[str]) -> ByWords:
        if not self._shelf.held:
            return []

        def work(tx: Transaction, _: Replica) -> ByWords:
            scores = dict(tx.library.search(words_of(text), self._candidates(only)))
            return [(one, scores[one.id]) for one in tx.library.chunks(scores)]

        return await self._journal.read(work)

    async def _by_meaning(
        self, text: str, most: int, only: frozenset[str], asked: Sequence[bytes]
    ) -> tuple[Question, Near | None, list[list[Passage] | None]]:
        """The question with its vector, what is near it here, and what the peers `asked` found."""
        question = Question(text, await self._vector(text), max(1, min(most, MAX_PASSAGES)), only)
        body = write_question(question)
        near, answers = await asyncio.gather(
            self._nearest(question, within_s=OWN_S), asyncio.gather(*(self._ask(peer, body) for peer in asked))
        )
        return question, near, answers

    async def _passages(self, question: Question, words: ByWords, near: Near | None) -> list[Passage]:
        by_words, by_meaning = {one.id: score for one, score in words}, dict(near or ())
        others = [one for one in by_meaning if one not in by_words]
        chunks = [one for one, _ in words] + await self._journal.read(lambda tx, _: tx.library.chunks(others))
        passages = [
            self._passage(one, by_words.get(one.id), by_meaning.get(one.id))
            for one in chunks
            if one.document in self._shelf.held and (not question.only or one.document in question.only)
        ]
        return passages if near is None else without_chance_hits(question.text, passages)

    def _candidates(self, only: frozenset[str]) -> int:
        return CANDIDATES_OF_SOME if only or self._shelf.coming else CANDIDATES

    def _passage(self, chunk: StoredChunk, words: float | None, meaning: float | None) -> Passage:
        return Passage(self._node_id, chunk.document, chunk.position, chunk.place, chunk.text, words, meaning)

    async def _nearest(self, question: Question, *, within_s: float) -> Near | None:
        """None when meaning could not be looked at."""
        if question.vector is None or not self._shelf.held:
            return None if question.vector is None else []
        return await self._index.nearest(question.vector, self._candidates(question.only), within_s=within_s)

    async def _ask(self, peer: bytes, body: bytes) -> list[Passage] | None:
        """A peer's passages; None when it did not give any answer in time."""
        try:
            return read_passages(await self._requests.ask(peer, TOPIC, body, within_s=PEERS_S), peer)
        except InvalidBytes as error:
            log.warning("a peer's passages are none", peer=to_text(peer), reason=str(error))
        except JarvisError as error:
            log.debug("a peer's library did not answer", peer=to_text(peer), error=type(error).__name__)
        return None

    async def _asked(self, peer: bytes, body: bytes) -> bytes:
        """A peer's question to this node's library."""
        if not self._allowances.take(peer):
            raise Overloaded("That room was asked often enough for now.")
        question = read_question(body)
        words, near = await asyncio.gather(
            self._by_words(question.text, question.only), self._nearest(question, within_s=THEIRS_S)
        )
        passages = await self._passages(question, words, near)
        return write_passages([one.passage for one in rank(passages, question.most)])
