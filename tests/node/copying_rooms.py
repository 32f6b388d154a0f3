"""Rooms that keep copies of each other's documents, in one process: real shelves over stores in memory, one replicated
map that all of them see at once, and requests that arrive, fail or are answered falsely as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from jarvis.core.errors import NotFound, Unreachable
from jarvis.core.time import SystemClock
from jarvis.crdt.dots import Dot
from jarvis.crdt.mvmap import MVMap, MVMapKind
from jarvis.crdt.registry import KNOWLEDGE
from jarvis.node.library.copies import Copies
from jarvis.node.library.entries import Entry
from jarvis.node.library.giving import TOPIC, Giving
from jarvis.node.library.pieces import Blob, Chunk, blob_of, read_wanted
from jarvis.node.library.pinning import Pinning
from jarvis.node.library.shelf import About, Shelf
from jarvis.node.records.budget import Budget
from jarvis.store.memory import MemoryStore

KIND = MVMapKind()


def long_content(word: str = "word", chunks: int = 57) -> list[Chunk]:
    """Some ten pieces."""
    return [(f"page {n}", f"Passage {n} " + f"{word} " * 900) for n in range(chunks)]


class Home:
    def __init__(self, *names: str) -> None:
        self.state = MVMap()
        self.away: set[str] = set()
        self.asked: list[tuple[str, str, int]] = []
        """Every piece that was asked for: (by whom, whom, which)."""
        self.lies: Callable[[str, int, bytes], bytes] = lambda whom, index, answer: answer
        """Told of every piece that is given; what it returns arrives."""
        self.rooms = {name: Room(self, name) for name in names}
        self._seq = 0

    def write(self, node: bytes, operations: list[Any]) -> None:
        for operation in operations:
            self._seq += 1
            dot = Dot(node + bytes(16), self._seq, 0)
            KIND.absorb(self.state, KIND.delta(operation, dot, self._seq))
        for room in self.rooms.values():
            room.shelf.look()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one.run())
                for room in self.rooms.values()
                for one in (room.shelf, room.copies, room.giving)
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()


@dataclass
class Room:
    """A node, and what its library takes for the journal, the members, the index, the audit and the requests."""

    home: Home
    name: str
    handlers: dict[str, Any] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    looked: int = 0
    commits: int = 0
    """Of its store alone."""

    def __post_init__(self) -> None:
        self.id = self.name.encode().ljust(16, b".")
        self.store = MemoryStore()
        one: Any = self

        def connected() -> frozenset[bytes]:
            return frozenset(self.near())

        self.shelf = Shelf(one, one, one, one, self.id, reading=lambda: one, wall_ms=lambda: 0, connected=connected)
        self.copies = Copies(one, one, self.shelf, one, self.id, near=self.near)
        self.giving = Giving(one, self.shelf, one, SystemClock())
        self.pinning = Pinning(one, one, one, self.shelf, self.copies, one, self.id, connected=connected)

    def near(self) -> list[bytes]:
        return [one.id for one in self.home.rooms.values() if one is not self and self.linked(one)]

    def linked(self, other: Room) -> bool:
        return not {self.name, other.name} & self.home.away

    # --- what a test does -----------------------------------------------------------------------------------------

    def give(self, document: str, chunks: list[Chunk], blob: Blob | None = None) -> None:
        """As if it had been read from a file here."""
        about = About(document.title(), f"/{document}", b"digest").to_bytes()
        self.store.transact(lambda tx: tx.library.begin(document, about))
        self.store.transact(lambda tx: tx.library.append(document, chunks))
        entry = Entry(document, document.title(), self.id, len(chunks), 9, 0, document, blob or blob_of(chunks))
        self.home.write(self.id, [self.home.state.put(document, entry.to_value(b"digest"))])

    def content(self, document: str) -> list[Chunk]:
        return self.store.view(lambda tx: tx.library.content(document, 0, 10_000))

    def whole(self, document: str) -> bool:
        return document in self.shelf.held and self.id in self.shelf.entries[document].sources

    def problem(self, document: str) -> str:
        return self.copies.progress[document].problem if document in self.copies.progress else ""

    # --- the journal ----------------------------------------------------------------------------------------------

    def listen(self, listener: Any) -> None:
        """The home tells of what is written."""

    async def read(self, view: Any) -> Any:
        await asyncio.sleep(0)
        return self.store.view(lambda tx: view(tx, SimpleNamespace(state=lambda tx, document: self.home.state)))

    async def state(self, document: str, view: Any) -> Any:
        assert document == KNOWLEDGE
        self.looked += 1
        return view(self.home.state)

    async def change_local(self, work: Any) -> Any:
        self.commits += 1
        await asyncio.sleep(0)
        return self.store.transact(work)

    async def write(self, *writes: Any, makes_room: bool = False) -> None:
        for document, make in writes:
            if document == KNOWLEDGE:
                self.home.write(self.id, make(self.home.state))

    # --- the members, the index, the audit ------------------------------------------------------------------------

    @property
    def chain(self) -> Any:
        return SimpleNamespace(members={one.id: None for one in self.home.rooms.values()})

    async def refresh(self) -> None: ...

    def room_of(self, node_id: bytes) -> str:
        return node_id.decode().rstrip(".")

    name_of = room_of

    def in_room(self, room: str) -> list[bytes]:
        if room not in self.home.rooms:
            raise NotFound("no such room")
        return [self.home.rooms[room].id]

    def wake(self) -> None: ...
    async def removed(self, ids: Any) -> None: ...

    def entry(self, *args: Any, **more: Any) -> Any:
        return "audit/2026-11", lambda state: []

    # --- the requests ---------------------------------------------------------------------------------------------

    def serve(self, topic: str, handler: Any) -> None:
        self.handlers[topic] = handler

    async def ask(self, peer: bytes, topic: str, body: bytes, *, within_s: float) -> bytes:
        other = self.home.rooms[self.room_of(peer)]
        index = read_wanted(body).index if topic == TOPIC else -1
        if topic == TOPIC:
            self.home.asked.append((self.name, other.name, index))
        await asyncio.sleep(0)
        if not self.linked(other):
            raise Unreachable("There is no link to that node.")
        answer = await other.handlers[topic](self.id, body)
        if not self.linked(other):
            raise Unreachable("The link ended before there was an answer.")
        return self.home.lies(other.name, index, answer) if topic == TOPIC else bytes(answer)
