"""Who is spoken to, and when the wake word is not needed: windows, other rooms, several sources, engines that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed
from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.voice import events
from jarvis.voice.arbitration.arbiter import Alone, Bid, WakeClaim
from jarvis.voice.conversation import DEAF_ONLY
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import Utterance, VoicePipeline
from jarvis.voice.streams import NullSink, WavSink
from tests.voice.conftest import is_whole
from tests.voice.scripted import Script

pytestmark = pytest.mark.models

Run = Callable[..., Any]
Say = Callable[[str], Any]


class Told:
    """A bid that goes as the test says."""

    def __init__(self, *, wins: bool, answers: bool) -> None:
        self._wins, self._answers = wins, answers
        self.steps: list[str] = []

    def confirm(self) -> None:
        self.steps.append("confirm")

    def withdraw(self, why: str) -> None:
        self.steps.append(f"withdraw: {why}")

    async def wins(self) -> bool:
        return self._wins

    async def answers(self, text: str) -> bool:
        self.steps.append(f"answers: {text}")
        return self._answers


class Neighbours(Alone):
    """Other rooms, as the test wants them."""

    def __init__(self, *, wins: bool = True, answers: bool = True, deaf: bool = False, said: str = "") -> None:
        self._wins, self._answers, self._deaf, self._said = wins, answers, deaf, said
        self.bids: list[Told] = []
        self.claims: list[WakeClaim] = []

    def bid(self, claim: WakeClaim) -> Bid:
        self.claims.append(claim)
        self.bids.append(Told(wins=self._wins, answers=self._answers))
        return self.bids[-1]

    def deaf(self) -> bool:
        return self._deaf

    def echo(self, text: str) -> bool:
        return text.strip(" .?!").lower() == self._said


class Chimes(NullSink):
    def __init__(self) -> None:
        super().__init__()
        self.played: list[int] = []

    async def play(self, samples: Any, rate_hz: int) -> None:
        self.played.append(len(samples))
        await super().play(samples, rate_hz)


def bell(rate_hz: int) -> Any:
    return np.ones(77, np.int16)


class Talk:
    """A pipeline and what comes of it."""

    def __init__(self, ears: Ears, stt: Any, tts: Any) -> None:
        self.events: list[Event] = []
        self.heard: list[str] = []
        self.sink = Chimes()
        self.replies = iter(())
        self.spoken = asyncio.Event()
        self.pipeline = VoicePipeline(ears, stt, tts, emit=self.emit, clock=SystemClock(), whole_intent=is_whole)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, events.Spoken):
            asyncio.get_running_loop().call_later(0.1, self.spoken.set)

    async def answer(self, utterance: Utterance) -> AsyncIterator[str]:
        self.heard.append(utterance.text.lower().strip(" .!?"))
        yield next(self.replies, "Yes.")

    async def run(self, *steps: tuple[Any, asyncio.Event | None], **how: Any) -> None:
        await self.pipeline.run(Script(*steps), self.sink, self.answer, **how)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def talk(ears: Ears, workers: tuple[Worker, Worker]) -> Talk:
    return Talk(ears, *workers)


@pytest.fixture
def asked(say: Say, silence: Say) -> Any:
    return np.concatenate([silence(0.3), say("Hey Jarvis. What time is it?"), silence(1.5)])


def test_the_room_that_wins_chimes_and_answers(talk: Talk, asked: Any, run: Run) -> None:
    rooms = Neighbours()
    run(talk.run((asked, None), arbiter=rooms, chime=bell))
    (bid,) = rooms.bids
    assert bid.steps == ["confirm", "answers: What time is it?"]
    assert talk.sink.played[0] == 77 and len(talk.sink.played) == 2 and talk.heard == ["what time is it"]
    assert rooms.claims[0].snr_db > 20 and not rooms.claims[0].engaged
    assert len(talk.of(events.Chimed)) == 1


def test_a_room_that_loses_neither_chimes_nor_answers(talk: Talk, asked: Any, run: Run) -> None:
    run(talk.run((asked, None), arbiter=Neighbours(wins=False, answers=False), chime=bell))
    assert talk.sink.played == [] and talk.heard == []
    assert talk.of(events.ClosedQuietly)[0].reason == "another room answers"


def test_two_speakers_get_two_answers_and_one_chime(talk: Talk, asked: Any, run: Run) -> None:
    run(talk.run((asked, None), arbiter=Neighbours(wins=False), chime=bell))
    assert 77 not in talk.sink.played and talk.heard == ["what time is it"]


def test_what_came_to_nothing_is_withdrawn(talk: Talk, say: Say, silence: Say, run: Run) -> None:
    rooms = Neighbours()
    again = np.concatenate([say("Hey Jarvis."), silence(1.0), say("Hey Jarvis."), silence(6.0)])
    run(talk.run((again, None), arbiter=rooms))
    assert [bid.steps for bid in rooms.bids] == [
        ["confirm", "withdraw: said again"],
        ["confirm", "withdraw: no speech"],
    ]


def test_a_wake_word_from_another_rooms_loudspeaker_is_none(talk: Talk, asked: Any, run: Run) -> None:
    rooms = Neighbours(deaf=True)
    run(talk.run((asked, None), arbiter=rooms))
    assert talk.heard == [] and rooms.bids == [] and not talk.of(events.WakeHeard)


@pytest.mark.parametrize(("said", "heard"), [("", ["what time is it", "what can you do"]),
                                             ("what can you do", ["what time is it"])])  # fmt: skip
def test_an_answer_needs_no_wake_word_unless_another_room_just_said_it(
    talk: Talk, asked: Any, say: Say, silence: Say, run: Run, said: str, heard: list[str]
) -> None:
    talk.replies = iter(["Anything else?"])
    second = np.concatenate([silence(0.5), say("What can you do?"), silence(2)])
    run(talk.run((asked, None), (second, talk.spoken), arbiter=Neighbours(said=said)))
    assert talk.heard == heard


def test_while_something_rings_certain_words_need_no_wake_word(talk: Talk, say: Say, silence: Say, run: Run) -> None:
    words = [say("The weather is nice."), silence(2), say("Stop."), silence(2)]

    async def main() -> None:
        ringing = asyncio.Event()
        listening = asyncio.create_task(talk.run((silence(0.5), None), (np.concatenate(words), ringing)))
        await asyncio.sleep(0.1)
        talk.pipeline.attend(60_000, is_whole)
        ringing.set()
        await listening

    run(main())
    assert talk.heard == ["stop"]
    assert "not for us" in [one.reason for one in talk.of(events.ClosedQuietly)]
    assert [one.text for one in talk.of(events.Partial)] == ["Stop."]


def test_whoever_looks_sees_whether_they_are_heard(talk: Talk, asked: Any, run: Run) -> None:
    talk.replies = iter(["Anything else?"])
    run(talk.run((np.concatenate([asked, np.zeros(16_000 * 12, np.int16)]), None)))
    states = [one.state for one in talk.of(events.Listening)]
    assert states[:2] == ["wake word", "capturing"] and states[-1] == "off" and "open" in states


def test_two_sources_at_once_are_answered_apart(
    ears: Ears, workers: tuple[Worker, Worker], say: Say, silence: Say, run: Run
) -> None:
    talks = [Talk(ears, *workers) for _ in range(2)]
    asks = ["What time is it?", "Set a timer for five minutes."]
    shared = talks[0].pipeline

    async def main() -> list[int]:
        async with asyncio.TaskGroup() as group:
            for one, text in zip(talks, asks, strict=True):
                sound = np.concatenate([silence(0.3), say_before[text], silence(1.5)])
                group.create_task(shared.run(Script((sound, None)), one.sink, one.answer, own_voice=True))
        return [len(one.sink.played) for one in talks]

    say_before = {text: say(f"Hey Jarvis. {text}") for text in asks}
    assert run(main()) == [1, 1]
    assert [one.heard for one in talks] == [["what time is it"], ["set a timer for 5 minutes"]]
    assert not shared.engaged


class Broken:
    """Ears that fail from one call to another."""

    def __init__(self, worker: Worker, first: int, last: int) -> None:
        self._worker, self._first, self._last, self.calls = worker, first, last, 0

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        self.calls += 1
        if self._first <= self.calls < self._last:
            raise EngineFailed("The ears engine failed.")
        return await self._worker.call(method, *args, deadline_s=deadline_s)


def test_ears_that_fail_while_nobody_speaks_cost_a_moment(
    ears_worker: Worker, workers: tuple[Worker, Worker], asked: Any, silence: Say, run: Run
) -> None:
    talk = Talk(Ears(Broken(ears_worker, 2, 5)), *workers)
    run(talk.run((np.concatenate([silence(4), asked]), None)))
    assert talk.heard == ["what time is it"]
    assert [one.stage for one in talk.of(events.AudioProblem)] == ["ears"], "an outage is told once"


def test_ears_that_fail_while_somebody_speaks_cost_the_turn_and_say_so(
    ears_worker: Worker, workers: tuple[Worker, Worker], asked: Any, run: Run
) -> None:
    talk = Talk(Ears(Broken(ears_worker, 40, 41)), *workers)
    talk.sink = WavSink()  # type: ignore[assignment]
    run(talk.run((asked, None), (asked, talk.spoken)))
    assert talk.heard == ["what time is it"]
    assert talk.of(events.Spoken)[0].text == DEAF_ONLY


def test_going_on_after_the_end_is_told_as_a_cut(talk: Talk, say: Say, silence: Say, run: Run) -> None:
    async def slowly(utterance: Utterance) -> AsyncIterator[str]:
        await asyncio.sleep(0.3)
        yield "Yes."

    parts = [say("Hey Jarvis. What time is it?"), silence(0.4), say("In the kitchen, I mean."), silence(1.5)]
    run(talk.pipeline.run(Script((np.concatenate([silence(0.3), *parts]), None)), talk.sink, slowly))
    (ended,), (cut,) = talk.of(events.EndpointReached), talk.of(events.CutOff)
    assert ended.reason == "whole intent" and ended.speculations - ended.wasted == 1 and cut.turn == ended.turn
