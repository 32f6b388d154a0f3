"""What other rooms' loudspeakers say, heard by a real recogniser through noise: it is dropped, and people are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jarvis.engines.worker import Worker
from jarvis.node.hearing.echo import Echo, Saying, to_value
from jarvis.node.links.topics import Topics
from jarvis.voice.hearing.transcript import Transcript

pytestmark = pytest.mark.models
ROOM = b"r" * 16
REPLIES = [
    "It's six fourteen PM.",
    "Your pasta timer is done.",
    "I set a timer for ten minutes.",
    "You asked me to remember that the key is under the mat.",
    "I can tell the time, set timers and remember things for you.",
    "Dinner is ready, please come down to the kitchen.",
]
REQUESTS = [
    "What time is it?",
    "Set a timer for five minutes.",
    "How long is left on my pasta timer?",
    "Remember that I need to buy milk.",
    "What can you do?",
    "Stop.",
]
SNR_DB = 15.0


class StillClock:
    def mono_ms(self) -> float:
        return 1_000.0

    def wall_ms(self) -> int:
        return 0


def far_away(sound: Any, seed: int) -> Any:
    """Through a door: quieter, and with the room's own noise."""
    power = float(np.sqrt(np.mean(np.square(sound.astype(np.float64)))))
    noise = np.random.default_rng(seed).normal(0, power / 10 ** (SNR_DB / 20), len(sound))
    return np.clip((sound + noise) * 0.3, -32_768, 32_767).astype(np.int16)


def test_replies_of_other_rooms_are_dropped_and_people_are_not(
    workers: tuple[Worker, Worker], say: Callable[[str], Any], run: Callable[[Any], Any]
) -> None:
    def heard(text: str, seed: int) -> str:
        pause = np.zeros(3_200, np.int16)
        sound = far_away(np.concatenate([pause, say(text), pause]), seed)
        return Transcript.of(run(workers[0].call("transcribe", sound.tobytes(), deadline_s=20))).text

    dropped = passed = 0
    for number, (reply, request) in enumerate(zip(REPLIES, REQUESTS, strict=True)):
        echo = Echo(Topics(lambda *_: None, lambda *_: None), StillClock(), lambda: False)
        echo.delivered(ROOM, to_value(Saying(2_000, False, reply)))
        dropped += echo.echo(heard(reply, number))
        passed += not echo.echo(heard(request, number))
    assert (dropped, passed) == (len(REPLIES), len(REQUESTS))
