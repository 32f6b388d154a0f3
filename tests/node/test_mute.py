"""A muted node reads nothing from its microphone, not even after a restart, and says so; a microphone that was lost is
opened again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from jarvis.core.errors import DeadlineExceeded, EngineFailed, Missing
from jarvis.core.events import EventBus
from jarvis.core.time import SystemClock
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.hearing import mute as mute_module
from jarvis.node.hearing.listening import Listening
from jarvis.node.hearing.mute import Mute
from jarvis.node.hearing.sound import Sound
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.testing.processes import NodeProcess, jarvis
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.streams import NullSink

BLOCK_S = 0.02


class Microphone:
    """Gives a block every 20 ms, and counts who takes them."""

    realtime = True

    def __init__(self) -> None:
        self.read = self.open = self.opened = 0
        self.fails: Exception | None = None
        self.hangs = False
        self.sink = NullSink()

    async def blocks(self) -> AsyncIterator[Any]:
        if self.fails is not None:
            raise self.fails
        self.open += 1
        self.opened += 1
        try:
            while True:
                await asyncio.sleep(BLOCK_S if not self.hangs else 1e9)
                if self.fails is not None:
                    raise self.fails
                self.read += 1
                yield np.zeros(320, np.int16)
        finally:
            self.open -= 1


class Node:
    """A store that outlives the node, and the parts that hear."""

    def __init__(self, store: MemoryStore, replica: Replica, microphone: Microphone) -> None:
        self.microphone, self.events = microphone, EventBus()
        self.told: list[str] = []
        self.journal = Journal(store, replica)
        self.mute = Mute(self.journal, self.events, SystemClock())
        self.heard = 0
        self.speaker: Any = None
        self.reply_s = 0.0
        self.chosen = asyncio.Event()
        self.lost = 0
        self.listening = Listening(
            cast(Sound, self),
            self.mute,
            self.events,
            SystemClock(),
            listen=self._listen,
            ready=lambda sink: setattr(self, "speaker", sink),
        )
        publish = self.events.publish

        def tell(event: Any) -> None:
            self.told.append(str(getattr(event, "state", getattr(event, "on", ""))))
            publish(event)

        self.events.publish = tell  # type: ignore[method-assign]

    # What Listening needs of Sound.
    async def open(self) -> NullSink:
        return self.microphone.sink

    @property
    def sink(self) -> NullSink:
        return self.microphone.sink

    async def source(self) -> Microphone:
        return self.microphone

    async def follow(self) -> None:
        await asyncio.Event().wait()

    async def moved(self) -> None:
        await self.chosen.wait()
        self.chosen.clear()

    async def close(self) -> None:
        pass

    async def _listen(self, source: Any, sink: Any) -> None:
        async for _ in source.blocks():
            self.heard += 1
        await asyncio.sleep(self.reply_s)  # what was being said when the source ended
        self.heard_out = True

    async def start(self) -> asyncio.Task[None]:
        await self.mute.load()
        return asyncio.create_task(self.listening.run())


def made() -> tuple[MemoryStore, Replica]:
    key, owner = (SigningKey(os.urandom(SEED_BYTES)) for _ in range(2))
    chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
    store, clock = MemoryStore(), SystemClock()
    replica = Replica(key, entropy=os.urandom, wall_ms=clock.wall_ms)
    store.transact(lambda tx: replica.found(tx, chain))
    return store, replica


def with_node(work: Callable[[Callable[[], Node], Microphone], Awaitable[None]]) -> None:
    store, replica = made()
    microphone = Microphone()
    run_virtual(lambda: work(lambda: Node(store, replica, microphone), microphone), within_s=1e5)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_muted_node_reads_no_block_and_hears_nothing_also_after_a_restart() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        running = await node.start()
        await asyncio.sleep(10.01)
        assert microphone.read == node.heard == 500
        assert node.listening.state() == {"state": "ok", "detail": "listening"}

        assert await node.mute.set(True) == {"muted": True, "microphone": "closed"}
        assert microphone.open == 0  # it is closed before that is said
        before = microphone.read
        await asyncio.sleep(3_600)
        assert microphone.read == before and microphone.opened == 1 and node.heard <= 501
        assert node.listening.state()["detail"].startswith("muted")
        await stop(running)

        node = new()
        running = await node.start()
        assert node.mute.on and node.mute.status() == {"muted": True, "microphone": "closed"}
        await asyncio.sleep(600)
        assert microphone.read == before and microphone.opened == 1 and node.heard == 0
        assert node.speaker is microphone.sink  # it speaks all the same
        assert node.told == ["muted"]

        assert (await node.mute.set(False))["muted"] is False
        await asyncio.sleep(1.01)
        assert node.heard == 50 and microphone.opened == 2
        assert node.told == ["muted", "False", "open"]
        await stop(running)
        assert microphone.open == 0

    with_node(main)


def test_mute_is_durable_before_it_counts() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        running = await node.start()
        await asyncio.sleep(1)

        async def full(*_: Any) -> None:
            raise OSError("the disk is full")

        save = node.journal.change_local
        node.journal.change_local = full  # type: ignore[method-assign]
        with pytest.raises(OSError):
            await node.mute.set(True)
        assert not node.mute.on and microphone.open == 1  # nobody was told that it hears nothing
        node.journal.change_local = save  # type: ignore[method-assign]
        await node.mute.set(True)
        await node.mute.set(True)
        await stop(running)
        assert node.told.count("True") == 1

    with_node(main)


def test_what_is_being_said_goes_on_when_the_microphone_closes() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        node.reply_s = 30.0
        running = await node.start()
        await asyncio.sleep(1)
        await node.mute.set(True)
        assert microphone.open == 0 and not hasattr(node, "heard_out")
        await asyncio.sleep(31)
        assert node.heard_out
        await stop(running)

    with_node(main)


def test_a_microphone_that_hangs_is_closed_all_the_same() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        running = await node.start()
        await asyncio.sleep(1)
        microphone.hangs = True
        await asyncio.sleep(0.1)
        assert (await node.mute.set(True))["microphone"] == "closed"
        await stop(running)

    with_node(main)


def test_who_holds_the_microphone_for_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mute_module, "CLOSE_S", 0.5)

    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        node.mute.opens()
        with pytest.raises(DeadlineExceeded, match="Nothing is heard any more"):
            await node.mute.set(True)
        assert node.mute.status() == {"muted": True, "microphone": "open"}

    with_node(main)


def test_a_lost_microphone_is_waited_for_and_told() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        running = await node.start()
        await asyncio.sleep(1)
        microphone.fails = EngineFailed("The microphone went away.")
        await asyncio.sleep(60)
        assert node.listening.state() == {"state": "failed", "detail": "The microphone went away."}
        microphone.fails = None
        await asyncio.sleep(6)
        node.lost = 2
        assert node.listening.state() == {"state": "ok", "detail": "listening; sound was lost 2 times"}
        node.lost = 0
        assert node.listening.state() == {"state": "ok", "detail": "listening"}
        assert node.told == ["open", "failed", "open"]
        microphone.fails = Missing("numpy is not installed.")
        await asyncio.sleep(1)
        assert node.listening.state()["state"] == "failed" and running.done()

    with_node(main)


def test_another_microphone_is_opened_when_it_is_chosen() -> None:
    async def main(new: Callable[[], Node], microphone: Microphone) -> None:
        node = new()
        running = await node.start()
        await asyncio.sleep(1)
        node.chosen.set()
        await asyncio.sleep(1)
        assert microphone.opened == 2 and microphone.open == 1
        await stop(running)

    with_node(main)


def test_mute_outlives_a_node_that_is_killed(tmp_path: Path, quiet: dict[str, str]) -> None:
    jarvis("init", "--name", "kitchen", data_dir=tmp_path, env=quiet).json()
    with NodeProcess(tmp_path, "--no-mdns", "--bind", "127.0.0.1", env=quiet) as node:
        assert node.get("/api/v2/mute")["muted"] is False
        said = jarvis("mute", "on", data_dir=tmp_path, env=quiet)
        assert said.json() == {"muted": True, "microphone": "closed"}
        node.kill()
        node.start()
        assert node.get("/api/v2/mute")["muted"] is True
        assert node.call("PUT", "/api/v2/mute", body={"muted": False})["muted"] is False
        node.stop()
        node.start()
        assert node.get("/api/v2/mute")["muted"] is False
