"""Lists are notes: what is said to one room is a line there, and what a person wrote by hand is an item."""

from __future__ import annotations

import asyncio

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.node.kept.lists import MAX_ITEM_CHARS, Lists
from jarvis.node.kept.memory import Memory
from jarvis.node.kept.notes import Notes
from jarvis.node.records.journal import Journal
from tests.node.test_timers import Kept, LoopClock

WRITTEN = "# Party\n\n- cake\n* [ ] candles\n[x] invitations\n2. cake\n  milk \n"


def test_lists() -> None:
    async def main() -> None:
        kept = Kept()
        journal = Journal(kept.store, kept.replica(LoopClock()))
        notes = Notes(journal)
        lists = Lists(notes)
        assert await lists.all() == {} and await lists.items("shopping") == []
        assert await lists.take_off("shopping", ["milk"]) == []
        await lists.add("shopping", ["milk", "two  eggs"])
        await lists.add("To do", ["call Bob"])
        assert await lists.all() == {"shopping": ["milk", "two eggs"], "to do": ["call Bob"]}
        assert (await notes.show("to-do"))["text"] == "call Bob"
        await notes.add("party", WRITTEN)
        assert await lists.items("party") == ["cake", "candles", "cake", "milk"]
        assert await lists.take_off("party", ["cake", "milk", "tea"]) == ["cake", "milk"], "one cake of two"
        assert (await notes.show("party"))["text"] == "# Party\n\n* [ ] candles\n[x] invitations\n2. cake\n"
        assert await lists.take_off("party", ["candles", "cake"]) == ["candles", "cake"]
        assert "party" not in await lists.all(), "a title alone is no list"
        await notes.add("diary", "It rained. " * 20)
        assert "diary" not in await lists.all()
        for name, item in [("!!!", "x"), ("x", "y" * (MAX_ITEM_CHARS + 1))]:
            with pytest.raises(InvalidInput):
                await lists.add(name, [item])
        await lists.add("Zoë's list", ["gift"])
        assert await lists.items("zoe's LIST") == ["gift"]

    asyncio.run(main())


def test_what_is_forgotten_is_gone() -> None:
    async def main() -> None:
        kept = Kept()
        memory = Memory(Journal(kept.store, kept.replica(LoopClock())))
        for text in ("one", "two", "two", "three"):
            await memory.remember(text)
        assert await memory.forget(["two", "four"]) == 2
        assert await memory.remembered() == ["one", "three"]

    asyncio.run(main())
