"""Run by test_sound_server in a process of its own, since PortAudio reads a process's environment once: the real
sounddevice in a room where the microphone hears the loudspeaker. One JSON line a stage on stdout; a line on stdin says
that the device was removed or restored."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import numpy as np

from jarvis.core.errors import JarvisError
from jarvis.voice.devices import audio
from jarvis.voice.devices import sink as device_sink
from jarvis.voice.devices import source as device_source
from jarvis.voice.devices.played import Played
from jarvis.voice.devices.sink import DeviceSink
from jarvis.voice.devices.source import DeviceSource
from jarvis.voice.hearing.frontend import Canceller

ROOM = "kitchen"
NOISE = (np.convolve(np.random.default_rng(1).standard_normal(22_050 * 20), np.ones(8), "same") * 1_500).astype(
    np.int16
)
TRIES = 8
"""A machine with other things to do crackles; what then was heard proves nothing."""
audio.LATENCY_S = 0.1  # and less so with a longer queue
device_sink.SILENT_DEVICE_S = device_source.SILENT_DEVICE_S = 30.0  # a slow machine's silence is not a device's end
MOST_LAG = 16_000 // 2


class Ear:
    """Reads the microphone for as long as it gives sound."""

    def __init__(self, sink: DeviceSink) -> None:
        self.source = DeviceSource("KITCH", sink)
        self.near: list[Any] = []
        self.far: list[tuple[int, Any]] = []
        self.count, self.problem = 0, ""
        self.began = asyncio.Event()
        self.clean: list[Any] = []
        self._played, self._canceller = Played(), Canceller()
        sink.reference = self._tell

    def _tell(self, samples: Any) -> None:
        self.far.append((self.count, samples))
        self._played(samples)

    async def listen(self) -> None:
        try:
            async for block in self.source.blocks():
                far = self._played.take(len(block))
                self.clean.append(block if far is None else self._canceller.clean(block, far))
                self.near.append(block)
                self.count += len(block)
                self.began.set()
        except JarvisError as error:
            self.problem = str(error)
            self.began.set()


def tell(**stage: Any) -> None:
    print(json.dumps(stage), flush=True)


async def told() -> None:
    await asyncio.to_thread(sys.stdin.readline)


def alignment(ear: Ear, at_s: float) -> tuple[float, float]:
    """Where 250 ms of what was played stand in what was heard: how many ms after they were told, sample for sample
    since the first, and how alike they are, 0 to 1."""
    first, far = ear.far[0][0], np.concatenate([samples for _, samples in ear.far]).astype(float)
    near = np.concatenate(ear.near)[first:].astype(float)
    begin = int(at_s * 16_000)
    piece = far[begin : begin + 4_000]
    early = min(begin, MOST_LAG)
    window = near[begin - early : begin + len(piece) + MOST_LAG]
    match = np.correlate(window, piece, "valid")
    place = int(np.argmax(match))
    power = (piece**2).sum() * (window[place : place + len(piece)] ** 2).sum()
    return (place - early) / 16, float(match[place] / np.sqrt(power)) if power else 0.0


def residue_db(ear: Ear, since: int) -> float:
    """How much quieter our own voice is than it was heard, since that block: its second half."""
    near, clean = (np.concatenate(blocks[since:]).astype(float) for blocks in (ear.near, ear.clean))
    half = len(near) // 2
    return float(20 * np.log10(max(clean[half:].std(), 1.0) / max(near[half:].std(), 1.0)))


async def main() -> None:
    sink = DeviceSink(ROOM)
    ear = Ear(sink)
    listening = asyncio.create_task(ear.listen())
    await ear.began.wait()
    for _ in range(TRIES):
        await sink.aclose()
        ear.far.clear()
        began_s = time.monotonic()
        await sink.play(NOISE[: 22_050 * 3 // 2], 22_050)
        took_s = time.monotonic() - began_s
        await asyncio.sleep(0.4)
        lags = [alignment(ear, at_s) for at_s in (0.0, 0.6, 1.2)]
        if min(alike for _, alike in lags) > 0.9 and np.ptp([lag_ms for lag_ms, _ in lags]) < 1:
            break
    tell(stage="echo", took_s=took_s, played_ms=sink.played_ms, lags=lags)

    for _ in range(TRIES):
        blocks = len(ear.near)
        await sink.play(NOISE[: 22_050 * 3 // 2], 22_050)
        quieter_db = residue_db(ear, blocks)
        if quieter_db < -20:
            break
    tell(stage="cancelled", quieter_db=quieter_db)

    playing = asyncio.create_task(sink.play(NOISE, 22_050))
    await asyncio.sleep(0.5)
    before = ear.count
    sink.stop()
    await playing
    await asyncio.sleep(0.4)
    after = np.concatenate(ear.near)[before:]
    loud = np.flatnonzero(np.abs(after.astype(int)) > 300)
    tell(stage="stop", heard_after_ms=float(loud[-1]) / 16 if len(loud) else 0.0)

    playing = asyncio.create_task(sink.play(NOISE, 22_050))
    await asyncio.sleep(0.5)
    tell(stage="remove")
    await told()
    began_s, problem = time.monotonic(), ""
    try:
        await playing
    except JarvisError as error:
        problem = str(error)
    await listening
    left = len(audio._open)
    absent = ""
    try:
        await anext(DeviceSource(ROOM).blocks())
    except JarvisError as error:
        absent = str(error)
    took_s = time.monotonic() - began_s
    tell(stage="removed", sink=problem, source=ear.problem, absent=absent, open=left, took_s=took_s)

    await told()
    again = Ear(sink)
    listening = asyncio.create_task(again.listen())
    await again.began.wait()
    await sink.play(NOISE[:16_000], 22_050)
    await asyncio.sleep(0.2)
    tell(stage="restored", problem=again.problem, lag=alignment(again, 0.2), played_ms=sink.played_ms)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await sink.aclose()
    tell(stage="over", open=len(audio._open))


asyncio.run(main())
