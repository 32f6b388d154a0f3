"""A peer's records are verified once each, in threads where there are many, and nobody is believed for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from jarvis.identity import record as records_of
from jarvis.identity.record import SignedRecord, is_authentic
from jarvis.node.records.journal import Journal
from jarvis.node.records.verifying import WORTH_IT
from jarvis.replica.accepted import Accepted
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from tests.replica.support import CHAIN, KEYS, NOW, Author


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which thread verified, once for each signature."""
    names: list[str] = []
    verify = records_of.verify

    def counted(*arguments: bytes) -> bool:
        names.append(threading.current_thread().name)
        return verify(*arguments)

    monkeypatch.setattr(records_of, "verify", counted)
    return names


def accepted(records: Sequence[SignedRecord]) -> Accepted:
    async def main() -> Accepted:
        store, replica = MemoryStore(), Replica(KEYS[0], entropy=os.urandom, wall_ms=lambda: NOW)
        store.transact(lambda tx: replica.found(tx, CHAIN))
        store.transact(replica.open)
        return await Journal(store, replica).accept(records, KEYS[1].node_id)

    return asyncio.run(main())


def written(count: int) -> list[SignedRecord]:
    author = Author(1)
    return [author.put("a", number) for number in range(count)]


def test_many_are_verified_in_threads_and_only_once(threads: list[str]) -> None:
    assert len(accepted(written(100)).records) == 100
    assert len(threads) == 100 and all(name.startswith("jarvis-verify") for name in threads)


def test_few_are_not_worth_the_way(threads: list[str]) -> None:
    assert len(accepted(written(WORTH_IT - 1)).records) == WORTH_IT - 1
    assert threads == [threading.current_thread().name] * (WORTH_IT - 1)


@pytest.mark.parametrize("count", [3, 100])
def test_what_is_not_authentic_is_refused_and_what_nobody_knows_too(count: int) -> None:
    records, stranger = written(count), Author(3)
    forged = replace(records[-1], signature=bytes(64))
    result = accepted([*records[:-1], forged, stranger.put("a", "stranger")])
    assert len(result.records) == count - 1
    assert {one.blame for one in result.refused} == {"sender"} and len(result.refused) == 2


def test_a_copy_with_other_bytes_is_not_believed() -> None:
    (record,) = written(1)
    assert is_authentic(record, KEYS[1].public) and record.authentic_for == KEYS[1].public
    assert not is_authentic(record, KEYS[2].public)
    for bent in (
        replace(record, payload=bytes(len(record.payload or b""))),
        replace(record, signature=bytes(64)),
        replace(record, header_data=record.header_data[:-1] + b"x"),
    ):
        assert bent.authentic_for == b"" and not is_authentic(bent, KEYS[1].public)
        assert bent == bent and (bent.hash == record.hash) == (bent.header_data == record.header_data)
