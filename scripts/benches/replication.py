"""Replication between two processes on this machine, durable on both sides: one author's 100-byte appends, from the
call to the receipt of the peer's durable acknowledgement. The limit is what the same appends cost without any protocol
(`support.alone`). Beside it, in the same run, the relays that people would otherwise use; and how it goes on as a home
grows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benches.support import homes
from benches.support.alone import appends_a_second, where_time_goes
from benches.support.plot import Bar, Panel, svg
from benches.support.relays import Relayed, pycrdt_websocket, y_websocket
from benches.support.room import APPEND_BYTES, DOCUMENT, entry
from benches.table import Row, machine, percentile, row
from jarvis import app
from jarvis.core.garbage import look_less_often
from jarvis.core.settings import load
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import SESSION_PREFIX
from jarvis.node.node import Node
from jarvis.node.records.audit import Audit
from jarvis.sync.messages import Ack

WARM = 20
SINGLE = 400
BATCHED = 16_000
TURNS = 2_560
IN_FLIGHT = 128
DEADLINE_S = 60.0


JOINED, JOINED_FULL = 20_000, 100_000
HOMES = {2: "processes", 5: "processes", 20: "in one process, TLS on loopback"}
SIMULATED = (2, 5, 10, 20, 50)
MOST_RECEIPTS = 1.2


def run(joined: int = JOINED) -> list[Row]:
    """Some three minutes."""
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
        rows += _by_history(asyncio.run(homes.join_by_history(folder / "history", joined)), joined)
        rows += _by_snapshot(*asyncio.run(homes.join_by_snapshot(folder / "snapshot", joined)), joined)
    spread = {nodes: homes.spread(nodes) for nodes in SIMULATED}
    rows += [
        row(f"receipts a record, {nodes} nodes, simulated", one.receipts, "receipts", most=MOST_RECEIPTS)
        for nodes, one in spread.items()
    ]
    rows += [
        row(f"on the wire for a record and receiver, {nodes} nodes, simulated", one.wire_bytes, "bytes")
        for nodes, one in spread.items()
    ]
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
            row(f"{IN_FLIGHT} in flight, against a relay", many, "appends/s", against=against, other=relay.per_second,
                least=1.0)
        )  # fmt: skip
        allowed = 2 * percentile(relay.propagation_ms, 0.5) + 2 * fsync_ms
        against = f"2 x {relay.name} + 2 fsyncs {allowed:.2f} ms"
        rows.append(
            row("append to durable at a peer, p50", percentile(propagated, 0.5), "ms", against=against, other=allowed,
                most=1.0)
        )  # fmt: skip
        rows.append(row(f"{relay.name}, appends", relay.per_second, "appends/s"))
        rows += _percentiles(f"{relay.name}, append to the other client", relay.propagation_ms)
    return rows


def _percentiles(measure: str, samples: list[float]) -> list[Row]:
    return [row(f"{measure}, p{100 * share:.0f}", percentile(samples, share), "ms") for share in (0.5, 0.99)]


def _by_history(joined: homes.Joined, records: int) -> list[Row]:
    name, user = f"joining by history, {records:,} records", joined.user_bytes
    return [
        row(name, joined.seconds, "s"),
        row(f"{name}, records a second", records / joined.seconds, "records/s"),
        row(f"on the wire for a byte of user data ({APPEND_BYTES} a record)", joined.wire_bytes / user, "bytes"),
        row(f"on disk for a byte of user data ({APPEND_BYTES} a record)", joined.disk_bytes / user, "bytes"),
        row("memory of the joiner for 100,000 records", joined.memory_bytes / records * 1e5 / 1e6, "MB"),
    ]


def _by_snapshot(joined: homes.Joined, raw_s: float, records: int) -> list[Row]:
    name, user = f"joining by snapshot, {records:,} records below a horizon", joined.user_bytes
    against = f"raw load of the same state {raw_s:.3g} s"
    return [
        row(name, joined.seconds, "s", against=against, other=raw_s, most=3.0),
        row("by snapshot, on the wire for a byte of user data", joined.wire_bytes / user, "bytes"),
        row("by snapshot, on disk for a byte of user data", joined.disk_bytes / user, "bytes"),
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
    joined = [one for one in rows if one.measure.startswith("joining") and one.unit == "s"]
    joins = [Bar(one.measure.removeprefix("joining ").split(",")[0], one.value) for one in joined]
    joins.append(Bar("raw load of the state", joined[-1].value / (joined[-1].ratio or 1.0), ours=False))
    records = joined[0].measure.split(", ")[1].split(" ")[0]
    receipts = [Bar(f"{nodes} nodes", value[f"receipts a record, {nodes} nodes, simulated"]) for nodes in SIMULATED]
    panels = [
        Panel(f"Appends of {APPEND_BYTES} bytes between two, more is better", "a second", fast),
        Panel("From an append to the other side, p50, less is better", "ms", ways),
        Panel(f"Joining a home that holds {records} records, less is better", "s", joins),
        Panel("Receipts a record and node as the home grows, 1 is the least possible", "", receipts),
    ]
    return svg(panels, f"{machine()}. Made by scripts/bench replication --svg.")


async def _measure(folder: Path) -> tuple[list[Row], float, float]:
    """The rows, appends a second in flight together, and what a commit with its fsync takes in ms."""
    rows = []
    look_less_often()  # the limit too
    one_limit = await appends_a_second(folder / "alone-1", SINGLE, together=1, shared=False)
    apart_limit = await appends_a_second(folder / "alone-n", BATCHED // 4, together=IN_FLIGHT, shared=False)
    many_limit = await appends_a_second(folder / "alone-s", BATCHED, together=IN_FLIGHT, shared=True)
    async with _two_nodes(folder) as author:
        await _appends(author, WARM, 1)
        await _appends(author, WARM * IN_FLIGHT, IN_FLIGHT)
        sizes = [author.bytes_sent]
        single = await _appends(author, SINGLE, 1)
        sizes.append(author.bytes_sent)
        many = await _appends(author, BATCHED, IN_FLIGHT)
        sizes.append(author.bytes_sent)
        turns = await _turns(author, TURNS, IN_FLIGHT)
    alone = "the same without protocol"
    sides = "Ed25519, SQLCipher and apply of both sides, 1 thread"
    acked = "commit to durable ack"
    together = f"{IN_FLIGHT} in flight"
    rows += [
        row(f"one at a time, {acked}", single.per_second, "appends/s", against=alone, other=one_limit, least=0.6),
        row(f"{together}, {acked}", many.per_second, "appends/s", against=alone, other=many_limit, least=0.6),
        row(f"turns (heard, reply, audit entry) in {IN_FLIGHT} rooms at once, {acked}", turns, "turns/s"),
        row(f"without protocol, one at a time ({sides})", one_limit, "appends/s"),
        row(f"without protocol, {IN_FLIGHT} a commit, which share records", many_limit, "appends/s"),
        row(f"without protocol, {IN_FLIGHT} a commit, a record each", apart_limit, "appends/s"),
    ]
    for name, measured in (("one at a time", single), (together, many)):
        for share in (0.5, 0.99):
            p = f"p{100 * share:.0f}"
            rows.append(row(f"{name}: append to own commit, {p}", 1000 * percentile(measured.commit_s, share), "ms"))
            rows.append(row(f"{name}: own commit to peer's ack, {p}", 1000 * percentile(measured.ack_s, share), "ms"))
    for name, count, first in (("one at a time", SINGLE, 0), (together, BATCHED, 1)):
        wire = (sizes[first + 1] - sizes[first]) / count
        rows.append(row(f"on the wire for an append of {APPEND_BYTES} bytes, {name}", wire, "bytes"))
    parts = await where_time_goes(folder / "parts")
    rows += parts
    rows.append(row("threads at work: a loop, a writer and two that verify each side", 8, "threads"))
    return rows, many.per_second, parts[-1].value / 1000


# --- two nodes --------------------------------------------------------------------------------------------------


class _Author:
    """The author's node in this process, with an eye on what its peer acknowledges."""

    def __init__(self, node: Node) -> None:
        self.journal = node._parts.journal
        self.peering = node._parts.peering
        self.sessions = node.sessions
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
        (written,) = await self.journal.write((DOCUMENT, lambda _: [entry()]))
        kept = time.perf_counter()
        name = (written.dot.author, written.dot.seq)
        if self.acked.get(name[0], 0) >= name[1]:
            return kept - began, 0.0
        future = self.waiting.setdefault(name, asyncio.get_running_loop().create_future())
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
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
    return _Measured(time.perf_counter() - began, samples)


async def _turns(author: _Author, count: int, rooms: int) -> float:
    """Turns a second as a dialogue keeps them, each room in a session of its own, until the peer holds all of them."""
    audit = Audit(author.journal, SystemClock())
    said = {"text": "It is a quarter past nine.", "status": "answered", "source": "intent", "provider": ""}

    async def room(number: int) -> None:
        session_id: str | None = None
        for _ in range(count // rooms):
            session_id, turn = await author.sessions.add_turn(
                session_id, "hey jarvis, what time is it", f"room {number}"
            )
            await author.journal.write(
                (SESSION_PREFIX + session_id, lambda state, turn=turn: [state.add_reply(turn, said)]),
                audit.entry("turn", session_id, outcome="answered", ms=12.3, source="intent", provider=""),
            )

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(rooms):
            group.create_task(room(number))
    await _until(lambda: _settled(author))
    return count / (time.perf_counter() - began)


@asynccontextmanager
async def _two_nodes(folder: Path) -> AsyncIterator[_Author]:
    """The author here, the peer in a process of its own, linked."""
    here, there = folder / "author", folder / "peer"
    await app.founding.found_home(here, "author", None, None)
    built: list[Node] = []
    build = app.build

    async def keep(*arguments: Any, **more: Any) -> Node:
        built.append(await build(*arguments, **more))
        return built[-1]

    app.build = keep
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
