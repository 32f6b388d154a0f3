"""What a voice client cannot do to the node, and what becomes of its sound; with a pipeline that is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from jarvis.core.errors import DeadlineExceeded, InvalidInput, JarvisError, Overloaded
from jarvis.core.events import Event
from jarvis.node.hearing.voice_client import FEED_S, IDLE_S, MAX_MESSAGES, WAITING_S, Hello, Message, VoiceClient
from jarvis.node.talk.dialogue import Dialogue
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.streams import Sink, Source

np = pytest.importorskip("numpy")
Script = Callable[[Source, Sink, Callable[[Event], None]], Awaitable[None]]


class Clock:
    def wall_ms(self) -> int:
        return 0

    def mono_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000


def client(script: Script, **hello: Any) -> VoiceClient:
    def pipeline(emit: Callable[[Event], None]) -> Any:
        class Pipeline:
            async def run(self, source: Source, sink: Sink, answer: Any, **more: Any) -> None:
                await script(source, sink, emit)

        return Pipeline()

    return VoiceClient(Hello(**{"rate_hz": 16_000, **hello}), pipeline, cast(Dialogue, None), Clock())


async def never(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
    await asyncio.get_running_loop().create_future()


async def told(one: VoiceClient) -> list[Message]:
    return [message async for message in one.messages()]


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_sound_of_any_rate_becomes_16_khz_in_small_pieces(rate_hz: int) -> None:
    heard: list[Any] = []

    async def listen(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
        async for block in source.blocks():
            heard.append(block)

    async def main() -> None:
        one = client(listen, rate_hz=rate_hz)
        running = asyncio.create_task(one.run())
        tone = (np.sin(np.arange(2 * rate_hz) * 2 * np.pi * 440 / rate_hz) * 10_000).astype(np.int16)
        for start in range(0, len(tone), rate_hz // 7):
            await one.feed(tone[start : start + rate_hz // 7].tobytes())
        await one.end()
        await running
        assert await told(one) == []

    run_virtual(main)
    sound = np.concatenate(heard)
    assert sound.dtype == np.int16 and abs(len(sound) - 32_000) < 50
    middle = sound[8_000:24_000].astype(float)
    assert abs(np.sqrt((middle**2).mean()) - 10_000 / np.sqrt(2)) < 100
    crossings = int(((middle[:-1] < 0) & (middle[1:] >= 0)).sum())
    assert abs(crossings - 440) <= 2


def refused(main: Callable[[], Awaitable[None]], kind: type[JarvisError]) -> None:
    with pytest.raises(kind) as error:
        run_virtual(main)
    assert str(error.value).endswith(".") and error.value.fix


def test_more_sound_than_can_be_heard_is_refused() -> None:
    fed: list[int] = []

    async def main() -> None:
        one = client(never)
        running = asyncio.create_task(one.run())
        began = asyncio.get_running_loop().time()
        try:
            for _ in range(100):
                await one.feed(bytes(32_000))
                fed.append(1)
        finally:
            assert asyncio.get_running_loop().time() - began >= FEED_S - 0.1
            running.cancel()

    refused(main, Overloaded)
    assert len(fed) == WAITING_S


def test_half_a_sample_is_refused() -> None:
    refused(lambda: client(never).feed(b"\0"), InvalidInput)


def test_who_sends_nothing_is_let_go() -> None:
    async def listen(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
        async for _ in source.blocks():
            pass

    async def main() -> None:
        began = asyncio.get_running_loop().time()
        try:
            await client(listen).run()
        finally:
            assert IDLE_S <= asyncio.get_running_loop().time() - began < IDLE_S + 1

    refused(main, DeadlineExceeded)


def test_who_reads_nothing_is_let_go_and_nothing_piles_up() -> None:
    emitted: list[int] = []

    async def talk(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
        for _ in range(10 * MAX_MESSAGES):
            emit(Event(at_ms=0.0, turn="a"))
            emitted.append(1)
            await asyncio.sleep(0.01)

    one: list[VoiceClient] = []

    async def main() -> None:
        one.append(client(talk))
        await one[0].run()

    refused(main, Overloaded)
    assert len(emitted) <= MAX_MESSAGES + 3 and one[0]._out.qsize() == MAX_MESSAGES


def test_a_reply_that_is_not_taken_is_given_up() -> None:
    async def play(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
        await sink.play(np.zeros(16_000 * 60, np.int16), 16_000)

    refused(lambda: client(play, realtime=False).run(), Overloaded)


def test_a_reply_is_sent_a_little_ahead_of_when_it_is_heard() -> None:
    sent: list[tuple[float, int]] = []
    stops: list[bool] = []

    async def play(source: Source, sink: Sink, emit: Callable[[Event], None]) -> None:
        playing = asyncio.create_task(sink.play(np.zeros(16_000 * 3, np.int16), 16_000))
        await asyncio.sleep(2)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        sink.stop()
        sink.stop()
        assert abs(sink.played_ms - 2_000) < 20

    async def main() -> None:
        one = client(play)
        running = asyncio.create_task(one.run())
        began = asyncio.get_running_loop().time()
        async for message in one.messages():
            if isinstance(message, bytes):
                sent.append((asyncio.get_running_loop().time() - began, len(message) // 2))
            last = message
            stops.append(message == {"event": "stop"})
        assert last == {"event": "stop"} and sum(stops) == 1
        await running

    run_virtual(main)
    sent_ms = 0.0
    for at_s, samples in sent:
        assert sent_ms - 401 <= at_s * 1000 <= sent_ms
        sent_ms += samples / 16
    assert 2_000 <= sent_ms <= 2_500


def test_a_rate_that_nobody_records_at_is_refused() -> None:
    for rate_hz in (0, 7_999, 96_001):
        with pytest.raises(InvalidInput):
            Hello(rate_hz)
