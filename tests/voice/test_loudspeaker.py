"""The loudspeaker, with a sound card that is not there: gains, stopping, unplugging, lagging."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed, Overloaded
from jarvis.testing.sound_card import Card
from jarvis.voice.devices import audio
from jarvis.voice.devices import sink as device_sink
from jarvis.voice.devices.gain import RAMP_MS, Gain, volume
from jarvis.voice.devices.sink import DeviceSink
from jarvis.voice.devices.source import DeviceSource
from tests.voice.sound_devices import Install, played, run, sine


def test_playing_converts_and_returns_when_it_was_heard(install: Install) -> None:
    card = Card("speaker", 0, 2, 48_000, (48_000,))
    cards = install(card)

    async def main() -> None:
        sink = DeviceSink()
        for _ in range(2):
            began_s = time.monotonic()
            await sink.play(sine(0.3, 22_050), 22_050)
            assert time.monotonic() - began_s > 0.3
            assert sink.played_ms == pytest.approx(300, abs=1)
        assert len(cards.streams) == 1  # the second sentence found it open
        await sink.aclose()
        assert not cards.streams

    run(main())
    assert len(played(card)) == pytest.approx(2 * 0.3 * 48_000, rel=0.5)
    assert np.abs(played(card)).max() == pytest.approx(20_000, rel=0.05)


def test_a_gain_moves_along_a_ramp() -> None:
    gain, loud = Gain(50), np.full(160, 16_000, np.int16)
    assert volume(50) == 0.125 and volume(0) == 0.0 and volume(100) == 1.0
    assert set(gain.apply(loud, 16_000)) == {2_000}
    gain.volume(100)
    ramp = np.concatenate([gain.apply(loud, 16_000) for _ in range(3)]).astype(int)
    assert ramp[-1] == 16_000 and 0 < np.diff(ramp).max() <= 16_000 / (RAMP_MS * 16) + 1
    gain.duck(15.0)
    ducked = [int(gain.apply(loud, 16_000)[-1]) for _ in range(4)][-1]
    assert ducked == pytest.approx(16_000 * 10 ** (-15 / 20), abs=1)
    gain.fade()
    assert gain.apply(loud, 16_000)[-1] == 0 and gain.silent
    gain.restore()
    assert abs(int(gain.apply(loud, 16_000)[0]) - ducked) <= 1  # the duck holds until it is taken back


def test_volume_and_duck_act_on_what_is_being_played_without_clicks(install: Install) -> None:
    card = Card("speaker", 0, 1, 16_000, (16_000,))
    install(card)
    sink = DeviceSink(volume=50)
    at = {3_200: lambda: sink.duck(15.0), 6_400: lambda: sink.duck(0.0), 9_600: lambda: sink.volume(100)}
    began: list[int] = []

    def change(count: int) -> None:
        if not began and np.any(card.played[-1]):
            began.append(count - len(card.played[-1]))
        if began:
            at.get(count - began[0], lambda: None)()

    card.on_play = change

    async def main() -> None:
        await sink.play(sine(0.9, 16_000, 100.0), 16_000)
        await sink.aclose()

    run(main())
    sound = np.concatenate(card.played)[began[0] :].astype(float)
    peaks = [np.abs(sound[end - 800 : end]).max() for end in (3_200, 6_400, 9_600, 12_800)]
    half = 20_000 / 8
    assert peaks == pytest.approx([half, half * 10 ** (-15 / 20), half, 20_000], rel=0.03)
    # A step in the gain would be steeper than the sound itself with its ramp.
    assert np.abs(np.diff(sound)).max() < 20_000 * (2 * np.pi * 100 / 16_000 + 1 / (RAMP_MS * 16))


def test_a_stop_is_heard_within_50_ms(install: Install) -> None:
    card = Card("speaker", 0, 1, 16_000, (16_000,))
    install(card)
    sink, rate = DeviceSink(), 16_000
    stopped_at: list[int] = []

    def stop(count: int) -> None:
        if count >= 8_000 and not stopped_at:
            stopped_at.append(count)
            sink.stop()

    card.on_play = stop

    async def main() -> None:
        await sink.play(sine(20, rate), rate)
        assert 200 < sink.played_ms < 600
        await asyncio.sleep(0.05)  # silence to be found
        heard = asyncio.Event()
        card.on_play = lambda count: loop.call_soon_threadsafe(heard.set) if count > 12_000 else None
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(sink.play(sine(20, rate), rate))
        await heard.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await sink.aclose()

    run(main())
    sound = np.concatenate(card.played)
    quiet_at = next(at for at in range(stopped_at[0], len(sound)) if not np.any(sound[at : at + 160]))
    assert (quiet_at - stopped_at[0]) / 16 + audio.LATENCY_S * 1000 <= 50  # what fades, and what the device holds
    assert np.abs(np.diff(sound.astype(int))).max() < 20_000 * 2 * np.pi * 440 / rate * 1.5  # it faded


def test_a_stop_drops_what_has_not_begun_yet(install: Install) -> None:
    card = Card("speaker", 0, 1, 48_000, (48_000,))
    install(card)

    async def main() -> None:
        sink = DeviceSink()
        waiting = [asyncio.create_task(sink.play(sine(20, 16_000), 16_000)) for _ in range(2)]
        await asyncio.sleep(0)
        sink.stop()
        await asyncio.gather(*waiting)
        assert sink.played_ms == 0.0
        await sink.play(sine(0.1, 16_000), 16_000)
        assert sink.played_ms > 0
        await sink.aclose()

    run(main())
    assert len(played(card)) <= 4_800


def test_a_loudspeaker_unplugged_in_mid_word_fails_and_is_found_again(install: Install) -> None:
    cards = install(Card("hdmi", 1, 0), Card("usb", 0, 1))

    async def main() -> None:
        sink = DeviceSink("usb")
        async with aclosing(DeviceSource("hdmi", sink).blocks()) as blocks:
            reading = asyncio.create_task(_read(blocks))
            playing = asyncio.create_task(sink.play(sine(10, 16_000), 16_000))
            await asyncio.sleep(0.3)
            cards.unplug("usb")
            with pytest.raises(EngineFailed, match="loudspeaker went away"):
                await playing
            assert 0 < sink.played_ms < 1_000
            cards.plug("usb")
            cards.listed = [cards.cards["hdmi"]]  # as a library that was started without it
            heard = cards.started_anew
            await sink.play(sine(0.1, 16_000), 16_000)
            assert cards.started_anew == heard + 1 and not reading.done()  # the microphone paused and went on
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await sink.aclose()

    run(main())


async def _read(blocks: Any) -> None:
    async for _ in blocks:
        pass


def test_a_loudspeaker_that_takes_nothing_or_lags_is_given_up(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = install(Card("speaker", 0, 1, pace=1.5))

    async def main() -> None:
        sink = DeviceSink()
        await sink.play(sine(0.2, 16_000), 16_000)  # slower than real time, but it plays
        monkeypatch.setattr(device_sink, "SLOW_S", 0.0)
        cards.cards["speaker"].pace = 4.0
        with pytest.raises(EngineFailed, match="far too slowly"):
            await sink.play(sine(0.2, 16_000), 16_000)
        cards.cards["speaker"].deaf = True
        monkeypatch.setattr(device_sink, "SILENT_DEVICE_S", 0.05)
        with pytest.raises(EngineFailed, match="stopped taking sound"):
            await sink.play(sine(0.2, 16_000), 16_000)
        assert not cards.streams
        with pytest.raises(Overloaded):
            await sink.play(np.zeros(16_000 * 601, np.int16), 16_000)

    run(main())


def test_a_loudspeaker_that_takes_sound_without_playing_it_gets_a_longer_queue(install: Install) -> None:
    cards = install(Card("speaker", 0, 1, pace=0.01))
    latencies: list[float] = []
    make = cards.RawOutputStream

    def longer_helps(**settings: Any) -> Any:
        latencies.append(settings["latency"])
        cards.cards["speaker"].pace = 1.0 if settings["latency"] > 0.05 else 0.01
        return make(**settings)

    cards.RawOutputStream = longer_helps

    async def main() -> None:
        sink = DeviceSink()
        await sink.play(sine(0.8, 16_000), 16_000)
        assert latencies == [audio.LATENCY_S, device_sink.LONG_LATENCY_S] and sink.played_ms == pytest.approx(
            800, abs=1
        )
        await sink.aclose()

    run(main())


def test_a_loudspeaker_that_crackles_gets_a_longer_queue(install: Install) -> None:
    cards = install(Card("speaker", 0, 1))
    latencies: list[float] = []
    make = cards.RawOutputStream

    def count(**settings: Any) -> Any:
        latencies.append(settings["latency"])
        return make(**settings)

    cards.RawOutputStream = count

    async def main() -> None:
        sink = DeviceSink()
        cards.cards["speaker"].on_play = lambda played: setattr(cards.cards["speaker"], "lost", int(played > 8_000))
        await sink.play(sine(0.3, 16_000), 16_000)
        assert sink.xruns >= device_sink.CRACKLES
        await sink.play(sine(0.1, 16_000), 16_000)
        assert latencies == [audio.LATENCY_S, device_sink.LONG_LATENCY_S]
        await sink.aclose()

    run(main())
