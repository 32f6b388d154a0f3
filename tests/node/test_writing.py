"""Writes of many callers share a commit and records, and each stands or fails for itself."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput, NotFound, Overloaded, StoreFailed
from jarvis.core.ids import to_text
from jarvis.core.time import SystemClock
from jarvis.crdt.gset import GSet
from jarvis.crdt.registry import CONFIG, SESSION_PREFIX, SESSIONS
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import MAX_WAITING, Write
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore

AUDIT = "audit/2026-01"


class Writer:
    def __init__(self) -> None:
        key, self.broken = SigningKey(os.urandom(SEED_BYTES)), False
        owner, recovery = SigningKey(os.urandom(SEED_BYTES)), os.urandom(32)
        chain = Chain.found(owner, recovery, make_certificate(key), nonce=bytes(16), at_ms=0)
        self.store = MemoryStore(commit=self._commit)
        self.replica = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
        self.store.transact(lambda tx: self.replica.found(tx, chain))
        self.journal = Journal(self.store, self.replica)
        self.told: list[Commit] = []
        self.journal.listen(self.told.append)

    def _commit(self) -> None:
        if self.broken:
            raise StoreFailed("The disk is full; nothing was written.")

    async def entries(self) -> list[Any]:
        return await self.journal.state(AUDIT, lambda state: [entry.value for entry in state.entries()])

    async def all_of(self, *calls: tuple[Write, ...]) -> list[Any]:
        return await asyncio.gather(*(self.journal.write(*call) for call in calls), return_exceptions=True)


def entry(number: int) -> Write:
    return AUDIT, lambda _: [GSet.add(number)]


def bad(_: Any) -> list[Any]:
    raise InvalidInput("Not like this.")


BAD: Write = (CONFIG, bad)


def test_what_waits_together_is_told_together_and_has_a_dot_each() -> None:
    async def main() -> None:
        home = Writer()
        written = await home.all_of(*((entry(number),) for number in range(100)))
        (commit,) = home.told
        assert len(commit.own) == 1 and commit.documents == {AUDIT}
        assert [one.dot for (one,) in written] == [(commit.own[0].header.author, 1, op) for op in range(100)]
        assert await home.entries() == list(range(100))
        ((one,),) = await home.all_of((entry(100),))
        assert (one.dot.seq, one.op) == (2, 0), "a write alone is a record alone"

    asyncio.run(main())


def test_a_later_write_sees_an_earlier_one_of_another_caller() -> None:
    async def main() -> None:
        home = Writer()
        once: Write = (CONFIG, lambda state: [] if state.get("a.b") else [state.put("a.b", "c")])
        written = await home.all_of((once,), (once,))
        assert [len(one) for one in written] == [1, 0]

    asyncio.run(main())


def test_who_fails_fails_alone() -> None:
    async def main() -> None:
        home = Writer()
        results = await home.all_of((entry(1),), (BAD,), (entry(2),), (BAD, entry(3)), (entry(4),))
        assert [type(one) for one in results] == [list, InvalidInput, list, InvalidInput, list]
        assert await home.entries() == [1, 2, 4] and len(home.told) == 1

    asyncio.run(main())


def test_who_fails_in_the_middle_takes_nobody_along_and_leaves_nothing() -> None:
    async def main() -> None:
        home = Writer()
        results = await home.all_of((entry(1),), (BAD,), (entry(2), BAD), (entry(3),))
        assert [type(one) for one in results] == [list, InvalidInput, InvalidInput, list]
        assert await home.entries() == [1, 3]
        assert sorted(one.dot.seq for result in results if isinstance(result, list) for one in result) == [1, 2]
        (alone,) = await home.all_of((entry(5), BAD))
        assert isinstance(alone, InvalidInput) and await home.entries() == [1, 3]

    asyncio.run(main())


def test_a_commit_that_fails_is_everyones_error_and_the_next_one_goes_on() -> None:
    async def main() -> None:
        home = Writer()
        home.broken = True
        results = await home.all_of((entry(1),), (BAD,), (entry(2),))
        assert all(isinstance(one, StoreFailed) for one in results) and home.told == []
        assert len({id(one) for one in results}) == 3 and home.journal.problem
        home.broken = False
        await home.all_of((entry(3),))
        assert await home.entries() == [3] and not home.journal.problem

    asyncio.run(main())


def test_a_caller_that_leaves_leaves_its_write() -> None:
    async def main() -> None:
        home = Writer()
        leaving = asyncio.create_task(home.journal.write(entry(1)))
        staying = asyncio.create_task(home.journal.write(entry(2)))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, staying, return_exceptions=True)
        assert leaving.cancelled() and len(staying.result()) == 1
        await home.journal.drain()
        assert await home.entries() == [1, 2] and len(home.told) == 1

    asyncio.run(main())


def test_what_waits_is_bounded() -> None:
    async def main() -> None:
        home = Writer()
        results = await home.all_of(*((entry(number),) for number in range(MAX_WAITING + 2)))
        assert [type(one) for one in results[-3:]] == [list, Overloaded, Overloaded]
        assert len(await home.entries()) == MAX_WAITING

    asyncio.run(main())


def test_a_store_that_takes_nothing_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        home = Writer()

        async def full(work: Any) -> Any:
            raise Overloaded("Too many works.")

        with monkeypatch.context() as patched:
            patched.setattr(home.store, "write", full)
            results = await home.all_of((entry(1),), (entry(2),))
            assert all(isinstance(one, Overloaded) for one in results)
        assert len(await home.all_of((entry(3),))) == 1 and await home.entries() == [3]

    asyncio.run(main())


def test_what_is_deleted_takes_no_more_even_of_the_same_commit() -> None:
    async def main() -> None:
        home, raw = Writer(), bytes(16)
        turn: Write = (SESSION_PREFIX + to_text(raw), lambda state: [state.add_turn({"text": "hello"})])
        begin: Write = (SESSIONS, lambda state: [state.add(raw)])
        delete: Write = (SESSIONS, lambda state: [state.delete(raw)])
        results = await home.all_of((turn, begin), (entry(1),), (delete,), (turn,), (entry(2),))
        assert [type(one) for one in results] == [list, list, list, NotFound, list]
        assert await home.entries() == [1, 2]
        digest = await home.journal.read(lambda tx, replica: replica.digest(tx))
        home.replica.forget()
        assert await home.journal.read(lambda tx, replica: replica.digest(tx)) == digest

    asyncio.run(main())
