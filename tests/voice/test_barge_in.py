"""Talking over a reply, in a simulated room: our own voice is in the microphone, and theirs too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.testing.acoustics import Acoustics, Room, at_ratio
from jarvis.voice import events
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import Utterance, VoicePipeline
from tests.voice.conftest import is_whole

pytestmark = pytest.mark.models

Run = Callable[..., Any]
Say = Callable[[str], Any]
LONG = "The sea covers most of the planet, and it is deeper than the highest mountain is tall. Few have seen its floor."


class Story:
    """A voice that has `sound` ready for the first sentence, whatever that is, and a moment's silence for others."""

    def __init__(self, sound: Any) -> None:
        self._sounds = [sound.tobytes()]

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        audio = self._sounds.pop() if self._sounds else bytes(640)
        return {"audio": audio, "rate_hz": 16_000, "synthesis_ms": 1.0}


class Scene:
    """One room in which something is asked, answered with LONG, and talked over."""

    def __init__(self, ears: Ears, stt: Any, say: Say, reply: str = LONG) -> None:
        self.events: list[Event] = []
        self.heard: list[str] = []
        self.spoken = say(reply)
        self.reply = reply
        self.room = Room(Acoustics(seed=3), lasts_ms=18_000)
        self.room.person(at_ratio(say("Hey Jarvis. What time is it?"), self.spoken, 0), at_ms=300)
        self.pipeline = VoicePipeline(
            ears, stt, Story(self.spoken), emit=self.events.append, clock=SystemClock(), whole_intent=is_whole
        )

    async def answer(self, utterance: Utterance) -> AsyncIterator[str]:
        self.heard.append(utterance.text.lower().strip(" .!?"))
        if len(self.heard) == 1:
            yield self.reply

    async def play(self) -> None:
        await self.pipeline.run(self.room, self.room.sink, self.answer)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def scene(ears: Ears, workers: tuple[Worker, Worker], say: Say) -> Callable[..., Scene]:
    return lambda **options: Scene(ears, workers[0], say, **options)


def test_stop_needs_no_wake_word_while_we_speak(scene: Callable[..., Scene], say: Say, run: Run) -> None:
    stage = scene()
    stop = at_ratio(np.concatenate([say("Stop."), np.zeros(16_000)]), stage.spoken, 3)
    stage.room.person(stop, at_ms=1_500, after_playing=True)
    run(stage.play())
    assert stage.heard == ["what time is it", "stop"]
    began_ms = stage.room.began_ms
    assert began_ms is not None
    (ducked_ms, db), (_, back) = stage.room.sink.ducks
    assert db == 15 and back == 0 and 1_500 < ducked_ms - began_ms < 2_000
    assert stage.of(events.Spoken)[0].interrupted and stage.of(events.Interrupted)[0].by == "words"
    assert [one.db for one in stage.of(events.Ducked)] == [15, 0]


def test_talk_that_is_not_for_us_costs_only_the_volume_for_a_while(
    scene: Callable[..., Scene], say: Say, run: Run
) -> None:
    stage = scene()
    talk = at_ratio(say("The weather is nice today."), stage.spoken, 3)
    stage.room.person(talk, at_ms=1_500, after_playing=True)
    run(stage.play())
    assert stage.heard == ["what time is it"]
    assert [db for _, db in stage.room.sink.ducks] == [15, 0] and not stage.room.sink.stops
    assert [one.interrupted for one in stage.of(events.Spoken)] == [False]
    assert all("weather" not in one.text.lower() for one in stage.of(events.Partial)), "it was nobody's business"


def test_the_wake_word_is_heard_through_our_own_voice(scene: Callable[..., Scene], say: Say, run: Run) -> None:
    stage = scene()
    again = np.concatenate([say("Hey Jarvis."), np.zeros(6_000), say("Turn on the lamp.")])
    stage.room.person(at_ratio(again, stage.spoken, 3), at_ms=1_000, after_playing=True)
    run(stage.play())
    assert stage.heard == ["what time is it", "turn on the lamp"]
    assert stage.of(events.Spoken)[0].interrupted and stage.room.sink.stops


def test_our_own_voice_neither_wakes_nor_ducks_us(scene: Callable[..., Scene], run: Run) -> None:
    stage = scene(reply="Hey Jarvis. What time is it? That is what you say. Stop. And so on, and on.")
    run(stage.play())
    assert stage.heard == ["what time is it"]
    assert not stage.room.sink.ducks and not stage.room.sink.stops
    assert len(stage.of(events.WakeHeard)) == 1


def test_without_one_clock_only_the_wake_word_counts_while_we_speak(
    scene: Callable[..., Scene], say: Say, run: Run
) -> None:
    stage = scene()
    stop = at_ratio(np.concatenate([say("Stop."), np.zeros(16_000)]), stage.spoken, 3)
    stage.room.person(stop, at_ms=1_500, after_playing=True)
    stage.room.sink.one_clock = False
    run(stage.play())
    assert stage.heard == ["what time is it"] and not stage.room.sink.ducks
