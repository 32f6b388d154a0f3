"""Devices at their worst, through the real pipeline with real engines: every sound card here is one that is not there.
What can be understood is; for the rest there is an event, an end, and no more memory than before."""

from __future__ import annotations

import asyncio
import re
import resource
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed
from jarvis.core.events import Event, EventBus
from jarvis.core.time import SystemClock
from jarvis.node.hearing.listening import Listening
from jarvis.node.hearing.mute import Mute
from jarvis.node.hearing.sound import Sound
from jarvis.node.records.journal import Journal
from jarvis.testing.sound_card import Card, SoundCards
from jarvis.voice import wav
from jarvis.voice.devices import audio
from jarvis.voice.devices import sink as device_sink
from jarvis.voice.devices.sink import DeviceSink
from jarvis.voice.devices.source import DeviceSource
from jarvis.voice.pipeline import Utterance, VoicePipeline
from jarvis.voice.streams import NullSink, WavSource

pytestmark = [pytest.mark.models, pytest.mark.recordings]

Run = Callable[..., Any]


class Tape:
    """What a microphone hears: a sound at 16 kHz, converted to the card's rate, and silence after it."""

    def __init__(self, sound: Any, rate_hz: int = 16_000) -> None:
        self.samples = wav.to_int16(wav.resample(sound / 32768.0, 16_000, rate_hz))
        self.at, self.on_read = 0, cast(Callable[[float], None], lambda part: None)

    def __call__(self, count: int, rate_hz: int) -> Any:
        piece = self.samples[self.at : self.at + count]
        self.at += count
        self.on_read(self.at / len(self.samples))
        return np.concatenate([piece, np.zeros(count - len(piece), np.int16)])


@pytest.fixture
def command(recording: Callable[[str], Path]) -> Any:
    names, gap = ("hey_jarvis_1.wav", "what_time_is_it.wav"), np.zeros(8_000, np.int16)
    return np.concatenate([gap, *(one for name in names for one in (wav.read(recording(name)), gap[:3_200])), gap])


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SoundCards]:
    def put(*cards: Card) -> SoundCards:
        made = SoundCards(*cards)
        monkeypatch.setitem(sys.modules, "sounddevice", made)
        monkeypatch.setattr(audio, "_open", set())
        return made

    return put


class Listener:
    """Answers whatever one microphone hears, and keeps what that was."""

    def __init__(self, pipeline: VoicePipeline) -> None:
        self.pipeline, self.heard = pipeline, asyncio.Queue[str](100)

    async def answer(self, utterance: Utterance) -> AsyncIterator[str]:
        self.heard.put_nowait(" ".join(re.findall(r"[\w']+", utterance.text.lower())))
        yield "It is ten."

    async def listen(self, source: Any, sink: Any) -> None:
        await self.pipeline.run(source, sink, self.answer)


VARIANTS: dict[str, tuple[int, int, Callable[[Any], Any]]] = {
    "8 kHz": (8_000, 1, lambda sound: sound),
    "44.1 kHz stereo": (44_100, 2, lambda sound: sound),
    "96 kHz stereo": (96_000, 2, lambda sound: sound),
    "clipped": (16_000, 1, lambda sound: np.clip(sound.astype(int) * 8, -32_768, 32_767)),
    "DC offset": (16_000, 1, lambda sound: sound // 2 + 5_000),
}


def test_microphones_of_every_kind_are_understood(
    pipeline: VoicePipeline, command: Any, plug_in: Callable[..., SoundCards], run: Run
) -> None:
    """All at once: one node, several sources, none of them mixed."""
    cards = plug_in(
        *(
            Card(name, channels, 0, rate_hz, (rate_hz,), hears=Tape(change(command), rate_hz))
            for name, (rate_hz, channels, change) in VARIANTS.items()
        )
    )

    async def main() -> dict[str, str]:
        listeners = {name: Listener(pipeline) for name in VARIANTS}
        tasks = [asyncio.create_task(one.listen(DeviceSource(name), NullSink())) for name, one in listeners.items()]
        heard = {name: await one.heard.get() for name, one in listeners.items()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one.heard.empty() for one in listeners.values())
        return heard

    assert run(main()) == dict.fromkeys(VARIANTS, "what time is it")
    assert not cards.streams


def test_silence_and_endless_noise_wake_nobody_and_cost_nothing(
    pipeline: VoicePipeline, heard_events: list[Event], plug_in: Callable[..., SoundCards], run: Run
) -> None:
    """Three minutes of each at fifty times their pace, which is more than anybody can hear: the oldest is lost."""
    random = np.random.default_rng(5)
    loud = (random.standard_normal(16_000) * 3_000).astype(np.int16)
    read = {"silent": 0, "noise": 0}

    def hears(name: str, sound: Any) -> Callable[[int, int], Any]:
        def hear(count: int, rate_hz: int) -> Any:
            read[name] += count
            return np.roll(sound, read[name])[:count]

        return hear

    cards = plug_in(
        *(
            Card(name, 1, 0, 16_000, (16_000,), pace=0.02, hears=hears(name, sound))
            for name, sound in (("silent", np.zeros(16_000, np.int16)), ("noise", loud))
        )
    )

    async def main() -> None:
        listener = Listener(pipeline)
        tasks = [asyncio.create_task(listener.listen(DeviceSource(name), NullSink())) for name in read]
        grown: list[int] = []
        for minutes in (1, 3):
            async with asyncio.timeout(60):
                while min(read.values()) < minutes * 60 * 16_000:  # noqa: ASYNC110 - the cards' threads count
                    await asyncio.sleep(0.05)
            assert not any(task.done() for task in tasks)
            grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert listener.heard.empty() and grown[1] - grown[0] < 4 * 1024  # KiB: two more minutes of both are 7,500

    run(main())
    assert {event.name for event in heard_events} <= {"listening"} and not cards.streams


def test_nothing_at_all_is_no_utterance(pipeline: VoicePipeline, run: Run) -> None:
    async def never(utterance: Utterance) -> AsyncIterator[str]:
        raise AssertionError("nobody said anything")
        yield ""

    for wake in (True, False):
        result = run(pipeline.hear(WavSource(np.zeros(0, np.int16)), NullSink(), never, wake=wake))
        assert result.heard == "" and result.reason in ("no wake word", "no speech")


def test_a_device_that_vanishes_in_mid_word_is_told_and_the_next_word_understood(
    pipeline: VoicePipeline, command: Any, plug_in: Callable[..., SoundCards], run: Run
) -> None:
    tape = Tape(command)
    cards = plug_in(Card("USB mic", 1, 1, 16_000, (16_000,), hears=tape))
    states: list[str] = []

    async def value(key: str) -> str:
        return {"audio.input": "usb", "audio.output": "usb", "audio.volume": "30"}[key]

    async def main() -> None:
        events, listener = EventBus(), Listener(pipeline)
        publish = events.publish
        events.publish = lambda event: (states.append(f"{event.state}: {event.reason}"), publish(event))  # type: ignore
        mute = Mute(cast(Journal, SimpleNamespace()), events, SystemClock())
        sound = Sound("device", value, lambda changed: None)
        listening = Listening(
            sound, mute, events, SystemClock(), listen=listener.listen, ready=lambda sink: None, retry_s=0.2
        )
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()

        def unplug(part: float) -> None:
            if part > 0.55 and not gone.is_set():  # in "what time"
                cards.unplug("USB mic")
                loop.call_soon_threadsafe(gone.set)

        tape.on_read = unplug
        running = asyncio.create_task(listening.run())
        await gone.wait()
        while listening.state()["state"] != "failed":  # noqa: ASYNC110 - it is told when it is so
            await asyncio.sleep(0.01)
        assert "microphone" in listening.state()["detail"]
        await asyncio.sleep(0.5)
        assert listener.heard.empty()  # half a question is not answered
        tape.at, tape.on_read = 0, lambda part: None
        cards.plug("USB mic")
        assert await listener.heard.get() == "what time is it"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(main())
    assert states[0] == "open: " and states[1] == "failed: The microphone went away."
    assert states[-1] == "open: " and not cards.streams


def test_a_loudspeaker_slower_than_real_time_is_told_and_the_text_is_kept(
    pipeline: VoicePipeline,
    heard_events: list[Event],
    plug_in: Callable[..., SoundCards],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = plug_in(Card("slow", 0, 1, pace=8.0))
    monkeypatch.setattr(device_sink, "SLOW_S", 0.0)

    async def main() -> None:
        sink = DeviceSink()
        with pytest.raises(EngineFailed, match="far too slowly"):
            await pipeline.speak("Ten. Eleven. Twelve.", sink)
        await sink.aclose()

    run(main())
    assert [event.stage for event in heard_events if event.name == "problem"] == ["sink"]  # type: ignore[attr-defined]
    assert not cards.streams
