"""Listeners are told the public events, each at its own pace; private words are told to none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jarvis.core.errors import PluginFailed
from jarvis.core.events import EventBus
from jarvis.core.time import SystemClock
from jarvis.node import listeners as module
from jarvis.node.events import Decided, HeardText, TimerRang
from jarvis.node.listeners import Listeners
from jarvis.plugins.kinds import Listener
from jarvis.testing.virtual_time import run_virtual

Told = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Bench:
    """A bus, and what listeners were told."""

    def __init__(self) -> None:
        self.events, self.private = EventBus(), False
        self.heard: list[tuple[str, Mapping[str, Any]]] = []
        self.now: list[Listener] = []
        self.followers: list[Callable[[], None]] = []
        self.listeners = Listeners(
            self.events, SystemClock(), lambda: self.now, self.followers.append, lambda: self.private
        )

    def listen(self, *names: str, told: Told | None = None) -> Listener:
        listener = Listener("ear", frozenset(names), told or self._told)
        self.now = [*self.now, listener]
        self.changed()
        return listener

    def changed(self) -> None:
        for changed in self.followers:
            changed()

    async def _told(self, name: str, fields: Mapping[str, Any]) -> None:
        self.heard.append((name, fields))

    def ring(self, timer_id: str) -> None:
        self.events.publish(TimerRang(at_ms=0, timer_id=timer_id, turn="t1"))

    def say(self, text: str) -> None:
        self.events.publish(HeardText(at_ms=0, session_id="s", room="kitchen", text=text))


def run(story: Callable[[Bench], Awaitable[None]]) -> Bench:
    bench = Bench()

    async def main() -> None:
        running = asyncio.create_task(bench.listeners.run())
        await asyncio.sleep(1)
        await story(bench)
        await asyncio.sleep(1)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)
    return bench


def test_one_is_told_what_it_wants_with_the_fields_that_are_public() -> None:
    async def story(bench: Bench) -> None:
        bench.listen("timer.rang", "utterance.heard")
        bench.ring("tt")
        bench.events.publish(Decided(at_ms=0, source="llm", provider="ollama", intent=None))
        bench.say("hello")

    (rang, fields), (heard, words) = run(story).heard
    assert (rang, heard) == ("timer.rang", "utterance.heard")
    assert fields.keys() == {"timer_id", "at", "turn"} and (fields["timer_id"], fields["turn"]) == ("tt", "t1")
    assert (words["text"], words["room"], words["session_id"]) == ("hello", "kitchen", "s")


def test_words_that_stay_in_their_room_are_not_told() -> None:
    async def story(bench: Bench) -> None:
        bench.listen("timer.rang", "utterance.heard")
        bench.private = True
        bench.say("a secret")
        bench.ring("tt")
        await asyncio.sleep(1)
        bench.private = False
        bench.say("hello")

    assert [name for name, _ in run(story).heard] == ["timer.rang", "utterance.heard"]


def test_a_slow_one_loses_the_oldest_and_hinders_nobody() -> None:
    slow: list[str] = []

    async def slowly(name: str, fields: Mapping[str, Any]) -> None:
        await asyncio.sleep(0.1)
        slow.append(fields["timer_id"])

    async def story(bench: Bench) -> None:
        bench.listen("timer.rang", told=slowly)
        bench.listen("timer.rang")
        for number in range(module.QUEUE_EVENTS + 10):
            bench.ring(str(number))
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert len(bench.heard) == module.QUEUE_EVENTS + 10
        await asyncio.sleep(40)

    run(story)
    assert slow[0] == "0" and slow[-1] == str(module.QUEUE_EVENTS + 9)
    assert len(slow) == module.QUEUE_EVENTS + 1, "the one it was told, and those that may wait"


def test_one_that_fails_is_told_the_next_and_one_that_left_nothing_more() -> None:
    failed: list[str] = []

    async def fails(name: str, fields: Mapping[str, Any]) -> None:
        failed.append(fields["timer_id"])
        raise PluginFailed("It broke.")

    async def story(bench: Bench) -> None:
        bench.listen("timer.rang", told=fails)
        kept = bench.listen("timer.rang")
        bench.ring("1")
        bench.ring("2")
        await asyncio.sleep(1)
        bench.now = [kept]
        bench.changed()
        bench.ring("3")

    bench = run(story)
    assert failed == ["1", "2"]
    assert [fields["timer_id"] for _, fields in bench.heard] == ["1", "2", "3"]
