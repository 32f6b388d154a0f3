"""Sources and sinks that need no device."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from jarvis.core.errors import Overloaded
from jarvis.voice import streams
from jarvis.voice.streams import Blocks, NullSink, WavSink, WavSource


def test_a_file_comes_whole_and_in_small_blocks() -> None:
    async def main() -> None:
        sound = np.arange(5_000, dtype=np.int16)
        blocks = Blocks(WavSource(sound))
        got = []
        while (block := await blocks.next()) is not None:
            got.append(block)
        assert np.array_equal(np.concatenate(got), sound)
        assert blocks.ended and blocks.now_ms == 5_000 / 16

    asyncio.run(main())


class Large:
    realtime = False

    async def blocks(self):  # type: ignore[no-untyped-def]
        yield np.arange(2_000, dtype=np.int16)


def test_large_blocks_are_cut_so_that_no_decision_is_late() -> None:
    async def main() -> None:
        blocks = Blocks(Large())
        sizes = []
        while (block := await blocks.next()) is not None:
            sizes.append(len(block))
        assert sizes == [640, 640, 640, 80]

    asyncio.run(main())


def test_real_time_takes_its_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for _ in WavSource(np.zeros(3_200, np.int16), realtime=True).blocks():
            pass
        return loop.time() - began

    assert 0.2 <= asyncio.run(main()) < 1.0


def test_a_sink_keeps_one_rate_passes_on_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        inner = WavSink()
        sink = WavSink(inner)
        await sink.play(np.ones(2_205, np.int16), 22_050)
        await sink.play(np.ones(1_600, np.int16), 16_000)
        assert sink.rate_hz == 22_050 and abs(len(sink.samples) - 4_410) <= 2
        assert len(inner.samples) == len(sink.samples)
        monkeypatch.setattr(streams, "MAX_SINK_SECONDS", 1)
        with pytest.raises(Overloaded):
            await sink.play(np.ones(22_050, np.int16), 22_050)
        sink.stop()
        await NullSink().play(np.ones(10, np.int16), 16_000)

    asyncio.run(main())
    assert len(WavSink().samples) == 0
