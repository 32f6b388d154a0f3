"""Recordings, Piper's voice and the real workers, started once for all tests of this room."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.models import cache
from jarvis.testing.sound_card import Card, SoundCards
from jarvis.voice import wav
from jarvis.voice.devices import audio
from jarvis.voice.hearing import ears_engine, stt
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import VoicePipeline
from jarvis.voice.speaking import tts
from tests.voice.sound_devices import Install

T = TypeVar("T")
DEFAULT_AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
WHOLE = {"what time is it", "set a timer for 10 minutes", "set a timer for 5 minutes", "turn on the lamp", "stop"}


def absent(reason: str) -> None:
    """Skips on a desk, fails in CI, where nothing may be left untested unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Path]:
    folder = Path(os.environ.get("JARVIS_TEST_AUDIO", DEFAULT_AUDIO))

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            absent(f"The recording {path} is absent (JARVIS_TEST_AUDIO names another folder).")
        return path

    return find


@pytest.fixture(scope="session")
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """One loop for the session, since the workers live on it; a minute for every use."""
    with asyncio.Runner() as runner:

        async def bounded(work: Awaitable[T]) -> T:
            async with asyncio.timeout(60):
                return await work

        yield lambda work: runner.run(bounded(work))


@pytest.fixture(scope="session")
def workers(run: Callable[[Awaitable[Any]], Any]) -> Iterator[tuple[Worker, Worker]]:
    """(hearing, voice), loaded."""
    for name in ("whisper-tiny.en", "piper-en_US-joe-medium"):
        if not cache.installed(name):
            absent(f"The model {name} is not installed; run `jarvis models pull`.")
    pair = Worker("stt", stt.TARGET, {}), Worker("tts", tts.TARGET, {"variation": 0.0})

    async def start() -> None:
        await asyncio.gather(*(worker.start() for worker in pair))

    async def stop() -> None:
        await asyncio.gather(*(worker.close() for worker in pair))

    run(start())
    yield pair
    run(stop())


@pytest.fixture(scope="session")
def ears_worker(run: Callable[[Awaitable[Any]], Any]) -> Iterator[Worker]:
    if not cache.installed("smart-turn-v3"):
        absent("The model smart-turn-v3 is not installed; run `jarvis models pull`.")
    worker = Worker("ears", ears_engine.TARGET, {})
    run(worker.start())
    yield worker
    run(worker.close())


@pytest.fixture(scope="session")
def ears(ears_worker: Worker) -> Ears:
    return Ears(ears_worker)


@pytest.fixture(scope="session")
def say(run: Callable[[Awaitable[Any]], Any], workers: tuple[Worker, Worker]) -> Callable[[str], Any]:
    """Piper's speech at 16 kHz, as int16."""

    def speak(text: str) -> Any:
        answer = run(workers[1].call("synthesize", text, deadline_s=20))
        samples = np.frombuffer(answer["audio"], np.int16) / 32768
        return wav.to_int16(wav.resample(samples.astype(np.float32), answer["rate_hz"], 16_000))

    return speak


@pytest.fixture
def heard_events() -> list[Event]:
    return []


@pytest.fixture
def pipeline(ears: Ears, workers: tuple[Worker, Worker], heard_events: list[Event]) -> VoicePipeline:
    return VoicePipeline(ears, *workers, emit=heard_events.append, clock=SystemClock(), whole_intent=is_whole)


def is_whole(text: str) -> bool:
    return text.lower().strip(" .?!") in WHOLE


def quiet(seconds: float) -> Any:
    return np.zeros(int(seconds * 16_000), np.int16)


@pytest.fixture(scope="session")
def silence() -> Callable[[float], Any]:
    return quiet


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
