"""A subscriber that falls behind loses the oldest events, counted, and slows nobody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import pytest

from jarvis.core.events import QUEUE_EVENTS, Event, EventBus


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Event):
    name: ClassVar[str] = "test.counted"
    number: int


def test_everybody_hears_everything_in_order():
    async def body():
        bus = EventBus()
        with bus.subscribe() as one, bus.subscribe() as two:
            for number in range(3):
                bus.publish(Counted(at_ms=1.0, number=number))
            for subscription in (one, two):
                assert [(await subscription.get()).number for _ in range(3)] == [0, 1, 2]

    asyncio.run(body())


def test_a_sleeper_loses_the_oldest_and_holds_a_bounded_number():
    async def body():
        bus = EventBus()
        with bus.subscribe() as asleep, bus.subscribe() as awake:
            for number in range(QUEUE_EVENTS + 10):
                bus.publish(Counted(at_ms=1.0, number=number))
                assert (await awake.get()).number == number
            assert (asleep.lost, awake.lost) == (10, 0)
            assert (await asleep.get()).number == 10
            held = 1
            while not asleep._queue.empty():
                await asleep.get()
                held += 1
            assert held == QUEUE_EVENTS

    asyncio.run(body())


def test_iteration_waits_for_the_next_and_ends_with_its_subscriber():
    async def body():
        bus = EventBus()
        with bus.subscribe() as subscription:

            async def first_two():
                found = []
                async for event in subscription:
                    found.append(event.number)
                    if len(found) == 2:
                        return found
                return found

            task = asyncio.create_task(first_two())
            bus.publish(Counted(at_ms=1.0, number=1))
            await asyncio.sleep(0)
            bus.publish(Counted(at_ms=1.0, number=2))
            assert await asyncio.wait_for(task, 5) == [1, 2]
        bus.publish(Counted(at_ms=1.0, number=3))
        assert subscription._queue.empty()
        assert not bus._subscriptions

    asyncio.run(body())


def test_an_event_is_frozen_and_becomes_json():
    event = Counted(at_ms=2.5, turn="t", number=7)
    assert json.loads(json.dumps(event.as_dict())) == {
        "event": "test.counted",
        "at_ms": 2.5,
        "turn": "t",
        "number": 7,
    }
    with pytest.raises(FrozenInstanceError):
        event.number = 8
