"""Whole homes of a bench: 2 and 5 nodes as processes of their own, 20 in one process over real TLS links on loopback
(on few cores 20 processes would measure the scheduler), and simulated ones where only counts matter."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.support.room import (
    APPEND_BYTES,
    DOCUMENT,
    Room,
    fill,
    make_compacted_home,
    make_home,
    opened,
    raw_load_s,
)
from jarvis.crdt.gset import GSet
from jarvis.testing.home import SimHome, SimNode

PROPAGATED = 200
GAP_S = 0.02
"""Between appends whose way is timed: the way of one, not of a queue."""
DEADLINE_S = 300.0


@dataclass(frozen=True)
class Joined:
    seconds: float
    wire_bytes: int
    disk_bytes: int
    memory_bytes: int
    user_bytes: int


class _Child:
    """A room in its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.node_id, self.address, self.rss_bytes = b"", "", 0

    @classmethod
    async def start(cls, folder: Path) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benches.support.room", str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        child = cls(process)
        ready = await child._hear()
        child.node_id, child.rss_bytes = bytes.fromhex(ready["node"]), ready["rss"]
        child.address = f"127.0.0.1:{ready['port']}"
        return child

    def learn(self, addresses: dict[bytes, str]) -> None:
        self._say({"learn": {node.hex(): one for node, one in addresses.items()}})

    async def report(self) -> dict[str, Any]:
        self._say({"report": True})
        return await self._hear()

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    def _say(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            answer = json.loads(await self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer


@contextlib.asynccontextmanager
async def _children(folders: Sequence[Path]) -> AsyncIterator[list[_Child]]:
    children = []
    try:
        for folder in folders:
            children.append(await _Child.start(folder))
        yield children
    finally:
        for child in children:
            await child.close()


# --- propagation ------------------------------------------------------------------------------------------------------


async def propagation_ms(folder: Path, nodes: int, *, processes: bool) -> list[float]:
    """From asking for an append to its being durable at a receiver: one sample an append and receiver."""
    folders = await make_home(folder, nodes)
    async with opened(folders[0]) as author:
        if processes:
            async with _children(folders[1:]) as children:
                addresses = {child.node_id: child.address for child in children}
                author.learn({node: (address,) for node, address in addresses.items()})
                for child in children:
                    child.learn({**addresses, author.node_id: f"127.0.0.1:{author.port}"})
                await _linked(author, nodes - 1)
                while not all([(await child.report())["linked"] == nodes - 1 for child in children]):
                    await asyncio.sleep(0.1)
                began = await _appended(author)
                await _held(author)
                return [sample for child in children for sample in _ways(began, (await child.report())["arrived"])]
        async with contextlib.AsyncExitStack() as stack:
            rooms = [author, *[await stack.enter_async_context(opened(one)) for one in folders[1:]]]
            for room in rooms:
                room.learn({one.node_id: (f"127.0.0.1:{one.port}",) for one in rooms})
            for room in rooms:
                await _linked(room, nodes - 1)
            began = await _appended(author)
            await _held(author)
            return [sample for room in rooms[1:] for sample in _ways(began, room.arrived)]


async def _linked(room: Room, peers: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while len(room.peering.connected()) < peers:
            await asyncio.sleep(0.05)


async def _appended(author: Room) -> dict[int, int]:
    """Sequence -> when it was asked for, in monotonic ns; the clock is the machine's, so processes share it."""
    await author.append()  # the first one finds caches cold
    await _held(author)
    began = {}
    for _ in range(PROPAGATED):
        at = time.monotonic_ns()
        began[await author.append()] = at
        await asyncio.sleep(GAP_S)
    return began


async def _held(author: Room) -> None:
    """Until every peer has acknowledged everything."""
    async with asyncio.timeout(DEADLINE_S):
        while any((author.peering.progress(peer) or (0, 1))[1] for peer in author.peering.connected()):
            await asyncio.sleep(0.005)


def _ways(began: dict[int, int], arrived: Sequence[Sequence[int]]) -> list[float]:
    samples, reached = [], 0
    for seq, at in arrived:
        samples += [(at - began[one]) / 1e6 for one in range(reached + 1, seq + 1) if one in began]
        reached = max(reached, seq)
    assert len(samples) == len(began), f"{len(samples)} of {len(began)} arrived"
    return samples


# --- joining ----------------------------------------------------------------------------------------------------------


async def join_by_history(folder: Path, records: int) -> Joined:
    """A member that holds nothing links to one that holds `records`: until it has acknowledged them all."""
    folders = await make_home(folder, 2)
    await fill(folders[0], records)
    return await _joined(folders, records)


async def join_by_snapshot(folder: Path, records: int) -> tuple[Joined, float]:
    """The same where all lies below a horizon; and the seconds that the raw load of the same state takes."""
    folders = await make_compacted_home(folder, records)
    joined = await _joined(folders, records)
    return joined, await raw_load_s(folders[0], DOCUMENT, folder / "raw")


async def _joined(folders: list[Path], records: int) -> Joined:
    async with opened(folders[0]) as author, _children(folders[1:]) as (joiner,):
        began = time.monotonic_ns()
        author.learn({joiner.node_id: (joiner.address,)})
        report: dict[str, Any] = {"arrived": []}
        async with asyncio.timeout(DEADLINE_S):
            while max((seq for seq, _ in report["arrived"]), default=0) < records:
                await asyncio.sleep(0.05)
                report = await joiner.report()
        seconds = (report["arrived"][-1][1] - began) / 1e9
        wire = author.peering.flow(joiner.node_id)["bytes_sent"]
        ((mine, theirs),) = (await author.peering.compare()).values()
        assert mine.digest == theirs.digest
    disk = sum(path.stat().st_size for path in (folders[1] / "store").iterdir())
    user = records * APPEND_BYTES
    return Joined(seconds, int(wire or 0), disk, report["rss"] - joiner.rss_bytes, user)


# --- as it grows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """What it costs that a record reaches one node that did not write it."""

    receipts: float
    wire_bytes: float
    """Of all that is said, acknowledgements and news of heads too."""


class _Weighed(SimHome):
    wire_bytes = 0

    def _send(self, sender: SimNode, peer: bytes, frame: bytes) -> None:
        self.wire_bytes += len(frame)
        super()._send(sender, peer, frame)


def spread(nodes: int, rounds: int = 2) -> Spread:
    """Every node writes at once, all are linked."""
    home, received = _Weighed(nodes, seed=nodes), 0
    for node in home.nodes:
        accept = node.accept

        def counted(records: Any, source: bytes | None = None, *, accept: Any = accept) -> Any:
            nonlocal received
            batch = list(records)
            received += len(batch)
            return accept(batch, source)

        node.accept = counted  # type: ignore[method-assign]
    home.connect_all()
    _settle_slowly(home)
    before = home.wire_bytes
    for _ in range(rounds):
        for node in home.nodes:
            node.write(DOCUMENT, lambda _: [GSet.add("x" * APPEND_BYTES)])
        _settle_slowly(home)
    reached = rounds * nodes * (nodes - 1)
    return Spread(received / reached, (home.wire_bytes - before) / reached)


def _settle_slowly(home: SimHome) -> None:
    """A frame is under way for 0.1 s to a second, so that nodes hear of records from others before they come."""
    for _ in range(2):
        while any(home.links.values()):
            for a, b in [pair for pair, queue in home.links.items() if queue and home.rng.random() < 0.4]:
                for _ in range(len(home.links[a, b])):
                    home.deliver(a, b)
            home.tick(100)
        home.tick(250)
    home.settle()
