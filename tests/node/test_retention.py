"""What is old is deleted when the home says so, and never because a clock is wrong."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from jarvis.core.codec import unpack
from jarvis.core.errors import InvalidInput
from jarvis.core.time import EARLIEST_WALL_MS
from jarvis.crdt.registry import AUDIT_PREFIX
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.config import Config
from jarvis.node.membership.members import Members
from jarvis.node.records import retention
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.records.retention import DAY_MS, Retention
from jarvis.node.talk.sessions import Sessions
from jarvis.node.timing.clocks import SetSince
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore

BEGIN_MS = EARLIEST_WALL_MS + 400 * DAY_MS
"""2027-02-05"""


class Clock:
    def __init__(self) -> None:
        self.now_ms, self.set_ms = float(BEGIN_MS), 0

    def wall_ms(self) -> int:
        return int(self.now_ms) + self.set_ms

    def mono_ms(self) -> float:
        return self.now_ms - BEGIN_MS

    def days(self, count: float) -> None:
        self.now_ms += count * DAY_MS


class Kitchen:
    def __init__(self) -> None:
        key, owner = SigningKey(os.urandom(SEED_BYTES)), SigningKey(os.urandom(SEED_BYTES))
        self.clock, self.store = Clock(), MemoryStore()
        chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        replica = Replica(key, entropy=os.urandom, wall_ms=self.clock.wall_ms)
        self.store.transact(lambda tx: replica.found(tx, chain))
        self.journal = Journal(self.store, replica)
        self.audit = Audit(self.journal, self.clock)
        self.sessions = Sessions(self.journal, self.audit, self.clock)
        members = Members(self.journal, chain, key.node_id, self.clock)
        self.file: dict[str, str] = {}
        self.config = Config(
            self.journal,
            self.audit,
            key.node_id,
            file=self.file,
            find=members.find,
            refresh_names=members.refresh,
            name_of=members.name_of,
        )
        self.offsets: list[int | None] = []
        self.start()

    def start(self) -> None:
        self.retention = Retention(
            self.journal,
            self.sessions,
            self.audit,
            self.clock,
            value=self.config.value,
            offsets=lambda: self.offsets,
            place=lambda: 0,
        )

    async def keep(self, days: int = 0, months: int = 0) -> None:
        await self.config.set("sessions.keep_days", str(days))
        await self.config.set("audit.keep_months", str(months))

    async def say(self, text: str = "hello") -> str:
        return (await self.sessions.add_turn(None, text, "kitchen"))[0]

    async def held(self) -> set[str]:
        rows = [*await self.sessions.list(), *await self.sessions.list(archived=True)]
        return {row["session_id"] for row in rows}

    async def months(self) -> list[str]:
        names = await self.journal.read(lambda tx, _: tx.documents(AUDIT_PREFIX))
        return [name.removeprefix(AUDIT_PREFIX) for name in names]

    async def look_daily(self, days: int) -> None:
        for _ in range(days):
            self.clock.days(1)
            await self.retention.look()


def play(scene: Callable[[Kitchen], Any]) -> None:
    asyncio.run(scene(Kitchen()))


def test_nothing_is_deleted_unless_the_home_says_so() -> None:
    async def scene(kitchen: Kitchen) -> None:
        session = await kitchen.say()
        await kitchen.look_daily(3)
        kitchen.clock.days(30)
        await kitchen.look_daily(40)
        assert await kitchen.held() == {session}

    play(scene)


def test_a_conversation_goes_when_nobody_continued_it_for_so_long() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=30)
        old, continued, put_away = await kitchen.say("an old secret"), await kitchen.say(), await kitchen.say()
        await kitchen.sessions.change(put_away, archived=True)
        empty = (await kitchen.sessions.new())["session_id"]
        await kitchen.look_daily(29)
        await kitchen.sessions.add_turn(continued, "more", "kitchen")
        young = await kitchen.say()
        assert await kitchen.held() == {old, continued, put_away, young, empty}
        await kitchen.look_daily(2)
        assert await kitchen.held() == {continued, put_away, young, empty}
        assert not any(b"an old secret" in (one.payload or b"") for one in kitchen.store.view(_records))
        (row,) = await kitchen.audit.list(action="session.deleted")
        assert (row["target"], row["actor"]) == (old, "retention")
        assert (await kitchen.audit.verify())["ok"]
        await kitchen.look_daily(1)
        assert len(await kitchen.audit.list(action="session.deleted")) == 1

    play(scene)


def test_many_go_in_several_commits() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=1)
        for _ in range(retention.AT_ONCE + 3):
            await kitchen.say()
        await kitchen.look_daily(2)
        assert await kitchen.held() == set()

    play(scene)


def test_months_of_the_audit_go_and_it_still_verifies() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(months=2)
        for _ in range(5):
            await kitchen.journal.write(kitchen.audit.entry("tested", ""))
            await kitchen.look_daily(30)
        assert await kitchen.months() == ["2027-05", "2027-06", "2027-07"]
        assert [row["target"] for row in await kitchen.audit.list(action="audit.deleted")] == [
            "2027-02",
            "2027-03",
            "2027-04",
        ]
        assert (await kitchen.audit.verify())["ok"]
        kitchen.clock.set_ms = -120 * DAY_MS  # a clock set back into a month that is gone harms no write
        await kitchen.journal.write(kitchen.audit.entry("tested", ""))
        await kitchen.say()

    play(scene)


def test_months_from_clocks_that_were_never_set_are_kept() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=1, months=1)
        kitchen.clock.set_ms = -BEGIN_MS
        await kitchen.journal.write(kitchen.audit.entry("tested", ""))
        kitchen.clock.set_ms = 0
        await kitchen.retention.look()
        await kitchen.look_daily(100)
        assert (await kitchen.months())[0] == "1970-01"

    play(scene)


@pytest.mark.parametrize("set_ms", [-BEGIN_MS, 90 * DAY_MS, 20 * DAY_MS])
def test_a_clock_that_was_set_deletes_nothing_for_a_day(set_ms: int) -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=7)
        session = await kitchen.say()
        await kitchen.look_daily(2)
        kitchen.clock.set_ms = set_ms
        await kitchen.look_daily(1)
        assert await kitchen.held() == {session}
        kitchen.clock.set_ms = 0
        await kitchen.look_daily(1)
        assert await kitchen.held() == {session}
        await kitchen.look_daily(5)
        assert await kitchen.held() == set()

    play(scene)


def test_a_clock_that_stands_far_ahead_at_the_start_has_a_day_to_be_noticed() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=7)
        session = await kitchen.say()
        await kitchen.look_daily(1)
        kitchen.clock.days(60)  # off for so long, or a wrong clock: nobody can tell
        kitchen.start()
        await kitchen.retention.look()
        assert await kitchen.held() == {session}
        assert unpack(kitchen.store.view(lambda tx: tx.get("retention/looked")) or b"") == kitchen.clock.wall_ms()
        await kitchen.look_daily(1)
        assert await kitchen.held() == set()

    play(scene)


def test_a_clock_that_differs_from_a_peers_deletes_nothing() -> None:
    async def scene(kitchen: Kitchen) -> None:
        await kitchen.keep(days=7)
        session = await kitchen.say()
        kitchen.offsets = [None, 2_000, -2 * DAY_MS]
        await kitchen.look_daily(20)
        assert await kitchen.held() == {session}
        kitchen.offsets = [2_000]
        await kitchen.look_daily(1)
        assert await kitchen.held() == set()

    play(scene)


def test_only_whole_numbers_can_be_set_and_others_keep_everything() -> None:
    async def scene(kitchen: Kitchen) -> None:
        for value in ("-1", "1.5", "soon", "", "\u0663", "9" * 16):
            with pytest.raises(InvalidInput, match="whole number"):
                await kitchen.config.set("sessions.keep_days", value)
        kitchen.file["sessions.keep_days"] = "one week"
        session = await kitchen.say()
        await kitchen.look_daily(50)
        assert await kitchen.held() == {session}

    play(scene)


def test_it_looks_after_a_while_and_every_day_and_lives_through_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(kitchen: Kitchen) -> None:
        waited: list[float] = []

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) > 3:
                raise asyncio.CancelledError

        async def look() -> None:
            raise InvalidInput("not today")

        monkeypatch.setattr(retention.asyncio, "sleep", sleep)
        monkeypatch.setattr(kitchen.retention, "look", look)
        with pytest.raises(asyncio.CancelledError):
            await kitchen.retention.run()
        assert waited == [retention.FIRST_S, retention.DAY_S, retention.DAY_S, retention.DAY_S]

    play(scene)


def test_what_was_compared_goes_on_being_right_when_our_clock_is_set() -> None:
    clock = Clock()
    since = SetSince(clock)
    assert since.ms(b"never noted") == 0
    since.note(b"peer")
    clock.days(3)
    assert since.ms(b"peer") == 0
    clock.set_ms = 5_000
    assert since.ms(b"peer") == 5_000


def _records(tx: Any) -> list[Any]:
    return list(tx.records_in_order(0))
