"""A hearing engine that fails while a file is heard: an honest sentence, and what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed, JarvisError, Missing
from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.voice.conversation import DEAF_ONLY
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import HeardResult, Utterance, VoicePipeline
from jarvis.voice.streams import NullSink, WavSource


class Broken:
    def __init__(self, error: JarvisError) -> None:
        self.error = error

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        raise self.error


class Voice:
    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        return {"audio": bytes(2 * 1_600), "rate_hz": 16_000, "synthesis_ms": 1.0}


def hear(ears: Any, told: list[Event], *, wake: bool) -> HeardResult:
    pipeline = VoicePipeline(
        Ears(ears), cast(Any, ears), Voice(), emit=told.append, clock=SystemClock(), whole_intent=lambda _: False
    )

    async def answer(_: Utterance) -> AsyncIterator[str]:
        yield "Nobody was heard, so nobody is answered."

    source = WavSource(np.ones(16_000, np.int16), realtime=False)
    return asyncio.run(pipeline.hear(source, NullSink(), answer, wake=wake))


@pytest.mark.parametrize("wake", [True, False])
def test_it_says_that_it_could_not_listen(wake: bool) -> None:
    told: list[Event] = []
    result = hear(Broken(EngineFailed("The ears engine failed: it ended.")), told, wake=wake)
    assert result.reply == DEAF_ONLY and result.spoken and len(result.samples)
    assert (result.heard, result.problems) == ("", ["The ears engine failed: it ended."])
    assert "problem" in [event.name for event in told]


def test_what_is_not_installed_is_told_to_whoever_asked() -> None:
    with pytest.raises(Missing):
        hear(Broken(Missing("The model is not installed.")), [], wake=True)
