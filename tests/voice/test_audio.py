"""The sound device, with a sound card that is not there: names, rates, gains, stopping, unplugging, lagging."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed, Missing, Overloaded, Unreachable
from jarvis.testing.sound_card import Card, SoundCards
from jarvis.voice.devices import audio
from jarvis.voice.devices import sink as device_sink
from jarvis.voice.devices import source as device_source
from jarvis.voice.devices.gain import RAMP_MS, Gain, volume
from jarvis.voice.devices.sink import DeviceSink
from jarvis.voice.devices.source import DeviceSource, Inbox

Install = Callable[..., SoundCards]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    made: list[SoundCards] = []

    def put(*cards: Card) -> SoundCards:
        made.append(SoundCards(*cards))
        monkeypatch.setitem(sys.modules, "sounddevice", made[-1])
        return made[-1]

    monkeypatch.setattr(audio, "_open", set())
    yield put
    for one in made:
        for stream in list(one.streams):
            stream.close()


def run(work: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(bounded())


def sine(seconds: float, rate_hz: int, hz: float = 440.0) -> Any:
    return (np.sin(np.arange(int(seconds * rate_hz)) * 2 * np.pi * hz / rate_hz) * 20_000).astype(np.int16)


def played(card: Card) -> Any:
    sound = np.concatenate(card.played) if card.played else np.zeros(0, np.int16)
    loud = np.flatnonzero(sound)
    return sound[loud[0] : loud[-1] + 1] if len(loud) else loud


# --- which device -------------------------------------------------------------------------------------------------


def test_a_device_is_found_by_any_words_of_its_name(install: Install) -> None:
    install(Card("HDA Intel: ALC (hw:0,0)"), Card("Jabra Speak 410: USB Audio (hw:1,0)"), Card("default"))
    assert audio.find_device("input").name.startswith("HDA")
    assert audio.find_device("input", "jabra").index == 1
    assert audio.find_device("output", "usb speak").index == 1
    assert audio.find_device("output", "DEFAULT").index == 2
    with pytest.raises(
        Unreachable, match=r"no microphone called 'rode'; there are: HDA .*, Jabra .*, default\."
    ) as caught:
        audio.find_device("input", "rode")
    assert "audio.input" in caught.value.fix
    with pytest.raises(Unreachable, match=r"any loudspeaker of these: HDA .*, Jabra .*") as caught:
        audio.find_device("output", "hw:")
    assert "more of the name" in caught.value.fix


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    install()
    with pytest.raises(Unreachable, match="no microphone on this machine"):
        audio.find_device("input")
    install(Card("only plays", inputs=0))
    with pytest.raises(Unreachable, match="no microphone on this machine"):
        run(anext(DeviceSource().blocks()))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(Missing, match="sounddevice is not installed"):
        audio.find_device("input")

    class NoLibrary:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    with pytest.raises(Missing, match="libportaudio2") as caught:
        audio.find_device("input")
    assert "apt install libportaudio2" in caught.value.fix


def test_two_sound_cards_have_two_clocks(install: Install) -> None:
    install(Card("Mic (hw:0,0)"), Card("Speaker (hw:1,0)"), Card("Both (hw:0,3)"), Card("pipewire"))
    mic, speaker, both, server = (audio.find_device("input", one) for one in ("mic", "speaker", "both", "pipewire"))
    assert not audio.one_clock(mic, speaker)
    assert audio.one_clock(mic, both) and audio.one_clock(server, server) and audio.one_clock(mic, server)


# --- hearing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (8_000, 1), (44_100, 2), (96_000, 2)])
def test_any_microphone_is_heard_at_16_khz_mono(install: Install, rate_hz: int, channels: int) -> None:
    at = [0]

    def tone(count: int, rate: int) -> Any:
        at[0] += count
        return (np.sin(np.arange(at[0] - count, at[0]) * 2 * np.pi * 440 / rate) * 20_000).astype(np.int16)

    cards = install(Card("mic", channels, 0, rate_hz, (rate_hz,), hears=tone))

    async def main() -> Any:
        pieces, count = [], 0
        async with aclosing(DeviceSource().blocks()) as blocks:
            while count < 8_000:
                pieces.append(await anext(blocks))
                count += len(pieces[-1])
            assert len(cards.streams) == 1
        assert not cards.streams and not audio._open
        return np.concatenate(pieces)

    heard = run(main())
    spectrum = np.abs(np.fft.rfft(heard[-4_000:] * np.hanning(4_000)))
    assert abs(np.argmax(spectrum) * 4 - 440) <= 4 and np.abs(heard[-4_000:]).max() == pytest.approx(20_000, rel=0.02)


def test_a_late_loop_loses_the_oldest_sound_and_no_memory() -> None:
    async def main() -> None:
        inbox = Inbox(asyncio.get_running_loop())
        for number in range(device_source.QUEUE_PIECES + 100):
            inbox.heard(np.full(320, number, np.int16), number < 3)
        await inbox.wait()
        first, *rest = inbox.take()
        assert first[1][0] == 100 and len(rest) == device_source.QUEUE_PIECES - 1
        assert inbox.dropped == 100 and inbox.xruns == 3
        # Minutes of sound while the loop stands still cost no more, and no call for each block.
        tracemalloc.start()
        for _ in range(20_000):
            inbox.heard(np.zeros(320, np.int16), False)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()

    run(main())


def test_lost_sound_is_counted(install: Install) -> None:
    install(Card("mic", lost=2))

    async def main() -> None:
        source = DeviceSource()
        async with aclosing(source.blocks()) as blocks:
            for _ in range(4):
                await anext(blocks)
        assert source.xruns == 2

    run(main())


def test_a_microphone_that_falls_silent_is_an_error(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = install(Card("mic", deaf=True))
    monkeypatch.setattr(device_source, "SILENT_DEVICE_S", 0.05)
    with pytest.raises(EngineFailed, match="stopped giving sound"):
        run(anext(DeviceSource().blocks()))
    assert not cards.streams


def test_a_microphone_is_found_again_after_it_was_unplugged(install: Install) -> None:
    cards = install(Card("usb mic"))

    async def main() -> None:
        async with aclosing(DeviceSource("usb").blocks()) as blocks:
            await anext(blocks)
            cards.unplug("usb mic")
            with pytest.raises(EngineFailed, match="went away"):
                while True:
                    await anext(blocks)
        with pytest.raises(Unreachable, match="no microphone on this machine"):
            await anext(DeviceSource("usb").blocks())
        cards.plug("usb mic")
        async with aclosing(DeviceSource("usb").blocks()) as blocks:
            assert len(await anext(blocks)) == 640

    run(main())


# --- playing ------------------------------------------------------------------------------------------------------


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


def test_what_is_played_is_told_in_step_with_what_is_heard(install: Install) -> None:
    card = Card("speakerphone (hw:1,0)", 1, 1, 16_000, (16_000,))
    cards = install(card, Card("other (hw:2,0)"))
    told: list[tuple[int, int, int]] = []
    heard = [0]

    async def main() -> None:
        sink = DeviceSink("speakerphone", volume=50)
        sink.reference = lambda samples: told.append((heard[0], int(np.abs(samples).max()), len(samples)))
        async with aclosing(DeviceSource("speakerphone", sink).blocks()) as blocks:
            await anext(blocks)
            playing = asyncio.create_task(sink.play(sine(0.5, 16_000), 16_000))
            async for block in blocks:
                heard[0] += len(block)
                if playing.done():
                    break
                if heard[0] == 5_120:
                    time.sleep(0.2)  # noqa: ASYNC251 - a busy loop must not shift one against the other
        await sink.aclose()

    run(main())
    assert max(level for _, level, _ in told) == pytest.approx(2_500, abs=30)  # as it was heard, with its gain
    assert sum(count for _, _, count in told) == 8_000  # all of it, once
    counts = np.array([(at, sum(count for _, _, count in told[: number + 1])) for number, (at, *_) in enumerate(told)])
    ahead = counts[:, 1] - (counts[:, 0] - counts[0, 0])
    assert ahead.min() > 0 and np.ptp(ahead[:-1]) <= 1_600  # the busy loop would have been 3,200
    told.clear()

    async def two_cards() -> None:
        sink = DeviceSink("speakerphone")
        sink.reference = lambda samples: told.append((0, 0, 0))
        async with aclosing(DeviceSource("other", sink).blocks()) as blocks:
            await anext(blocks)
            await sink.play(sine(0.2, 16_000), 16_000)
            await anext(blocks)
            await sink.aclose()

    run(two_cards())
    assert not told and not cards.streams  # cancelling an echo by another clock would fail slowly


def test_an_echo_keeps_its_lag_whenever_in_a_block_a_sentence_begins() -> None:
    async def main() -> None:
        inbox = Inbox(asyncio.get_running_loop())
        sound = np.arange(1, 16_001, dtype=np.int16)
        taken: list[Any] = []

        def take() -> int:
            """As much as is heard, like whoever cancels; what place it comes to."""
            queue = np.concatenate([np.zeros(0, np.int16), *(one for is_ours, one in inbox.take() if is_ours)])
            taken.append(queue)
            return len(queue)

        def hear(count: int) -> None:
            for _ in range(count):
                inbox.heard(np.zeros(640, np.int16), False)

        hear(10)
        inbox.played(sound[:1_600], 1.0)  # the first of a stream: it begins with the next block
        inbox.played(sound[1_600:3_200], 1.1)
        assert take() == 3_200
        hear(9)  # 0.36 s later, 25 ms into a block
        inbox.played(sound[:1_600], 1.385)
        assert take() == 1_600 + 400 and not taken[-1][:400].any()
        hear(9)  # and so late that the block it belongs to was heard already
        inbox.played(sound[:1_600], 1.69)
        assert take() == 1_600 - 480 and taken[-1][0] == 481
        hear(100)  # sound was lost: from here on anew
        inbox.played(sound[:1_600], 2.0)
        assert take() == 1_600

    run(main())


# --- what goes wrong ----------------------------------------------------------------------------------------------


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


def test_a_driver_that_hangs_takes_nobody_with_it(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = install(Card("mic"))
    monkeypatch.setattr(audio, "CALL_S", 0.05)
    go_on = threading.Event()
    make = cards.RawInputStream

    def hang(**settings: Any) -> Any:
        go_on.wait(10)
        return make(**settings)

    cards.RawInputStream = hang

    async def main() -> None:
        with pytest.raises(EngineFailed, match="does not answer"):
            await anext(DeviceSource().blocks())
        go_on.set()
        await asyncio.wrap_future(audio._one_at_a_time.submit(lambda: None))

    run(main())
    assert not audio._open and not cards.streams  # what opened late was closed
