"""Sound devices and microphones, with a sound card that is not there: names, rates, unplugging, lagging, clocks."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import tracemalloc
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed, Missing, Unreachable
from jarvis.testing.sound_card import Card
from jarvis.voice.devices import audio
from jarvis.voice.devices import source as device_source
from jarvis.voice.devices.sink import DeviceSink
from jarvis.voice.devices.source import DeviceSource, Inbox
from tests.voice.sound_devices import Install, run, sine


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
