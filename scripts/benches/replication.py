"""Replication between two processes on this machine, durable on both sides: one author's 100-byte appends, from the
commit to the receipt of the peer's durable acknowledgement. The limit is what the same records cost without any
protocol, in one thread: Ed25519 signing and verifying, SQLCipher, applying to the document, on both sides. Beside it,
in the same run, the relays that people would otherwise use; and how it goes on as a home grows."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benches.support import homes
from benches.support.plot import Bar, Panel, svg
from benches.support.relays import Relayed, pycrdt_websocket, y_websocket
from benches.support.room import APPEND_BYTES, DOCUMENT
from benches.table import Row, machine, percentile, row
from jarvis import app
from jarvis.core.settings import load
from jarvis.core.time import SystemClock
from jarvis.crdt.dots import Dot
from jarvis.crdt.gset import GSet, GSetKind
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.identity.record import TAG, SignedRecord, is_authentic
from jarvis.node.node import Node
from jarvis.replica.replica import Replica
from jarvis.replica.validity import judge
from jarvis.store.keyfile import create_key
from jarvis.store.memory import MemoryStore
from jarvis.store.sqlcipher import SqlCipherStore
from jarvis.sync.messages import Ack, Records, decode, encode

WARM = 50
SINGLE = 400
BATCHED = 8_000
IN_FLIGHT = 128
DEADLINE_S = 60.0


JOINED, JOINED_FULL = 20_000, 100_000
HOMES = {2: "processes", 5: "processes", 20: "in one process, TLS on loopback"}
SIMULATED = (2, 5, 10, 20, 50)
MOST_RECEIPTS = 1.2


def run(joined: int = JOINED) -> list[Row]:
    """Some two minutes."""
    relays = [relay(BATCHED, homes.PROPAGATED, homes.GAP_S) for relay in (pycrdt_websocket, y_websocket)]
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-") as name:
        folder = Path(name)
        rows, many, fsync_ms = asyncio.run(_measure(folder))
        propagated = {
            nodes: asyncio.run(homes.propagation_ms(folder / f"home-{nodes}", nodes, processes=how == "processes"))
            for nodes, how in HOMES.items()
        }
        rows += _beside(relays, many, propagated[2], fsync_ms)
        for nodes, samples in propagated.items():
            rows += _percentiles(f"append to durable at a peer, {nodes} nodes ({HOMES[nodes]})", samples)
        rows += _joined(asyncio.run(homes.join(folder / "join", joined)), joined)
    for nodes in SIMULATED:
        receipts = homes.receipts_per_record(nodes)
        rows.append(row(f"receipts a record, {nodes} nodes, simulated", receipts, "receipts", most=MOST_RECEIPTS))
    return rows


def run_full() -> list[Row]:
    return run(JOINED_FULL)


def _beside(relays: list[Relayed | str], many: float, propagated: list[float], fsync_ms: float) -> list[Row]:
    """Against each relay that could be measured; why not, on stderr, for the others."""
    rows = []
    for relay in relays:
        if isinstance(relay, str):
            print(relay, file=sys.stderr)
            continue
        against = f"{relay.name} (unsigned, in memory) {relay.per_second:,.0f}"
        rows.append(
            row(f"{IN_FLIGHT} in flight, against a relay", many, "records/s", against=against, other=relay.per_second,
                least=1.0)
        )  # fmt: skip
        allowed = 2 * percentile(relay.propagation_ms, 0.5) + 2 * fsync_ms
        against = f"2 x {relay.name} + 2 fsyncs {allowed:.2f} ms"
        rows.append(
            row("append to durable at a peer, p50", percentile(propagated, 0.5), "ms", against=against, other=allowed,
                most=1.0)
        )  # fmt: skip
        rows.append(row(f"{relay.name}, appends", relay.per_second, "records/s"))
        rows += _percentiles(f"{relay.name}, append to the other client", relay.propagation_ms)
    return rows


def _percentiles(measure: str, samples: list[float]) -> list[Row]:
    return [row(f"{measure}, p{100 * share:.0f}", percentile(samples, share), "ms") for share in (0.5, 0.99)]


def _joined(joined: homes.Joined, records: int) -> list[Row]:
    name, user = f"joining by history, {records:,} records", joined.user_bytes
    return [
        row(name, joined.seconds, "s"),
        row(f"{name}, records a second", records / joined.seconds, "records/s"),
        row(f"on the wire for a byte of user data ({APPEND_BYTES} a record)", joined.wire_bytes / user, "bytes"),
        row(f"on disk for a byte of user data ({APPEND_BYTES} a record)", joined.disk_bytes / user, "bytes"),
        row("memory of the joiner for 100,000 records", joined.memory_bytes / records * 1e5 / 1e6, "MB"),
    ]


def drawn(rows: list[Row]) -> str:
    """The rows that say most, as an SVG."""
    value = {one.measure: one.value for one in rows}
    relays = ("y-websocket", "pycrdt-websocket")
    acked = "commit to durable ack"
    fast = [Bar("Jarvis: signed, durable on both", value[f"{IN_FLIGHT} in flight, {acked}"])]
    ways = [
        Bar(f"Jarvis, {nodes} nodes", value[f"append to durable at a peer, {nodes} nodes ({how}), p50"])
        for nodes, how in HOMES.items()
    ]
    for name in relays:
        if f"{name}, appends" in value:
            fast.append(Bar(f"{name}: unsigned, in memory", value[f"{name}, appends"], ours=False))
            ways.append(Bar(f"{name}, 2 clients", value[f"{name}, append to the other client, p50"], ours=False))
    receipts = [Bar(f"{nodes} nodes", value[f"receipts a record, {nodes} nodes, simulated"]) for nodes in SIMULATED]
    panels = [
        Panel(f"Appends of {APPEND_BYTES} bytes between two, more is better", "a second", fast),
        Panel("From an append to the other side, p50, less is better", "ms", ways),
        Panel("Receipts a record and node as the home grows, 1 is the least possible", "", receipts),
    ]
    return svg(panels, f"{machine()}. Made by scripts/bench replication --svg.")


async def _measure(folder: Path) -> tuple[list[Row], float, float]:
    """The rows, records a second in flight together, and what a commit with its fsync takes in ms."""
    rows = []
    one_limit = await _alone(folder / "alone-1", SINGLE, works_each=1)
    many_limit = await _alone(folder / "alone-n", BATCHED, works_each=IN_FLIGHT)
    async with _two_nodes(folder) as author:
        await _appends(author, WARM, 1)
        single = await _appends(author, SINGLE, 1)
        many = await _appends(author, BATCHED, IN_FLIGHT)
        wire = author.bytes_sent
    alone = "the same without protocol"
    sides = "Ed25519, SQLCipher and apply of both sides, 1 thread"
    acked = "commit to durable ack"
    rows += [
        row(f"one at a time, {acked}", single.per_second, "records/s", against=alone, other=one_limit, least=0.6),
        row(
            f"{IN_FLIGHT} in flight, {acked}", many.per_second, "records/s", against=alone, other=many_limit, least=0.6
        ),
        row(f"without protocol, one at a time ({sides})", one_limit, "records/s"),
        row(f"without protocol, {IN_FLIGHT} a commit ({sides})", many_limit, "records/s"),
    ]
    for name, measured in (("one at a time", single), (f"{IN_FLIGHT} together", many)):
        for share in (0.5, 0.99):
            p = f"p{100 * share:.0f}"
            rows.append(row(f"{name}: append to own commit, {p}", 1000 * percentile(measured.commit_s, share), "ms"))
            rows.append(row(f"{name}: own commit to peer's ack, {p}", 1000 * percentile(measured.ack_s, share), "ms"))
    sent = WARM + SINGLE + BATCHED
    rows.append(row(f"on the wire for a record of {APPEND_BYTES} bytes", wire / sent, "bytes"))
    parts = await _where_time_goes(folder / "parts")
    rows += parts
    rows.append(row("threads at work: a loop and a writer each side", 4, "threads"))
    return rows, many.per_second, parts[-1].value / 1000


# --- the limit --------------------------------------------------------------------------------------------------


async def _alone(folder: Path, count: int, works_each: int) -> float:
    """Records a second when author and peer are two replicas in one thread, without links."""
    key, clock = SigningKey(os.urandom(32)), SystemClock()
    chain = Chain.found(
        SigningKey(os.urandom(32)), os.urandom(32), make_certificate(key), nonce=os.urandom(16), at_ms=0
    )
    replicas, stores = [], []
    for side in ("author", "peer"):
        (folder / side).mkdir(parents=True)
        (folder / side / "keys").mkdir(mode=0o700)
        replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
        store = await SqlCipherStore.open(folder / side / "store.db", create_key(folder / side / "keys" / "key"))
        await store.write(lambda tx, replica=replica: replica.found(tx, chain))
        replicas.append(replica)
        stores.append(store)
    began = time.perf_counter()
    for _ in range(count // works_each):
        records = await stores[0].write(
            lambda tx: [replicas[0].append(tx, DOCUMENT, [GSet.add(_text())])[0] for _ in range(works_each)]
        )
        await stores[1].write(lambda tx, records=records: replicas[1].accept(tx, records))
    rate = count / (time.perf_counter() - began)
    for store in stores:
        await store.close()
    return rate


async def _where_time_goes(folder: Path, count: int = 2_000) -> list[Row]:
    """Microseconds a record for each part of the work, one after another in one thread."""
    key = SigningKey(os.urandom(32))
    owner, nonce = SigningKey(os.urandom(32)), os.urandom(16)
    chain = Chain.found(owner, os.urandom(32), make_certificate(key), nonce=nonce, at_ms=0)
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        spent[name] = 1e6 * (time.perf_counter() - began) / count
        return result

    source = MemoryStore()
    writer = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
    source.transact(lambda tx: writer.found(tx, chain))
    records = source.transact(lambda tx: [writer.append(tx, DOCUMENT, [GSet.add(_text())])[0] for _ in range(count)])
    timed("sign", lambda: [key.sign(TAG + one.header_data) for one in records])
    timed("verify", lambda: [is_authentic(one, key.public) for one in records])
    timed("encode and decode frames", lambda: [decode(encode(Records((one,)))) for one in records])
    kind = GSetKind()
    state = kind.empty()
    timed("check and apply", lambda: [_apply(kind, state, one) for one in records])
    reader, memory = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms), MemoryStore()
    memory.transact(lambda tx: reader.found(tx, chain))
    timed("accept, all of it, in memory", lambda: memory.transact(lambda tx: reader.accept(tx, records)))
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


# --- two nodes --------------------------------------------------------------------------------------------------


class _Author:
    """The author's node in this process, with an eye on what its peer acknowledges."""

    def __init__(self, node: Node) -> None:
        self.journal = node._parts.journal
        self.peering = node._parts.peering
        self.acked: dict[bytes, int] = {}
        self.waiting: dict[tuple[bytes, int], asyncio.Future[float]] = {}
        sync = self.peering._sync
        received = sync.received

        def seen(peer: bytes, message: Any, now_ms: float, wall_ms: int) -> Any:
            if isinstance(message, Ack):
                for author, head in message.heads:
                    for seq in range(self.acked.get(author, 0) + 1, head.seq + 1):
                        future = self.waiting.pop((author, seq), None)
                        if future is not None:
                            future.set_result(time.perf_counter())
                    self.acked[author] = max(head.seq, self.acked.get(author, 0))
            return received(peer, message, now_ms, wall_ms)

        sync.received = seen  # type: ignore[method-assign]

    @property
    def bytes_sent(self) -> int:
        return sum(int(self.peering.flow(peer)["bytes_sent"] or 0) for peer in self.peering.connected())

    async def append(self) -> tuple[float, float]:
        """Seconds to the own commit, and from there to the peer's acknowledgement."""
        began = time.perf_counter()
        (written,) = await self.journal.write((DOCUMENT, lambda _: [GSet.add(_text())]))
        kept = time.perf_counter()
        name = (written.dot.author, written.dot.seq)
        if self.acked.get(name[0], 0) >= name[1]:
            return kept - began, 0.0
        future = self.waiting.setdefault(name, asyncio.get_running_loop().create_future())
        async with asyncio.timeout(DEADLINE_S):
            return kept - began, await future - kept


class _Measured:
    def __init__(self, seconds: float, samples: list[tuple[float, float]]) -> None:
        self.per_second = len(samples) / seconds
        self.commit_s = [commit for commit, _ in samples]
        self.ack_s = [ack for _, ack in samples]


async def _appends(author: _Author, count: int, in_flight: int) -> _Measured:
    samples: list[tuple[float, float]] = []

    async def worker() -> None:
        for _ in range(count // in_flight):
            samples.append(await author.append())

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
    return _Measured(time.perf_counter() - began, samples)


@asynccontextmanager
async def _two_nodes(folder: Path) -> AsyncIterator[_Author]:
    """The author here, the peer in a process of its own, linked."""
    here, there = folder / "author", folder / "peer"
    await app.founding.found_home(here, "author", None, None)
    built: list[Node] = []
    build = app._build

    async def keep(*arguments: Any, **more: Any) -> Node:
        built.append(await build(*arguments, **more))
        return built[-1]

    app._build = keep
    ready = asyncio.Event()
    settings = load(data_dir=here, mdns=False, bind="127.0.0.1", ollama_url="", log_level="error")
    node_task = asyncio.create_task(app.run_node(settings, on_ready=lambda _: ready.set()))
    await _within(ready.wait())
    node = built[0]
    invitation = await node.invite("peer", None)
    await app.join_home(there, invitation["code"], invitation["peer"])
    command = [sys.executable, "-m", "jarvis_cli", "run", "--json", "--data-dir", str(there), "--no-mdns"]
    command += ["--bind", "127.0.0.1", "--peer", f"127.0.0.1:{node.peer_port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as peer:
        try:
            line = await asyncio.to_thread(peer.stdout.readline) if peer.stdout else ""
            assert json.loads(line)["event"] == "ready"
            author = _Author(node)
            await _until(lambda: bool(author.peering.connected()) and _settled(author))
            yield author
        finally:
            peer.terminate()
            node_task.cancel()
            await asyncio.wait({node_task})


def _settled(author: _Author) -> bool:
    return all(author.peering.progress(peer) == (0, 0) for peer in author.peering.connected())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def _within(waited: Awaitable[Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await waited


def _text() -> str:
    return "x" * APPEND_BYTES
