"""What a listening node costs, and how soon it chimes: a real node that hears a file at the pace of a microphone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from benches.table import Row, percentile, row
from benches.voice.commands import Command, quiet
from jarvis.core.errors import JarvisError
from jarvis.testing.processes import NodeProcess, descendants, jarvis
from jarvis.voice import wav
from jarvis.voice.streams import RATE_HZ

SETTLE_S, WINDOW_S = 60.0, 25.0
"""First the node prepares replies, half a minute at a fifth of a core; then silence and noise are measured."""
WAKES = 10
TICKS = os.sysconf("SC_CLK_TCK")


async def listening(home: Path, wake: Command) -> list[Row]:
    """Share of a core while it hears silence and a room's noise, memory, and the chime after the wake word."""
    noise = _room_noise(WINDOW_S + 8)  # a busy machine begins to look later than the file begins
    path = home / "listening.wav"
    wakes = np.concatenate([_wake_alone(wake) for _ in range(WAKES)])
    wav.write(path, np.concatenate([quiet(SETTLE_S + WINDOW_S), noise, wakes, quiet(1)]), RATE_HZ)
    place = home / "quiet"  # of its own: timers of the commands would ring here
    jarvis("init", "--name", "quiet", "--room", "quiet", data_dir=place).json()
    with NodeProcess(place, "--no-mdns", "--audio", f"wav:{path}", env={"JARVIS_OLLAMA_URL": ""}) as node:
        async with _events(node) as events:
            began = await _listening_since(node)
            await asyncio.sleep(began + SETTLE_S - time.monotonic())
            in_silence = await _share_of_a_core(node, WINDOW_S - 2)
            await asyncio.sleep(began + SETTLE_S + WINDOW_S + 1 - time.monotonic())
            in_noise = await _share_of_a_core(node, WINDOW_S - 2)
            memory = [row("memory of the node process", node.rss_bytes() / 1e6, "MB", most=150), _memory(node)]
            chimes = await _chimes(events)
        node.ask("Tell me a story about a cat.")
        with contextlib.suppress(JarvisError):  # its model is not installed
            node.post("/api/v2/engines/embedding/restart", deadline_s=60)
        memory.append(_memory(node, most=1_000))
    return [
        *_shares("silence", in_silence),
        *_shares("a room's noise", in_noise),
        *chimes,
        *memory,
    ]


def _memory(node: NodeProcess, most: float | None = None) -> Row:
    """Of the node and the engines that are loaded, shared pages counted once."""
    loaded = ", ".join(one["name"] for one in node.get("/api/v2/engines") if one["pid"])
    return row(f"memory with {loaded} (PSS)", _pss_bytes(node) / 1e6, "MB", most=most)


def _wake_alone(wake: Command) -> Any:
    """The wake word, and silence until the node has given up waiting for a command."""
    return np.concatenate([wake.sound[: int((wake.wake_end_s + 0.05) * RATE_HZ)], quiet(6.5)])


async def _chimes(events: asyncio.Queue[dict[str, Any]]) -> list[Row]:
    """After the detector was sure, for each wake of the file."""
    found: list[float] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAKES * 10):
            while len(found) < WAKES:
                event = await events.get()
                if event["event"] == "chime":
                    found.append(event["after_wake_ms"])
    if not found:
        return [row("chimes", 0, f"of {WAKES} wake words", least=1)]
    return [
        row("detector sure to chime, p50", percentile(found, 0.5), f"ms, {len(found)} of {WAKES}"),
        row("detector sure to chime, p95", percentile(found, 0.95), "ms"),
    ]


async def _listening_since(node: NodeProcess) -> float:
    """When the file began to be heard, to about half a second: the node says what its microphone does."""
    deadline = time.monotonic() + 60
    while node.get("/api/v2/health")["components"]["audio"]["detail"] != "listening":
        if time.monotonic() > deadline:
            raise AssertionError("the node does not listen")
        await asyncio.sleep(0.1)
    return time.monotonic()


def _shares(what: str, used: dict[str, float]) -> list[Row]:
    both = sum(used.values())
    return [
        row(f"listening to {what}, node and workers", 100 * both, "% of a core", most=2),
        *(row(f"of that {name}", 100 * share, "% of a core") for name, share in sorted(used.items()) if share >= 5e-4),
    ]


async def _share_of_a_core(node: NodeProcess, seconds: float) -> dict[str, float]:
    """CPU time of the node and of each of its workers in a stretch of time."""
    before, began = _cpu_s(node), time.monotonic()
    await asyncio.sleep(seconds)
    took_s = time.monotonic() - began
    return {name: (used_s - before.get(name, 0.0)) / took_s for name, used_s in _cpu_s(node).items()}


def _cpu_s(node: NodeProcess) -> dict[str, float]:
    names = {one["pid"]: one["name"] for one in node.get("/api/v2/engines") if one["pid"]}
    used: dict[str, float] = {}
    for pid in {node.pid, *descendants(node.pid)}:
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            name = "the node" if pid == node.pid else names.get(pid, "others")
            used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / TICKS
    return used


def _pss_bytes(node: NodeProcess) -> int:
    """What all its processes hold, shared pages counted once."""
    total = 0
    for pid in {node.pid, *descendants(node.pid)}:
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1_024 * next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


@contextlib.asynccontextmanager
async def _events(node: NodeProcess) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """What happens in the node, from now on."""
    runtime = json.loads((node.data_dir / "run" / "api.json").read_text())
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(10_000)
    headers = {"Authorization": f"Bearer {runtime['token']}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{runtime['api_url']}/api/v2/events") as socket,
    ):

        async def read() -> None:
            async for message in socket:
                queue.put_nowait(json.loads(message.data))

        reading = asyncio.create_task(read())
        try:
            yield queue
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def _room_noise(seconds: float) -> Any:
    """A quiet room: noise that is louder below, 60 dB under full scale."""
    rng, count = np.random.default_rng(6), int(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), count)
    return (noise / np.abs(noise).max() * 32_768 * 10 ** (-40 / 20)).astype(np.int16)
