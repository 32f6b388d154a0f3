"""Own records that become durable together leave together, and in order with everything else."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jarvis.core.time import SystemClock
from jarvis.node.links.peering import Peering
from jarvis.node.records.journal import Commit, Journal
from jarvis.store.protocol import Head
from jarvis.sync.machine import Sync

MINE, THEIRS, PEER = b"m" * 32, b"t" * 32, b"p" * 16


class Told:
    """In the place of the journal and the protocol machine: keeps the listener, and what the machine is told."""

    def __init__(self) -> None:
        self.listener: Any = None
        self.calls: list[tuple[int, list[str], bytes | None]] = []

    def listen(self, listener: Any) -> None:
        self.listener = listener

    def committed(self, heads: Any, own: Any, now_ms: float, *, source: bytes | None = None) -> list[Any]:
        self.calls.append((max(head.seq for head in heads.values()), list(own), source))
        return []


def own(seq: int) -> Commit:
    return Commit({MINE: Head(seq, bytes(32))}, cast(Any, (f"record {seq}",)), frozenset())


def test_what_one_fsync_made_durable_is_one_push_and_nothing_overtakes_it():
    async def body() -> None:
        told, ignore = Told(), cast(Any, lambda *args: None)
        Peering(
            cast(Journal, told),
            cast(Sync, told),
            SystemClock(),
            deliver=ignore,
            linked=ignore,
            members_changed=ignore,
            met=ignore,
        )
        for seq in (1, 2, 3):
            told.listener(own(seq))
        assert told.calls == []
        await asyncio.sleep(0)
        assert told.calls == [(3, ["record 1", "record 2", "record 3"], None)]
        told.listener(own(4))
        told.listener(Commit({THEIRS: Head(9, bytes(32))}, (), frozenset(), source=PEER))
        assert told.calls[1:] == [(4, ["record 4"], None), (9, [], PEER)]
        await asyncio.sleep(0)
        assert len(told.calls) == 3, "nothing is told twice"

    asyncio.run(body())
