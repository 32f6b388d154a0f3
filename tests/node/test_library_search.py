"""Asking other rooms' libraries: who may be asked, what is believed, and what silence costs. No sockets, no models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from jarvis.assistant.types import Findings
from jarvis.core.errors import DeadlineExceeded, InvalidBytes, InvalidInput, Overloaded, Unreachable
from jarvis.core.time import SystemClock
from jarvis.knowledge.retrieval import Passage
from jarvis.knowledge.vectors import VECTOR_BYTES
from jarvis.node.library.entries import Entry
from jarvis.node.library.messages import Question, read_question, write_passages, write_question
from jarvis.node.library.search import BURST, PEERS_S, TOPIC, Search
from jarvis.node.talk.private_skills import PrivateSkills
from jarvis.store.memory import MemoryStore

ME, HALL, STUDY = b"m" * 16, b"h" * 16, b"s" * 16


def passage(document: str, text: str, *, holder: bytes = HALL, meaning: float | None = 0.6) -> Passage:
    return Passage(holder, document, 0, "page 1", text, 2.0, meaning)


@dataclass
class Room:
    """A node with one document of its own, two peers that hold one each, and what they answer."""

    answers: dict[bytes, Callable[[bytes], Awaitable[bytes]]] = field(default_factory=dict)
    near: tuple[bytes, ...] = (HALL, STUDY)
    open: bool = True
    asked: list[bytes] = field(default_factory=list)
    vector: bytes | None = bytes(VECTOR_BYTES)
    held: dict[str, object] = field(default_factory=lambda: {"mine": None})
    coming: dict[str, object] = field(default_factory=dict)
    handlers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        self.store.transact(lambda tx: tx.library.begin("mine", b""))
        self.store.transact(lambda tx: tx.library.append("mine", [("page 9", "My own boiler is green.")]))
        holders = {"mine": ME, "hers": HALL, "theirs": STUDY}
        self.entries = {name: Entry(name, name.title(), holder, 1, 9, 0) for name, holder in holders.items()}

    def search(self) -> Search:
        room: Any = self
        return Search(
            room, room, room, room, room, SystemClock(), ME, near=lambda: self.near, may_leave=lambda: self.open
        )

    def serve(self, topic: str, handler: Any) -> None:
        self.handlers[topic] = handler

    async def refresh(self) -> None: ...

    def name_of(self, node_id: bytes) -> str:
        return node_id[:1].decode()

    async def read(self, view: Any) -> Any:
        return self.store.view(lambda tx: view(tx, None))

    async def vector_of(self, text: str, *, within_s: float) -> bytes | None:
        return self.vector

    async def nearest(self, vector: bytes, most: int, *, within_s: float) -> list[tuple[int, float]]:
        return [(1, 0.4)]

    async def ask(self, peer: bytes, topic: str, body: bytes, *, within_s: float) -> bytes:
        assert (topic, within_s) == (TOPIC, PEERS_S)
        self.asked.append(peer)
        return await self.answers[peer](body)


def giving(*passages: Passage) -> Callable[[bytes], Awaitable[bytes]]:
    async def answer(body: bytes) -> bytes:
        assert read_question(body).vector == bytes(VECTOR_BYTES), "a peer need not ask a model"
        return write_passages(passages)

    return answer


def failing(error: Exception) -> Callable[[bytes], Awaitable[bytes]]:
    async def answer(body: bytes) -> bytes:
        raise error

    return answer


async def garbage(body: bytes) -> bytes:
    return b"\xc1 no passages"


def found(room: Room, **more: Any) -> tuple[list[tuple[bytes, str]], tuple[bytes, ...]]:
    result = asyncio.run(room.search().find("which boiler is green", 5, **more))
    return [(one.passage.holder, one.passage.document) for one in result.ranked], result.silent


def test_passages_of_all_rooms_are_ranked_together() -> None:
    room = Room({HALL: giving(passage("hers", "A boiler.")), STUDY: giving(passage("theirs", "Green.", holder=STUDY))})
    rows, silent = found(room)
    assert set(rows) == {(ME, "mine"), (HALL, "hers"), (STUDY, "theirs")} and silent == ()
    assert room.asked == [HALL, STUDY]


@pytest.mark.parametrize("answer", [failing(DeadlineExceeded("late")), failing(Unreachable("gone")), garbage])
def test_who_is_late_gone_or_talks_nonsense_is_named_and_costs_nothing_else(answer: Any) -> None:
    rows, silent = found(Room({HALL: answer, STUDY: giving(passage("theirs", "Green.", holder=STUDY))}))
    assert set(rows) == {(ME, "mine"), (STUDY, "theirs")} and silent == (HALL,)


def test_a_peer_speaks_only_for_what_it_holds() -> None:
    lies = [passage(name, f"Believe me about {name}.") for name in ("mine", "theirs", "unheard-of")]
    rows, _ = found(Room({HALL: giving(*lies), STUDY: giving()}))
    assert rows == [(ME, "mine")]


def with_copies(room: Room, **copies: bytes) -> Room:
    """Who has a copy of which document."""
    for name, node in copies.items():
        room.entries[name] = replace(room.entries[name], copies=frozenset([node]))
    return room


def test_a_passage_that_two_rooms_hold_counts_once_and_is_its_holders() -> None:
    copy, other = passage("hers", "A boiler.", holder=STUDY), passage("hers", "Another boiler.", holder=STUDY)
    gives = {STUDY: giving(copy, replace(other, position=1)), HALL: giving(passage("hers", "A boiler."))}
    room = with_copies(Room(gives, near=(STUDY, HALL)), hers=STUDY)
    result = asyncio.run(room.search().find("which boiler is green", 5))
    told = {(one.passage.holder, one.passage.text) for one in result.ranked if one.passage.document == "hers"}
    assert told == {(HALL, "A boiler."), (STUDY, "Another boiler.")}
    assert result.in_place == frozenset() and result.silent == ()


@pytest.mark.parametrize("answer", [failing(Unreachable("gone")), failing(DeadlineExceeded("late"))])
def test_a_copy_answers_in_its_holders_place_and_nothing_is_missing(answer: Any) -> None:
    copy = passage("hers", "A boiler.", holder=STUDY)
    room = with_copies(Room({HALL: answer, STUDY: giving(copy)}), hers=STUDY)
    rows = asyncio.run(room.search().search("which boiler is green", 5))
    assert {(row["document_id"], row["copy"]) for row in rows["results"]} == {("mine", False), ("hers", True)}
    assert rows["silent"] == []
    room.held["hers"] = None  # and a copy here does as well
    assert found(with_copies(room, hers=ME))[1] == ()
    assert found(with_copies(Room({HALL: answer, STUDY: answer}), hers=STUDY))[1] == (HALL, STUDY)


def test_a_copy_that_is_not_whole_hides_nothing() -> None:
    room = Room(near=(), vector=None, coming={"hers": None})
    room.store.transact(lambda tx: tx.library.begin("hers", b""))
    room.store.transact(lambda tx: tx.library.append("hers", [("", "Green, green boiler!")] * 60))
    assert found(room)[0] == [(ME, "mine")]


def test_a_holder_that_is_not_linked_is_named() -> None:
    rows, silent = found(Room({HALL: giving()}, near=(HALL,)))
    assert rows == [(ME, "mine")] and silent == (STUDY,)


@pytest.mark.parametrize("more", [{"open": False}, {}])
def test_what_may_not_leave_the_room_is_asked_of_nobody(more: dict[str, Any]) -> None:
    room = Room(**more)
    rows, silent = found(room, here=bool(not more))
    assert rows == [(ME, "mine")] and room.asked == [] and silent == (HALL, STUDY)


def test_only_holders_of_the_meant_document_are_asked() -> None:
    room = Room({STUDY: giving(passage("theirs", "Green.", holder=STUDY))})
    assert found(room, only=frozenset(["theirs"])) == ([(STUDY, "theirs")], ())
    assert room.asked == [STUDY]


def test_a_private_conversation_asks_this_node_alone() -> None:
    told = []

    class Home:
        async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
            told.append(here)
            return Findings(1)

    home: Any = Home()
    asyncio.run(PrivateSkills(home).look_up("boiler", ""))
    assert told == [True]


def test_peers_are_answered_and_not_without_end() -> None:
    async def body() -> None:
        room = Room()
        room.search()
        ask = room.handlers[TOPIC]
        answer = await ask(HALL, write_question(Question("green boiler", None, 3)))
        assert b"My own boiler is green." in answer
        for wrong in (b"", b"\x90", write_question(Question("x" * 5_000, None, 3))):
            with pytest.raises(InvalidBytes):
                await ask(STUDY, wrong)
        with pytest.raises(Overloaded):
            for _ in range(int(BURST) * 20):
                await ask(HALL, write_question(Question("green boiler", None, 3)))
        room.held.clear()  # removed a moment ago
        assert b"boiler" not in await ask(STUDY, write_question(Question("green boiler", None, 3)))

    asyncio.run(body())


def test_a_question_has_words_and_an_end() -> None:
    for wrong in ("", "   ", "x" * 1_001):
        with pytest.raises(InvalidInput):
            asyncio.run(Room().search().find(wrong, 5))
