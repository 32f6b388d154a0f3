"""The library as the API sees it: one face for what is kept, what is found and what keeps up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from jarvis.assistant.types import Findings
from jarvis.node.library.answering import Answering
from jarvis.node.library.copies import Copies
from jarvis.node.library.describing import Describing
from jarvis.node.library.giving import Giving
from jarvis.node.library.index import Index
from jarvis.node.library.pinning import Pinning
from jarvis.node.library.search import Search
from jarvis.node.library.shelf import Shelf
from jarvis.node.library.watching import Watching

Rows = list[dict[str, Any]]


class Library:
    def __init__(
        self,
        shelf: Shelf,
        index: Index,
        copies: Copies,
        giving: Giving,
        pinning: Pinning,
        search: Search,
        answering: Answering,
        watching: Watching,
        describing: Describing,
    ) -> None:
        self._shelf, self._index, self._copies, self._giving, self._pinning = shelf, index, copies, giving, pinning
        self._search, self._answering, self._watching = search, answering, watching
        self._describing = describing

    async def load(self) -> None:
        """Know what there is, before anybody asks."""
        await self._shelf.follow()

    async def run(self) -> None:
        """Follow the home and the watched folders, and keep the indexes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shelf.run(), name="documents")
            group.create_task(self._index.run(), name="index")
            group.create_task(self._copies.run(), name="copies")
            group.create_task(self._giving.run(), name="giving copies")
            group.create_task(self._watching.run(), name="watched folders")
            group.create_task(self._describing.run(), name="captions")

    async def list(self) -> Rows:
        rows = await self._shelf.list()
        copies = await self._pinning.rows([row["document_id"] for row in rows])
        return [row | {"copies": copies[row["document_id"]]} for row in rows]

    async def pin(self, document: str, room: str) -> dict[str, Any]:
        return await self._pinning.pin(document, room)

    async def unpin(self, document: str, room: str) -> dict[str, Any]:
        return await self._pinning.unpin(document, room)

    def add(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        return self._shelf.add(path)

    async def watched(self) -> Rows:
        return await self._watching.list()

    async def watch(self, path: str) -> dict[str, Any]:
        return await self._watching.begin(path)

    async def unwatch(self, path: str) -> dict[str, Any]:
        return await self._watching.end(path)

    async def remove(self, document: str) -> dict[str, Any]:
        return await self._shelf.remove(document)

    async def reindex(self) -> dict[str, Any]:
        return await self._shelf.reindex()

    async def search(self, question: str, most: int, *, here: bool = False) -> dict[str, Any]:
        return await self._search.search(question, most, here=here)

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        """For skills; see assistant.types.Home."""
        return await self._answering.look_up(question, source, here=here)
