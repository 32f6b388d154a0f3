"""What the tests of sound devices share: a bound of time, a tone, and what a loudspeaker played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from jarvis.testing.sound_card import Card, SoundCards

Install = Callable[..., SoundCards]


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
