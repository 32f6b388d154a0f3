"""The limit of a bench of replication: what its records cost without links, protocol and event loop, in one thread:
Ed25519 signing and verifying, SQLCipher with its fsyncs, applying to the document, on both sides. And what each part
of that takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benches.support.room import DOCUMENT, entry
from benches.table import Row, row
from jarvis.core.time import SystemClock
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet, GSetKind
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import TAG, SignedRecord, decode_record, is_authentic
from jarvis.replica.replica import Replica
from jarvis.replica.validity import judge
from jarvis.store.keyfile import create_key
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Transaction
from jarvis.store.sqlcipher import SqlCipherStore
from jarvis.sync.messages import Records, decode, encode


async def appends_a_second(folder: Path, count: int, *, together: int, shared: bool) -> float:
    """When author and peer are two replicas in one thread. `together` appends a commit, which share records or not."""
    key, clock = SigningKey(os.urandom(32)), SystemClock()
    chain = _founded(key)
    replicas, stores = [], []
    for side in ("author", "peer"):
        (folder / side).mkdir(parents=True)
        (folder / side / "keys").mkdir(mode=0o700)
        replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        store = await SqlCipherStore.open(folder / side / "store.db", create_key(folder / side / "keys" / "key"))
        await store.write(lambda tx, replica=replica: replica.found(tx, chain))  # type: ignore[misc]
        replicas.append(replica)
        stores.append(store)

    def write(tx: Transaction) -> list[SignedRecord]:
        if not shared:
            return [replicas[0].append(tx, DOCUMENT, [entry()])[0] for _ in range(together)]
        composition = replicas[0].compose(tx)
        for _ in range(together):
            composition.add(DOCUMENT, lambda _: [entry()])
        return list(composition.finish()[0].values())

    began = time.perf_counter()
    for _ in range(count // together):
        written = [_as_received(record) for record in await stores[0].write(write)]
        await stores[1].write(lambda tx, written=written: replicas[1].accept(tx, written))  # type: ignore[misc]
    rate = count / (time.perf_counter() - began)
    for store in stores:
        await store.close()
    return rate


def _founded(key: SigningKey) -> Chain:
    owner, recovery = SigningKey(os.urandom(32)), os.urandom(32)
    return Chain.found(owner, recovery, make_certificate(key), nonce=os.urandom(16), at_ms=0)


def _as_received(record: SignedRecord) -> SignedRecord:
    """Its author's copy remembers that it is authentic; a peer's does not."""
    return decode_record(record.header_data, record.signature, record.payload)


async def where_time_goes(folder: Path, count: int = 2_000) -> list[Row]:
    """Microseconds a record for each part of the work, one after another in one thread."""
    key = SigningKey(os.urandom(32))
    chain = _founded(key)
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        spent[name] = 1e6 * (time.perf_counter() - began) / count
        return result

    source = MemoryStore()
    writer = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
    source.transact(lambda tx: writer.found(tx, chain))
    appended = source.transact(lambda tx: [writer.append(tx, DOCUMENT, [entry()])[0] for _ in range(count)])
    records, again = [_as_received(one) for one in appended], [_as_received(one) for one in appended]
    timed("sign", lambda: [key.sign(TAG + one.header_data) for one in records])
    timed("verify", lambda: [is_authentic(one, key.public) for one in records])
    timed("encode and decode frames", lambda: [decode(encode(Records((one,)))) for one in records])
    kind = GSetKind()
    state = kind.empty()
    timed("check and apply", lambda: [_apply(kind, state, one) for one in records])
    reader, memory = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms), MemoryStore()
    memory.transact(lambda tx: reader.found(tx, chain))
    timed("accept, all of it, in memory", lambda: memory.transact(lambda tx: reader.accept(tx, again)))
    folder.mkdir(mode=0o700)
    (folder / "keys").mkdir(mode=0o700)
    disk = await SqlCipherStore.open(folder / "store.db", create_key(folder / "keys" / "key"))
    stored = memory.view(lambda tx: tx.records(records[0].header.author, 1, count, 2**40))
    began = time.perf_counter()
    await disk.write(lambda tx: [tx.put_record(one) for one in stored])
    spent["SQLCipher, one commit for all"] = 1e6 * (time.perf_counter() - began) / count
    began = time.perf_counter()
    for number in range(200):
        await disk.write(lambda tx, number=number: tx.put("bench", str(number).encode()))
    spent["a commit with its fsync"] = 1e6 * (time.perf_counter() - began) / 200
    await disk.close()
    return [row(f"where time goes: {name}", value, "us/record") for name, value in spent.items()]


def _apply(kind: GSetKind, state: GSet, record: SignedRecord) -> None:
    verdict = judge(record, -1)
    header = record.header
    for index, operation in enumerate(verdict.operations):
        kind.absorb(state, kind.delta(operation, Dot(header.author, header.seq, index), header.hlc))
