"""doctor --mic: listen for a few seconds, show what comes, and say whether it will do. It opens the devices by itself,
also those of a node that is muted: whoever runs it wants to be heard now. It keeps no sound."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

METER_DB = 60
"""The live meter shows the uppermost 60 dB."""
METER_COLUMNS = 48
QUIET_S = 1.3
"""Besides the tone the microphone is heard for so long: the slowest sound system has opened its loudspeaker by then."""


def test(name: str, seconds: float, *, loopback: bool) -> dict[str, Any]:
    """{ok, device, detail, fix, levels, loopback}. Raises Unreachable, Missing, EngineFailed."""
    return asyncio.run(_test(name, seconds, loopback=loopback))


async def _test(name: str, seconds: float, *, loopback: bool) -> dict[str, Any]:
    from jarvis.voice.devices import audio
    from jarvis.voice.devices.levels import Meter, judge

    device, meter = audio.find_device("input", name), Meter()
    show = _live() if sys.stderr.isatty() else lambda level_db, left_s: None

    def feed(block: Any, left_s: float) -> None:
        meter.feed(block)
        show(meter.now_db, left_s)

    await _hear(name, seconds, feed)
    verdict = judge(meter.levels())
    result: dict[str, Any] = {
        "ok": verdict.ok,
        "device": device.name,
        "detail": verdict.sentence,
        "fix": verdict.fix,
        "levels": asdict(meter.levels()),
        "loopback": None,
    }
    if loopback:
        found = await _loop_back(name)
        result["loopback"] = asdict(found)
        if not found.heard:
            result["ok"] = False
            result["detail"] += " It does not hear the loudspeaker."
            result["fix"] = result["fix"] or "Raise the volume, or choose another loudspeaker with --device."
    return result


async def _loop_back(name: str) -> Any:
    """Play the tone and look for it in what is heard meanwhile."""
    import numpy as np

    from jarvis.voice.devices.levels import TONE_S, find_tone, tone
    from jarvis.voice.devices.sink import DeviceSink
    from jarvis.voice.streams import RATE_HZ

    sink, heard = DeviceSink(name), []
    playing: asyncio.Task[None] | None = None

    def keep(block: Any, left_s: float) -> None:
        nonlocal playing
        heard.append(block)
        if playing is None:  # the microphone runs: from here on it is heard
            playing = asyncio.ensure_future(sink.play(tone(), RATE_HZ))

    await _hear(name, TONE_S + QUIET_S, keep)
    if playing is not None:
        await playing
    await sink.aclose()
    return find_tone(np.concatenate(heard)) if heard else find_tone(np.zeros(0, np.int16))


async def _hear(name: str, seconds: float, feed: Callable[[Any, float], None]) -> None:
    from jarvis.voice.devices.source import DeviceSource
    from jarvis.voice.streams import RATE_HZ

    heard_s = 0.0
    async with contextlib.aclosing(DeviceSource(name).blocks()) as blocks:  # type: ignore[type-var]
        async for block in blocks:
            heard_s += len(block) / RATE_HZ
            feed(block, max(seconds - heard_s, 0.0))
            if heard_s >= seconds:
                return


def _live() -> Callable[[float, float], None]:
    """A bar on the terminal, with its highest point of the last second."""
    held = [-float(METER_DB), 0.0]

    def show(level_db: float, left_s: float) -> None:
        held[0] = max(level_db, held[0] - 0.5)
        bar, mark = (max(int((one + METER_DB) * METER_COLUMNS / METER_DB), 0) for one in (level_db, held[0]))
        drawn = ("#" * bar).ljust(METER_COLUMNS)
        drawn = drawn[:mark] + "|" + drawn[mark + 1 :]
        end = "" if left_s else "\n"
        sys.stderr.write(f"\r  [{drawn[:METER_COLUMNS]}] {level_db:6.1f} dB  {left_s:4.1f} s {end}")
        sys.stderr.flush()

    return show
