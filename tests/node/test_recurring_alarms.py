"""Alarms that come again: rung, stopped, missed and cancelled, and the same in every room."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from jarvis.assistant.wording.recurring import Recurrence
from jarvis.core.codec import pack, unpack
from jarvis.node.timing.facts import Count, Timer, decode, encode, join
from jarvis.node.timing.timers import MAX_ALARM_MS
from jarvis.testing.virtual_time import run_virtual
from tests.node.test_timers import RING_FOR_S, Kept, LoopClock

DAILY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_S = 86_400
AT_MS = 1_800_000_000_000
WEEKLY = Timer("bins", b"o" * 16, 60_000, Count(0, 0, AT_MS, b"o" * 16), True, again=Recurrence(7, 30, ("tue",)))


class PutRight(LoopClock):
    def forward_ms(self, ms: int) -> None:
        self._began_ms += ms


def test_it_rings_every_day_until_it_is_cancelled() -> None:
    async def main() -> None:
        rings: list[tuple[float, str]] = []
        clock = PutRight()
        timers = Kept().timers(clock, rings)
        first = datetime.fromtimestamp(clock.wall_ms() / 1000) + timedelta(seconds=600)
        first = first.replace(second=0, microsecond=0)
        alarm = await timers.set_alarm(first, "pills", DAILY)
        assert alarm.every == DAILY
        running = asyncio.create_task(timers.run())
        await asyncio.sleep(alarm.seconds + 1)
        assert [one.rings for one in timers.infos()] == [True] and len(rings) == 1
        assert [one.timer_id for one in await timers.stop_ringing()] == [alarm.timer_id]
        (tomorrow,) = timers.infos()
        assert (tomorrow.timer_id, tomorrow.every, tomorrow.rings) == (alarm.timer_id, DAILY, False)
        assert datetime.fromtimestamp(tomorrow.due_ms / 1000) == first + timedelta(days=1)
        assert len(rings) == 1, "stopped is stopped"

        async def until_it_rings() -> None:
            clock.forward_ms(round(timers.infos()[0].remaining_s * 1000) - 2_000)  # a clock that is put right, does so
            await asyncio.sleep(4)
            assert timers.infos()[0].rings

        await until_it_rings()
        before = len(rings)
        await asyncio.sleep(RING_FOR_S + 60)
        assert len(rings) > before and [one.rings for one in timers.infos()] == [False], "nobody said stop"
        assert datetime.fromtimestamp(timers.infos()[0].due_ms / 1000) == first + timedelta(days=2)
        await until_it_rings()
        await timers.add(alarm.timer_id, 300)
        assert not timers.infos()[0].rings and timers.infos()[0].remaining_s <= 300
        await until_it_rings()
        await timers.stop_ringing()
        assert datetime.fromtimestamp(timers.infos()[0].due_ms / 1000) == first + timedelta(days=3), "snoozed only once"
        assert await timers.remove(alarm.timer_id) and timers.infos() == []
        heard = len(rings)
        clock.forward_ms(3 * DAY_S * 1000)
        await asyncio.sleep(10)
        assert len(rings) == heard
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)


def test_a_round_that_is_over_is_not_ended_twice() -> None:
    async def main() -> None:
        clock = LoopClock()
        timers = Kept().timers(clock, [])
        alarm = await timers.set_alarm(datetime.fromtimestamp(clock.wall_ms() / 1000 + 600), "", DAILY)
        rounds = timers._rounds([alarm.timer_id])
        assert await timers._end(rounds) == [alarm.timer_id]
        after = timers.infos()[0].due_ms
        assert await timers._end(rounds) == [] and timers.infos()[0].due_ms == after

    run_virtual(main)


def test_rooms_that_ended_a_round_apart_mean_the_same_alarm() -> None:
    due_ms = WEEKLY.due_ms + 7 * DAY_S * 1000
    following = WEEKLY.next_round(due_ms)
    assert following == WEEKLY.next_round(due_ms) and following.due_ms == due_ms
    snoozed = WEEKLY.with_added(b"12345678", 300_000)
    assert join([snoozed, following]) == join([following, snoozed]) == following, "snoozing a round that is over"
    assert decode(unpack(pack(encode(following)))) == following


def test_what_a_member_made_up_is_no_alarm() -> None:
    good = encode(WEEKLY)
    for again in (
        [24, 0, [1]],
        [7, 60, [1]],
        [7, 0, []],
        [7, 0, [7]],
        [7, 0, [1, 1]],
        [7, 0, [2, 1]],
        [7, 0, ["1"]],
        7,
    ):
        assert decode([*good[:-1], again]) is None
    assert decode([*good, 1]) is None
    assert decode(encode(replace(WEEKLY, alarm=False))) is None, "a timer has no days"
    far = replace(WEEKLY, count=replace(WEEKLY.count, at_ms=2**53))

    async def main() -> None:
        timers = Kept().timers(LoopClock(), [])
        assert far.again is not None
        assert timers._next_round(far, far.again).length_ms <= MAX_ALARM_MS

    run_virtual(main)
