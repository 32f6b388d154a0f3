"""What is durable is told, whoever asked for it and whoever left meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import CONFIG
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import Write
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Transaction

T = TypeVar("T")


def new_key() -> SigningKey:
    return SigningKey(os.urandom(SEED_BYTES))


class SlowStore(MemoryStore):
    """A commit takes a while, as on a disk."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        result = await super().write(work)
        await asyncio.sleep(0)
        return result


class Founded:
    def __init__(self) -> None:
        self.owner, key = new_key(), new_key()
        self.chain = Chain.found(self.owner, new_key().public, make_certificate(key), nonce=bytes(16), at_ms=0)
        store, replica = SlowStore(), Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
        store.transact(lambda tx: replica.found(tx, self.chain))
        self.journal = Journal(store, replica)
        self.told: list[Commit] = []
        self.journal.listen(self.told.append)

    def admit(self, chain: Chain) -> Chain:
        return chain.admit(self.owner, make_certificate(new_key()), at_ms=1)


WRITE: Write = (CONFIG, lambda state: [state.put("a.b", "c")])


def test_a_new_chain_is_told_though_the_link_that_brought_it_is_gone() -> None:
    async def main() -> None:
        home = Founded()
        grown = home.admit(home.chain)
        offering = asyncio.create_task(home.journal.accept_membership(grown.entries))
        await asyncio.sleep(0)
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
        assert offering.cancelled()
        await home.journal.drain()
        (commit,) = home.told
        assert commit.branches is not None and commit.branches.chain.hashes == grown.hashes
        assert await home.journal.accept_membership(grown.entries) == (False, commit.branches.chain)
        assert home.told == [commit]

    asyncio.run(main())


def test_an_admission_and_what_tells_of_it_stand_or_fall_together() -> None:
    async def main() -> None:
        home = Founded()
        chain = await home.journal.grow_membership(home.admit, WRITE)
        (commit,) = home.told
        assert commit.branches is not None and commit.branches.chain == chain
        assert len(chain.members) == 2 and len(commit.own) == 1
        assert commit.own[0].header.entry == chain.head_id
        await home.journal.grow_membership(lambda same: same, WRITE)
        with pytest.raises(InvalidInput):
            await home.journal.grow_membership(home.admit, (CONFIG, lambda state: [["no such operation"]]))
        assert home.told == [commit]
        assert (await home.journal.read(lambda tx, replica: replica.chain(tx))).hashes == chain.hashes

    asyncio.run(main())


def test_two_admissions_at_once_both_stand() -> None:
    async def main() -> None:
        home = Founded()
        await asyncio.gather(home.journal.grow_membership(home.admit), home.journal.grow_membership(home.admit))
        assert len((await home.journal.read(lambda tx, replica: replica.chain(tx))).members) == 3

    asyncio.run(main())
