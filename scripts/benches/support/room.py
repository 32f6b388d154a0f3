"""A node's replication without its voice: journal, store, protocol and TLS links, all of them the real ones. It runs in
the bench's own process, or as a process of its own that speaks JSON lines with the bench:

    python -m benches.support.room FOLDER      ->  {"node": ..., "port": ..., "rss": bytes}
    <- {"learn": {node: address}}              (nothing comes back)
    <- {"report": true}                        ->  {"linked": n, "rss": bytes, "arrived": [[seq, ns], ...]}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog

from jarvis.core.garbage import look_less_often
from jarvis.core.time import SystemClock
from jarvis.crdt.gset import GSet, GSetKind
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.net.connector import Connector
from jarvis.net.transport import TlsTransport
from jarvis.node.directory import DataDirectory
from jarvis.node.links.peering import Peering
from jarvis.node.membership.members import Members
from jarvis.node.records.audit import Audit
from jarvis.node.records.horizon import Compaction
from jarvis.node.records.journal import Commit, Journal
from jarvis.replica.bases import read_state
from jarvis.replica.manifest import root_of
from jarvis.replica.replica import Replica
from jarvis.store.keyfile import create_key
from jarvis.store.sqlcipher import SqlCipherStore
from jarvis.sync.machine import Sync

DOCUMENT = "audit/bench"
APPEND_BYTES = 100
BATCH = 512


async def make_home(folder: Path, nodes: int) -> list[Path]:
    """Data directories of a home in which all have been admitted."""
    owner, keys = SigningKey(os.urandom(32)), [SigningKey(os.urandom(32)) for _ in range(nodes)]
    chain = Chain.found(owner, os.urandom(32), make_certificate(keys[0]), nonce=os.urandom(16), at_ms=0)
    for key in keys[1:]:
        chain = chain.admit(owner, make_certificate(key), at_ms=0)
    return [await _made(folder / f"node-{number}", key, chain) for number, key in enumerate(keys)]


async def make_compacted_home(folder: Path, records: int) -> list[Path]:
    """Of a node whose records all lie below a horizon, and of one that was admitted later and holds nothing."""
    owner, keys = SigningKey(os.urandom(32)), [SigningKey(os.urandom(32)) for _ in range(2)]
    chain = Chain.found(owner, os.urandom(32), make_certificate(keys[0]), nonce=os.urandom(16), at_ms=0)
    first = await _made(folder / "node-0", keys[0], chain)
    await fill(first, records)
    grown = await compact(first, chain, owner, lambda one: one.admit(owner, make_certificate(keys[1]), at_ms=0))
    return [first, await _made(folder / "node-1", keys[1], grown)]


async def _made(path: Path, key: SigningKey, chain: Chain) -> Path:
    directory = DataDirectory(path)
    with directory.founding():
        store = await directory.open_store()
        replica = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
        await store.write(lambda tx: replica.found(tx, chain))
        await store.close()
        directory.create_identity(key)
    return path


async def fill(folder: Path, count: int) -> None:
    """Write `count` records of one append each, as single writes leave them, without an fsync for every one."""
    directory = DataDirectory(folder)
    key, store = directory.load_identity(), await directory.open_store()
    replica = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
    await store.write(replica.open)
    for at in range(0, count, BATCH):
        some = range(min(BATCH, count - at))
        await store.write(lambda tx, some=some: [replica.append(tx, DOCUMENT, [entry()]) for _ in some])  # type: ignore[misc]
    await store.close()


async def compact(folder: Path, home: Chain, owner: SigningKey, then: Callable[[Chain], Chain]) -> Chain:
    """Declare a horizon over all that the only member holds, delete what lies below, and grow the chain."""
    directory = DataDirectory(folder)
    key, store = directory.load_identity(), await directory.open_store()
    replica = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
    await store.write(replica.open)
    frontier = await store.write(lambda tx: replica.proposing.frontier(tx, [], ()))
    manifest = None
    while manifest is None:
        manifest = await store.write(lambda tx: replica.horizons.make(tx, frontier))
    grown = then(home.declare_horizon(owner, frontier, root_of(manifest.encode()), {}, (), at_ms=0))
    await store.write(lambda tx: replica.accept_membership(tx, grown.entries))
    while (await store.write(replica.take_horizon))[0].more:
        pass
    assert await store.read(lambda tx: tx.record_count()) < BATCH
    await store.close()
    return grown


async def raw_load_s(folder: Path, document: str, into: Path) -> float:
    """Seconds for the same state without anything of ours around it: from one store into another and into memory."""
    there = await DataDirectory(folder).open_store()
    into.mkdir()
    (into / "keys").mkdir(mode=0o700)
    here = await SqlCipherStore.open(into / "store.db", create_key(into / "keys" / "key"))
    began = time.perf_counter()
    data = await there.read(lambda tx: tx.base(document))
    assert data is not None
    await here.write(lambda tx: tx.put_base(document, data))
    read_state(GSetKind(), data)
    seconds = time.perf_counter() - began
    await there.close()
    await here.close()
    return seconds


async def _never() -> int:
    return 0


def entry() -> Any:
    return GSet.add("x" * APPEND_BYTES)


class Room:
    """One node. `arrived` gives (seq, monotonic ns) of each step in which another author's head moved."""

    def __init__(self, node_id: bytes, journal: Journal, peering: Peering, connector: Connector, port: int) -> None:
        self.node_id, self.journal, self.peering, self.connector, self.port = node_id, journal, peering, connector, port
        self.arrived: list[tuple[int, int]] = []
        journal.listen(self._committed)

    def _committed(self, commit: Commit) -> None:
        if commit.source is not None or not commit.own:
            now = time.monotonic_ns()
            self.arrived += [(head.seq, now) for head in commit.heads.values()]

    async def append(self) -> int:
        """One write, through the same door as the product's; its record's sequence."""
        return (await self.journal.write((DOCUMENT, lambda _: [entry()])))[0].dot.seq

    def learn(self, addresses: Mapping[bytes, Iterable[str]]) -> None:
        for node_id, known in addresses.items():
            if node_id != self.node_id:
                self.connector.learn(node_id, tuple(known))


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Room]:
    directory, clock = DataDirectory(folder), SystemClock()
    key, store = directory.load_identity(), await directory.open_store()
    replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
    journal = Journal(store, replica)
    chain = await store.write(replica.open)
    heads = await journal.read(lambda tx, replica: dict(replica.heads(tx)))
    peering = Peering(
        journal,
        Sync(key.node_id, chain.entries, heads),
        clock,
        deliver=lambda *_: None,
        linked=lambda *_: None,
        members_changed=lambda _: None,
        met=lambda *_: None,
    )
    certificates: Any = lambda: {one: member.certificate for one, member in chain.members.items()}  # noqa: E731
    transport = TlsTransport(
        me=key.node_id,
        members=certificates,
        certificate=directory.certificate,
        key=directory.node_key,
        bind="127.0.0.1",
    )
    connector = Connector(transport, me=key.node_id, members=certificates, on_link=peering.on_link)
    members = Members(journal, chain, key.node_id, clock)
    audit = Audit(journal, clock)
    compaction = Compaction(journal, members, peering.horizons, audit, key.node_id, clock, every=_never)
    port = await connector.open()
    tasks = [asyncio.create_task(one) for one in (connector.run(), peering.run(), compaction.run())]
    try:
        yield Room(key.node_id, journal, peering, connector, port)
    finally:
        await connector.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await journal.drain()
        await store.close()


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _serve(folder: Path) -> None:
    def say(value: Any) -> None:
        print(json.dumps(value), flush=True)

    async with opened(folder) as room:
        look_less_often()  # as a node does
        say({"node": room.node_id.hex(), "port": room.port, "rss": rss_bytes()})
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            if "learn" in order:
                room.learn({bytes.fromhex(node): (address,) for node, address in order["learn"].items()})
            else:
                linked = len(room.peering.connected())
                say({"linked": linked, "rss": rss_bytes(), "arrived": room.arrived})


if __name__ == "__main__":
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_serve(Path(sys.argv[1])))
