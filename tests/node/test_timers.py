"""Timers ring, whatever happens to the process or the clock meanwhile, until somebody says stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest

from jarvis.assistant.types import TimerInfo
from jarvis.core.codec import pack
from jarvis.core.errors import InvalidInput, NotFound
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.links.topics import Topics
from jarvis.node.records.journal import Journal
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.ring_words import TOPIC, Statement, Told, encode
from jarvis.node.timing.ringing import RING_EVERY_MS, RING_FOR_MS
from jarvis.node.timing.timers import Around, Timers, words_of
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.sync.messages import Ephemeral
from jarvis.testing.processes import until
from jarvis.testing.virtual_time import run_virtual
from tests.node.conftest import Home
from tests.node.listening import heard

RINGS_S = 30.0
"""Other members are away: a timer that was due while we were, too, waits for them first."""
RING_EVERY_S, RING_FOR_S = RING_EVERY_MS / 1000, RING_FOR_MS / 1000


def test_timers_survive_a_kill_and_a_restart_and_ring(home: Home) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    assert "pasta" in kitchen.ask("Set a pasta timer for 3 seconds.")["reply"].lower()
    kitchen.ask("Set a tea timer for ten minutes.")
    before = {row["timer_id"]: row for row in kitchen.get("/api/v2/timers")}
    assert sorted(row["name"] for row in before.values()) == ["pasta", "tea"]
    kitchen.kill()
    kitchen.start()
    after = {row["timer_id"]: row for row in kitchen.get("/api/v2/timers")}
    assert after.keys() == before.keys()
    for timer_id, row in after.items():
        assert row["rings_at"] == before[timer_id]["rings_at"]
        assert row["remaining_s"] <= before[timer_id]["remaining_s"]
    (rang,) = heard(kitchen, "timer.rang", RINGS_S)
    assert before[rang["timer_id"]]["name"] == "pasta"
    assert kitchen.stop() == 0
    kitchen.start()  # it was ringing: it still does
    assert {row["name"]: row["remaining_s"] == 0 for row in kitchen.get("/api/v2/timers")} == {
        "pasta": True,
        "tea": False,
    }
    kitchen.ask("Stop.")
    until(lambda: [row["name"] for row in kitchen.get("/api/v2/timers")] == ["tea"], 2, "silence")
    (tea,) = kitchen.get("/api/v2/timers")
    cancelled = kitchen.call("DELETE", f"/api/v2/timers/{tea['timer_id'][:4]}")
    assert cancelled == {"timer_id": tea["timer_id"], "cancelled": True}
    with pytest.raises(NotFound):
        kitchen.call("DELETE", f"/api/v2/timers/{tea['timer_id']}")
    kitchen.kill()
    kitchen.start()
    assert kitchen.get("/api/v2/timers") == []


class LoopClock:
    def __init__(self, wall_ms: int = 1_800_000_000_000) -> None:
        self._began_ms = wall_ms

    def wall_ms(self) -> int:
        return self._began_ms + int(self.mono_ms())

    def mono_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000


class Kept:
    """What timers write, in a store that outlives them."""

    def __init__(self) -> None:
        self.key = SigningKey(os.urandom(SEED_BYTES))
        owner = SigningKey(os.urandom(SEED_BYTES))
        chain = Chain.found(owner, owner.public, make_certificate(self.key), nonce=bytes(16), at_ms=0)
        self.store = MemoryStore()
        replica = self.replica(LoopClock())
        self.store.transact(lambda tx: replica.found(tx, chain))

    def replica(self, clock: LoopClock) -> Replica:
        return Replica(self.key, entropy=os.urandom, wall_ms=lambda: 1_800_000_000_000)

    def timers(self, clock: LoopClock, rings: list[tuple[float, str]], time: KnownTime | None = None) -> Timers:
        async def ring(timer: TimerInfo) -> None:
            rings.append((asyncio.get_running_loop().time(), timer.name))

        journal = Journal(self.store, self.replica(clock))
        time = time or KnownTime(clock, dict)
        return Timers(journal, clock, time, self.key.node_id, Topics(no_peers, no_peers), ring)


async def nobody_hears(_: TimerInfo) -> None:
    pass


def no_peers(*_: object) -> None:
    raise AssertionError("there are none")


def play(scene: Callable[[Timers, list[tuple[float, str]]], Awaitable[None]]) -> None:
    async def main() -> None:
        rings: list[tuple[float, str]] = []
        timers = Kept().timers(LoopClock(), rings)
        running = asyncio.create_task(timers.run())
        await scene(timers, rings)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)


def test_a_timer_that_rings_keeps_no_other_from_ringing() -> None:
    async def scene(timers: Timers, rings: list[tuple[float, str]]) -> None:
        await timers.set(10, "pasta")
        await timers.set(12, "eggs")
        await asyncio.sleep(13)
        assert [(round(at), name) for at, name in rings] == [(10, "pasta"), (12, "eggs")]
        assert [one.name for one in await timers.stop_ringing()] == ["pasta", "eggs"]
        await asyncio.sleep(60)
        assert len(rings) == 2 and timers.infos() == []

    play(scene)


def test_a_timer_rings_again_until_it_is_cancelled() -> None:
    async def scene(timers: Timers, rings: list[tuple[float, str]]) -> None:
        info = await timers.set(10, "pasta")
        await timers.set(3_000, "tea")
        await asyncio.sleep(10 + 2.5 * RING_EVERY_S)
        assert [name for _, name in rings] == ["pasta"] * 3
        assert await timers.remove(info.timer_id)
        await asyncio.sleep(60)
        assert len(rings) == 3 and [one.name for one in timers.infos()] == ["tea"]

    play(scene)


def test_stop_ends_what_rings_and_nothing_else() -> None:
    async def scene(timers: Timers, rings: list[tuple[float, str]]) -> None:
        timers.silence()  # nothing rings yet
        await timers.set(10, "pasta")
        await timers.set(20, "eggs")
        await asyncio.sleep(11)
        timers.silence()
        await asyncio.sleep(60)
        assert [name for _, name in rings][:2] == ["pasta", "eggs"]
        assert [name for _, name in rings].count("pasta") == 1

    play(scene)


def test_a_timer_whose_asker_leaves_in_the_middle_rings_or_was_never_set() -> None:
    async def scene(timers: Timers, rings: list[tuple[float, str]]) -> None:
        for pauses in range(8):
            asking = asyncio.create_task(timers.set(10, str(pauses)))
            for _ in range(pauses):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(1)
        there = [one.name for one in timers.infos()]
        known = {one.timer_id for one in timers.infos()}
        await timers.load()
        assert {one.timer_id for one in timers.infos()} == known, "the disk knows the same"
        assert "7" in there and "0" not in there

    play(scene)


def test_ringing_gives_up() -> None:
    async def scene(timers: Timers, rings: list[tuple[float, str]]) -> None:
        await timers.set(1, "pasta")
        await asyncio.sleep(RING_FOR_S * 2)
        assert len(rings) == RING_FOR_S / RING_EVERY_S
        assert timers.infos() == []

    play(scene)


@pytest.mark.parametrize(
    ("jump_ms", "latest_s"),
    [(0, 60), (-3_600_000, 100), (-1_799_999_000_000, 100), (3_600_000, 0), (90_000, 0)],
    ids=["as it was", "set back an hour", "1970", "set forward", "over the end"],
)
def test_a_clock_that_was_set_makes_no_timer_longer(jump_ms: int, latest_s: float) -> None:
    """Set for 100 s, restarted after 40 s with another clock."""

    async def main() -> None:
        rings: list[tuple[float, str]] = []
        kept = Kept()
        first = kept.timers(LoopClock(), rings)
        await first.set(100, "pasta")
        await asyncio.sleep(40)
        second = kept.timers(LoopClock(1_800_000_000_000 + jump_ms), rings)
        await second.load()
        running = asyncio.create_task(second.run())
        await asyncio.sleep(latest_s + 0.1)
        assert [(round(at), name) for at, name in rings] == [(40 + latest_s, "pasta")]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)


class LostClock(LoopClock):
    """Of a board without a battery."""

    def wall_ms(self) -> int:
        return int(self.mono_ms())


def test_who_does_not_know_the_time_refuses_alarms_and_believes_a_peer() -> None:
    async def main() -> None:
        offsets: dict[bytes, int | None] = {}
        time = KnownTime(LostClock(), lambda: offsets)
        kept = Kept()
        timers = kept.timers(LostClock(), [], time)
        at = datetime.fromtimestamp(1_800_000_600)
        assert time.wall_ms() is None
        with pytest.raises(InvalidInput, match="I don't know what time it is"):
            await timers.set_alarm(at, "")
        assert (await timers.set(60, "tea")).due_ms is None, "a timer needs no wall clock"
        offsets |= {b"p" * 16: 1_800_000_000_000, b"q" * 16: None, b"r" * 16: 5}
        alarm = await timers.set_alarm(at, "train")
        assert (alarm.alarm, round(alarm.remaining_s), alarm.due_ms) == (True, 600, 1_800_000_600_000)

    run_virtual(main)


def test_while_something_rings_anywhere_this_room_listens_for_stop() -> None:
    async def main() -> None:
        peer, attended, told = b"p" * 16, [], []
        kept = Kept()
        clock = LoopClock()
        topics = Topics(lambda *one: told.append(one), lambda *one: told.append(one))
        around = Around(others=lambda: True, attend=attended.append)
        time = KnownTime(clock, lambda: {peer: 0})
        timers = Timers(
            Journal(kept.store, kept.replica(clock)), clock, time, kept.key.node_id, topics, nobody_hears, around
        )
        info = await timers.set(10, "pasta")
        running = asyncio.create_task(timers.run())
        await asyncio.sleep(5)
        assert attended == [] and told, "what runs is told"
        statement = Statement(True, {info.timer_id: Told(0, 5_000, True)})
        topics.deliver(peer, Ephemeral(TOPIC, pack(encode(statement))))
        await asyncio.sleep(2)
        assert attended and all(ms >= 2_000 for ms in attended), "until the next look"
        assert [one.timer_id for one in await timers.stop_ringing()] == [info.timer_id] and timers.infos() == []
        attended.clear()
        await asyncio.sleep(60)
        assert attended == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)


def test_what_a_ring_says() -> None:
    pasta = TimerInfo("t", "pasta", 600, 0.0, room="kitchen", rings=True)
    assert words_of(pasta, "kitchen") == "Your pasta timer is done."
    assert words_of(replace(pasta, name="check the oven"), "hall") == "Reminder: check the oven."
    assert words_of(pasta, "hall") == "Your pasta timer in the kitchen is done."
    assert words_of(replace(pasta, name="", alarm=True), "kitchen") == "Your alarm is ringing."
    assert (
        words_of(replace(pasta, overdue_s=7_260.0), "kitchen") == "Your pasta timer was due 2 hours and 1 minute ago."
    )
