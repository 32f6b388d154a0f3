"""The sound device, with PortAudio replaced: no library, no device, late loops, silence, stopping."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed, Missing
from jarvis.voice import audio
from jarvis.voice.audio import DeviceSink, DeviceSource


class FakePortAudio(types.ModuleType):
    """Enough of sounddevice; `rates` are those the devices take."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rates: tuple[int, ...] = (16_000, 22_050), devices: bool = True) -> None:
        super().__init__("sounddevice")
        self.rates, self.devices = rates, devices
        self.callback: Callable[..., None] = lambda *_: None
        self.written: list[tuple[int, int]] = []
        self.open_streams = 0
        self.on_write: Callable[[], None] = lambda: None
        outer = self

        class Stream:
            def __init__(self, *, samplerate: int, callback: Any = None, **_: Any) -> None:
                self.rate = samplerate
                outer.callback = callback

            def __enter__(self) -> Stream:
                outer.open_streams += 1
                return self

            def __exit__(self, *_: object) -> None:
                outer.open_streams -= 1

            def write(self, data: bytes) -> None:
                outer.written.append((self.rate, len(data) // 2))
                outer.on_write()

            def abort(self) -> None:
                pass

        self.RawInputStream = self.RawOutputStream = Stream

    def query_devices(self, name: str | None, kind: str) -> dict[str, Any]:
        if not self.devices or name == "absent":
            raise ValueError("no such device")
        return {"index": 0, "default_samplerate": 48_000.0}

    def check_input_settings(self, _: int, *, samplerate: int, **__: Any) -> None:
        if samplerate not in self.rates:
            raise self.PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakePortAudio], FakePortAudio]]:
    def put(fake: FakePortAudio) -> FakePortAudio:
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        return fake

    yield put


Install = Callable[[FakePortAudio], FakePortAudio]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    install(FakePortAudio(devices=False))
    with pytest.raises(Missing, match="no microphone on this machine"):
        DeviceSource()
    install(FakePortAudio())
    with pytest.raises(Missing, match="no loudspeaker called 'absent'"):
        DeviceSink("absent")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(Missing, match="sounddevice is not installed"):
        DeviceSource()

    class NoLibrary:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    with pytest.raises(Missing, match="libportaudio2") as caught:
        DeviceSource()
    assert "apt install libportaudio2" in caught.value.fix


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_blocks_arrive_at_16_khz_and_the_stream_is_closed(install: Install, rate_hz: int) -> None:
    fake = install(FakePortAudio(rates=(rate_hz,)))

    async def main() -> None:
        source = DeviceSource()
        async with aclosing(source.blocks()) as blocks:
            first = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0)
            sound = (np.sin(np.arange(rate_hz) / 10) * 9_000).astype(np.int16)
            step = rate_hz // 50
            feeder = threading.Thread(
                target=lambda: [
                    fake.callback(sound[at : at + step].tobytes(), step, None, None) for at in range(0, rate_hz, step)
                ]
            )
            feeder.start()
            samples = len(await first)
            while samples < 15_000:
                samples += len(await asyncio.wait_for(anext(blocks), 5))
            feeder.join()
            assert fake.open_streams == 1
        assert fake.open_streams == 0

    asyncio.run(main())


def test_a_late_loop_loses_the_oldest_sound_and_no_memory(install: Install) -> None:
    fake = install(FakePortAudio())

    async def main() -> None:
        source = DeviceSource()
        async with aclosing(source.blocks()) as blocks:
            first = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0)
            for number in range(audio.QUEUE_BLOCKS + 100):
                fake.callback(np.full(320, number, np.int16).tobytes(), 320, None, None)
            assert (await first)[0] == 100

    asyncio.run(main())


def test_a_microphone_that_falls_silent_is_an_error(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(FakePortAudio())
    monkeypatch.setattr(audio, "SILENT_DEVICE_S", 0.05)

    async def main() -> None:
        with pytest.raises(EngineFailed, match="stopped giving sound"):
            await anext(DeviceSource().blocks())

    asyncio.run(main())


def test_playing_resamples_and_stops_within_a_piece(install: Install) -> None:
    fake = install(FakePortAudio(rates=(48_000,)))

    async def main() -> None:
        sink = DeviceSink()
        await sink.play(np.zeros(2_205, np.int16), 22_050)
        assert {rate for rate, _ in fake.written} == {48_000}
        assert abs(sum(count for _, count in fake.written) - 4_800) <= 2
        fake.written.clear()
        playing = threading.Event()
        go_on = threading.Event()

        def on_write() -> None:
            playing.set()
            go_on.wait(5)

        fake.on_write = on_write
        task = asyncio.create_task(sink.play(np.zeros(480_000, np.int16), 48_000))
        await asyncio.to_thread(playing.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        sink.stop()
        go_on.set()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() and len(fake.written) <= 2

    asyncio.run(main())
