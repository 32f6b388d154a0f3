"""Summaries of sessions stay whole when several ask at once and when somebody leaves in the middle."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from jarvis.core.time import SystemClock
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.sessions import Sessions
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Transaction

T = TypeVar("T")


class PatientStore(MemoryStore):
    """Lets others run before each read, as a disk does."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        await asyncio.sleep(0)
        return await super().read(work)


async def home_with_sessions(count: int) -> Sessions:
    key, owner = SigningKey(os.urandom(SEED_BYTES)), SigningKey(os.urandom(SEED_BYTES))
    store, clock = PatientStore(), SystemClock()
    replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
    chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
    store.transact(lambda tx: replica.found(tx, chain))
    journal = Journal(store, replica)
    writer = Sessions(journal, Audit(journal, clock), clock)
    for number in range(count):
        await writer.add_turn(None, f"turn {number}", "kitchen")
    return Sessions(journal, Audit(journal, clock), clock)  # as after a start: it has looked at none


def test_who_asks_while_another_looks_sees_all_of_them() -> None:
    async def main() -> None:
        sessions = await home_with_sessions(5)
        first, second = await asyncio.gather(sessions.list(), sessions.list())
        assert len(first) == len(second) == 5

    asyncio.run(main())


def test_who_leaves_in_the_middle_takes_nothing_along() -> None:
    async def main() -> None:
        sessions = await home_with_sessions(5)
        for steps in range(1, 8):
            leaving = asyncio.create_task(sessions.list())
            for _ in range(steps):
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        assert len(await sessions.list()) == 5
        chosen = (await sessions.list())[0]["session_id"]
        await sessions.add_turn(chosen, "one more", "kitchen")
        leaving = asyncio.create_task(sessions.list())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert {row["session_id"]: row["turns"] for row in await sessions.list()}[chosen] == 2

    asyncio.run(main())
