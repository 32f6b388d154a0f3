"""The library as skills ask it: only what fits the question, each quotation with its document, place and room."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from jarvis.assistant.types import Findings, Quotation
from jarvis.knowledge.chunks import below_headings
from jarvis.knowledge.retrieval import coverage, excerpt, fits, words_of
from jarvis.node.library.entries import Entry
from jarvis.node.library.search import Search
from jarvis.node.library.shelf import Shelf
from jarvis.node.texts import iso_time

PASSAGES = 5
QUOTED_CHARS = 280
"""Of one quotation: twenty seconds of speech."""


class Answering:
    """`room_of` says in which room a node stands."""

    def __init__(self, search: Search, shelf: Shelf, node_id: bytes, room_of: Callable[[bytes], str]) -> None:
        self._search, self._shelf, self._node_id, self._room_of = search, shelf, node_id, room_of

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        """See assistant.types.Home."""
        entries = self._shelf.entries
        if not entries:
            return Findings(documents=0)
        meant = frozenset(name for name, one in entries.items() if coverage(words_of(source), one.title) == 1.0)
        text = question if meant or not source else f"{question} {source}"
        found = await self._search.find(text, PASSAGES, only=meant, here=here)
        among = sum(one.chunks for name, one in entries.items() if not meant or name in meant)
        compared = {one.passage.holder for one in found.ranked if one.passage.meaning is not None}
        quotations = [
            Quotation(
                document=one.passage.document,
                title=self._search.title_of(one.passage.document),
                place=one.passage.place,
                text=excerpt(text, below_headings(one.passage.place, one.passage.text), QUOTED_CHARS),
                room=self._room_of(one.passage.holder),
                here=one.passage.holder == self._node_id,
                chunk=one.passage.position,
                copy=one.passage.document in found.in_place,
                as_of=_outdated(entries.get(one.passage.document)),
            )
            for one in found.ranked
            if fits(text, one.passage, among=among, compared=one.passage.holder in compared)
        ]
        titles = [entries[name].title for name in sorted(meant)]
        return Findings(len(entries), quotations, [self._room_of(one) for one in found.silent], titles)


def _outdated(entry: Entry | None) -> date | None:
    return date.fromisoformat(iso_time(entry.at_ms)[:10]) if entry is not None and entry.outdated_ms else None
