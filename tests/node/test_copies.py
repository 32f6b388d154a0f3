"""Keeping copies: what is fetched from whom, what a broken link, a full store and a liar cost, and what is erased. No
sockets, no processes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotAllowed, NotFound, Overloaded
from jarvis.crdt.mvmap import MVMap
from jarvis.node.library import copies, giving
from jarvis.node.library.entries import copies_said, copy_key, keys_of, pin_key, read_entries
from jarvis.node.library.pieces import (
    Blob,
    Cut,
    Wanted,
    blob_of,
    leaf,
    read_wanted,
    write_chunks,
    write_given,
    write_wanted,
)
from jarvis.testing.waiting import until
from tests.node.copying_rooms import Home, Room, long_content

BOOK = long_content()
BLOB = blob_of(BOOK) or Blob(b"", 0, 0)
PIECES, ROOT = BLOB.pieces, BLOB.root


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "PAUSE_S", 0.0)
    monkeypatch.setattr(copies, "RETRY_S", 0.005)


def three() -> tuple[Home, Room, Room, Room]:
    home = Home("kitchen", "study", "hall")
    home.rooms["kitchen"].give("book", BOOK)
    return (home, *home.rooms.values())


async def rounds(room: Room) -> None:
    """Until it has looked several times for what is missing."""
    looked = room.looked
    await until(lambda: room.looked > looked + 8)


async def shown(room: Room) -> dict[str, int | None]:
    return {row["name"]: row["percent"] for row in (await room.pinning.rows(["book"]))["book"]}


def test_a_copy_is_fetched_counts_when_it_is_whole_and_is_a_source_itself() -> None:
    async def body() -> None:
        home, kitchen, study, hall = three()
        async with home.running():
            row = await hall.pinning.pin("bo", "study")
            assert [(one["name"], one["percent"]) for one in row["copies"]] in ([("study", 0)], [("study", None)])
            await until(lambda: study.whole("book"))
            assert study.content("book") == BOOK and hall.content("book") == []
            assert Counter(home.asked) == {("study", "kitchen", n): 1 for n in range(PIECES)}, "each piece once"
            assert await shown(hall) == {"study": 100}

            home.away.add("kitchen")
            await study.pinning.pin("book", "hall")
            await until(lambda: hall.whole("book"))
            assert hall.content("book") == BOOK and {one[1] for one in home.asked if one[0] == "hall"} == {"study"}
            assert await shown(kitchen) == {"hall": 100, "study": 100}
            home.rooms.pop("study")  # it has left
            assert await shown(kitchen) == {"hall": 100}

    asyncio.run(body())


def test_waiting_for_somebody_costs_the_disk_nothing() -> None:
    async def body() -> None:
        home, _, study, hall = three()
        home.away.add("kitchen")
        async with home.running():
            await hall.pinning.pin("book", "study")
            await until(lambda: study.problem("book") == "The kitchen is away.")
            await rounds(study)
            assert study.commits == 0

    asyncio.run(body())


def test_a_broken_link_costs_no_piece_twice() -> None:
    async def body() -> None:
        home, _, study, hall = three()
        breaks = iter([3, 4, 6])
        next_break = next(breaks)

        def lies(whom: str, index: int, answer: bytes) -> bytes:
            nonlocal next_break
            if index >= next_break:
                next_break = next(breaks, 10**6)
                home.away.add("kitchen")
            return answer

        home.lies = lies
        async with home.running():
            await hall.pinning.pin("book", "study")
            while not study.whole("book"):
                await until(lambda: "kitchen" in home.away or study.whole("book"))
                if "kitchen" in home.away:
                    await until(lambda: study.problem("book") == "The kitchen is away.")
                    assert "book" not in study.shelf.held
                    assert (await shown(hall))["study"] == 100 * study.copies.progress["book"].pieces // PIECES
                    home.away.clear()
        assert study.content("book") == BOOK
        assert max(Counter(home.asked).values()) <= 2, "what was on its way when the link broke"
        assert len(home.asked) <= PIECES + 2 * 3

    asyncio.run(body())


def test_a_node_that_begins_anew_goes_on_where_it_was() -> None:
    async def body() -> None:
        home, _, study, hall = three()

        def lies(whom: str, index: int, answer: bytes) -> bytes:
            if index == 5:
                home.away.add("kitchen")
            return answer

        home.lies = lies
        async with home.running():
            await hall.pinning.pin("book", "study")
            await until(lambda: study.problem("book"))
        kept, home.lies = study.copies.progress["book"].pieces, lambda whom, index, answer: answer
        assert 0 < kept < PIECES
        home.asked.clear()
        home.away.clear()
        again = home.rooms["study"] = Room(home, "study")
        again.store = study.store
        async with home.running():
            await until(lambda: again.whole("book"))
        assert again.content("book") == BOOK
        assert sorted(index for _, _, index in home.asked) == list(range(kept, PIECES))

    asyncio.run(body())


@pytest.mark.parametrize("lie", ["another document's piece", "another piece", "garbage", "nothing", "no proof"])
def test_a_liar_is_named_asked_no_more_and_another_asked(lie: str) -> None:
    async def body() -> None:
        home, _, study, hall = three()
        others = Cut()
        others.add(long_content("false"))
        others.blob()
        false = write_given(write_chunks(long_content("false")[:1]), others.proof(0))
        before: list[bytes] = []

        def lies(whom: str, index: int, answer: bytes) -> bytes:
            before.append(answer)
            if whom != "kitchen" or index < 2:
                return answer
            told = {"another piece": before[0], "garbage": b"\xc1", "nothing": b"", "another document's piece": false}
            return told.get(lie, write_given(write_chunks(BOOK[:1]), []))

        async with home.running():
            await hall.pinning.pin("book", "hall")
            await until(lambda: hall.whole("book"))  # while the kitchen was honest
            home.lies = lies
            home.away.add("hall")
            await study.pinning.pin("book", "here")
            await until(lambda: study.problem("book") == "What the kitchen sent is not that document.")
            kept = study.content("book")
            assert kept == BOOK[: len(kept)] and "book" not in study.shelf.held
            asked = len(home.asked)
            await rounds(study)
            assert len(home.asked) == asked, "not asked again"
            home.away.clear()
            await until(lambda: study.whole("book"))
            assert study.content("book") == BOOK

    asyncio.run(body())


def test_an_entry_that_lies_makes_no_copy() -> None:
    """Every piece is of its tree, but they are not what a document is cut into."""

    async def body() -> None:
        home = Home("kitchen", "study")
        kitchen, study = home.rooms.values()
        pieces = [write_chunks(BOOK[:2]), write_chunks(BOOK[2:3])]
        cut = Cut(leaves=[leaf(one) for one in pieces], firsts=[0, 2], size_bytes=sum(map(len, pieces)))
        kitchen.give("book", BOOK[:3], cut.blob())

        async def answer(peer: bytes, body: bytes) -> bytes:
            index = read_wanted(body).index
            return write_given(pieces[index], cut.proof(index))

        kitchen.handlers[giving.TOPIC] = answer
        async with home.running():
            await study.pinning.pin("book", "here")
            await until(lambda: study.problem("book") == copies.SPOILT)
            await until(lambda: study.content("book") == [])
            await rounds(study)
            assert len(home.asked) == 2, "not fetched again and again"
            assert "book" not in study.shelf.held and not copies_said(home.state, study.id)

    asyncio.run(body())


def test_what_does_not_fit_is_said_by_name_and_taken_when_there_is_room() -> None:
    async def body() -> None:
        home, _, study, hall = three()
        study.budget.limit_bytes = 1
        async with home.running():
            await hall.pinning.pin("book", "study")
            await until(lambda: study.problem("book").startswith("It does not fit. The store is full: it holds"))
            assert study.content("book") == [] and home.asked == []
            assert [row["problem"] for row in (await hall.pinning.rows(["book"]))["book"]] == [study.problem("book")]
            study.budget.limit_bytes = 0
            await until(lambda: study.whole("book"))

    asyncio.run(body())


@pytest.mark.parametrize("how", ["removed", "unpinned", "changed"])
@pytest.mark.parametrize("when", [3, PIECES - 1, 10**6])
def test_what_is_wanted_no_more_is_erased_also_in_the_middle(how: str, when: int) -> None:
    async def body() -> None:
        home, kitchen, study, hall = three()
        done = asyncio.Event()

        async def end() -> None:
            if how == "removed":
                await hall.shelf.remove("book")
            elif how == "unpinned":
                await hall.pinning.unpin("book", "study")
            else:
                kitchen.give("newer", BOOK[:1])
                value = home.state.get("newer").value | {"origin": "book"}  # type: ignore[union-attr]
                home.write(kitchen.id, [home.state.put("newer", value)])
                await kitchen.shelf.remove("book")
            done.set()

        ending: list[asyncio.Task[None]] = []

        def lies(whom: str, index: int, answer: bytes) -> bytes:
            if index == when and not ending:
                ending.append(asyncio.get_running_loop().create_task(end()))
            return answer

        home.lies = lies
        async with home.running():
            await hall.pinning.pin("book", "study")
            if when == 10**6:
                await until(lambda: study.whole("book"))
                await end()
            await done.wait()
            await until(lambda: not study.content("book") and not copies_said(home.state, study.id) - {"newer"})
            await until(lambda: "book" not in study.copies.progress)
            assert study.store.view(lambda tx: "book" not in tx.library.documents())
            if how == "changed":
                await until(lambda: study.whole("newer"))
                assert study.content("newer") == BOOK[:1], "the wish is for the file"
            if how == "unpinned":
                await study.pinning.pin("book", "here")
                await until(lambda: study.whole("book"))
                assert study.content("book") == BOOK
        if how == "removed":
            assert home.state.keys() == []

    asyncio.run(body())


def test_what_is_removed_while_it_is_begun_leaves_not_even_its_title() -> None:
    async def body() -> None:
        home, _, study, hall = three()
        change_local, begun = study.change_local, asyncio.Event()

        async def slowly(work: Any) -> Any:
            if not begun.is_set():
                begun.set()
                await hall.shelf.remove("book")
                await until(lambda: "book" not in study.shelf.entries)
            return await change_local(work)

        study.change_local = slowly  # type: ignore[method-assign]
        async with home.running():
            await hall.pinning.pin("book", "study")
            await begun.wait()
            await until(lambda: study.commits > 1)
            await until(lambda: not study.store.view(lambda tx: tx.library.documents()))

    asyncio.run(body())


def test_pieces_are_for_who_is_to_keep_a_copy_and_not_without_end() -> None:
    async def body() -> None:
        home, kitchen, study, hall = three()
        async with home.running():
            await kitchen.shelf.settled()
            ask = kitchen.handlers[giving.TOPIC]
            with pytest.raises(NotAllowed):
                await ask(study.id, write_wanted(Wanted("book", ROOT, 0)))
            with pytest.raises(NotFound):
                await ask(study.id, write_wanted(Wanted("unheard", ROOT, 0)))
            home.write(hall.id, [home.state.put(pin_key("book", hall.id), True)])
            await until(lambda: hall.id in kitchen.shelf.entries["book"].pins)
            with pytest.raises(InvalidInput):
                await ask(hall.id, write_wanted(Wanted("book", ROOT, PIECES)))
            with pytest.raises(NotFound, match="another content"):
                await ask(hall.id, write_wanted(Wanted("book", bytes(32), 0)))
            with pytest.raises(Overloaded):
                for _ in range(int(giving.BURST) * 20):
                    await ask(hall.id, write_wanted(Wanted("book", ROOT, 0)))

    asyncio.run(body())


def test_wishes_that_cannot_be_are_refused() -> None:
    async def body() -> None:
        _, kitchen, _, hall = three()
        with pytest.raises(InvalidInput, match="holds it itself"):
            await kitchen.pinning.pin("book", "here")
        with pytest.raises(NotFound):
            await hall.pinning.pin("book", "attic")
        with pytest.raises(NotFound, match="keep no copy"):
            await hall.pinning.unpin("book", "study")
        with pytest.raises(NotFound):
            await hall.pinning.pin("tea", "here")
        kitchen.give("long", [("", "😀" * 8_000)])
        with pytest.raises(InvalidInput, match="cannot be copied"):
            await hall.pinning.pin("long", "here")

    asyncio.run(body())


def test_only_a_node_itself_says_what_it_has_and_rubbish_is_nothing() -> None:
    home, _, study, hall = three()
    put: Any = home.state.put
    home.write(hall.id, [put(copy_key("book", study.id), True), put(copy_key("book", hall.id), True)])
    home.write(
        study.id, [put("pin/book/rubbish", True), put("copy//x", 7), put(b"bytes", {}), put("tea", {"title": 1})]
    )
    home.write(study.id, [put("pin/x/y", {"title": "A trap", "holder": study.id})])
    entries = read_entries(home.state)
    assert entries.keys() == {"book"} and entries["book"].copies == {hall.id} and entries["book"].pins == frozenset()
    said = {copy_key("book", study.id), copy_key("book", hall.id)}
    assert set(keys_of(home.state, "book")) == {"book", "pin/book/rubbish"} | said
    assert list(keys_of(MVMap(), "book")) == ["book"]
