"""The pipeline with real engines, on recordings and on Piper's speech; and with engines that fail on purpose."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed
from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.voice import events, wav
from jarvis.voice.conversation import DEAF_ONLY
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import HeardResult, Utterance, VoicePipeline
from jarvis.voice.speaking.speaker import APOLOGY
from jarvis.voice.streams import NullSink, WavSink, WavSource
from tests.voice.scripted import Script

pytestmark = pytest.mark.models

Recording = Callable[[str], Any]
Run = Callable[..., Any]
Say = Callable[[str], Any]
SAID = {
    "what_time_is_it.wav": "what time is it",
    "set_timer.wav": "set a timer for 10 minutes",
    "turn_on_the_lamp.wav": "turn on the lamp",
}

JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


def words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))


async def echo(utterance: Utterance) -> AsyncIterator[str]:
    yield f"You said: {utterance.text}"


async def never(utterance: Utterance) -> AsyncIterator[str]:
    raise AssertionError("nobody said anything")
    yield ""


def kinds(seen: Sequence[Event], turn: str) -> list[str]:
    return [event.name for event in seen if event.turn == turn]


@pytest.fixture
def command(recording: Recording, silence: Say) -> Callable[..., Any]:
    """The wake word, a pause, a command, and some silence."""

    def join(name: str, gap_s: float = 0.2, tail_s: float = 1.0) -> Any:
        parts = [wav.read(recording("hey_jarvis_1.wav")), silence(gap_s), wav.read(recording(name)), silence(tail_s)]
        return np.concatenate(parts)

    return join


@pytest.fixture
def hear(pipeline: VoicePipeline, run: Run) -> Callable[..., HeardResult]:
    def listen(sound: Any, answer: Any = echo, *, realtime: bool = False, **options: Any) -> HeardResult:
        result: HeardResult = run(pipeline.hear(WavSource(sound, realtime=realtime), NullSink(), answer, **options))
        return result

    return listen


@pytest.mark.recordings
@pytest.mark.parametrize("gap_s", [0.0, 0.2, 3.0])
@pytest.mark.parametrize("name", SAID)
def test_a_recorded_wake_and_command_are_heard_and_answered(
    hear: Callable[..., HeardResult], command: Callable[..., Any], heard_events: list[Event], name: str, gap_s: float
) -> None:
    result = hear(command(name, gap_s))
    assert words(result.heard) == SAID[name]
    assert result.wake is not None and result.wake["score"] >= 0.99
    assert words(result.reply) == f"you said {SAID[name]}" and result.reason == "whole intent"
    assert len(result.samples) > result.rate_hz and result.rate_hz == 22_050
    assert {"endpoint", "stt", "answer", "tts", "first_audio", "wake_at", "total"} <= set(result.timings_ms)
    assert kinds(heard_events, result.turn) == [
        "wake",
        "speech",
        "partial",
        "endpoint",
        "stt",
        "reply",
        "tts",
        "spoken",
    ]
    assert [event.at_ms for event in heard_events] == sorted(event.at_ms for event in heard_events)


@pytest.mark.recordings
def test_in_real_time_the_reply_comes_within_a_second_of_the_words(
    hear: Callable[..., HeardResult], command: Callable[..., Any]
) -> None:
    result = hear(command("what_time_is_it.wav"), realtime=True)
    assert words(result.heard) == "what time is it"
    assert 200 <= result.timings_ms["endpoint"] <= result.timings_ms["first_audio"] < 3_000


@pytest.mark.recordings
@pytest.mark.parametrize("change", ["quiet", "clipped", "offset", "room before", "telephone"])
def test_sound_as_rooms_and_microphones_make_it(
    hear: Callable[..., HeardResult], command: Callable[..., Any], recording: Recording, change: str
) -> None:
    sound = command("set_timer.wav").astype(int)
    room = wav.read(recording("background_noise.wav"))[:48_000]
    changed = {
        "quiet": sound // 20,
        "clipped": sound * 20,
        "offset": sound + 9_000,
        "room before": np.concatenate([room, sound, room]),
        "telephone": np.resize(wav.resample(wav.resample(sound / 32768.0, 16_000, 8_000), 8_000, 16_000), len(sound))
        * 32768,
    }[change]
    assert words(hear(np.clip(changed, -32_768, 32_767).astype(np.int16)).heard) == SAID["set_timer.wav"]


@pytest.mark.parametrize("text", ["What time is it?", "Set a timer for five minutes.", "Tell me about the sea."])
@pytest.mark.parametrize("together", [True, False])
def test_the_same_in_pipers_voice_with_and_without_a_pause(
    hear: Callable[..., HeardResult], say: Say, silence: Say, text: str, together: bool
) -> None:
    spoken = [say(f"Hey Jarvis. {text}")] if together else [say("Hey Jarvis."), silence(0.4), say(text)]
    result = hear(np.concatenate([silence(0.3), *spoken, silence(1.5)]))
    assert result.wake is not None
    assert words(result.heard) == words(text).replace("five", "5")


def test_the_wake_word_said_twice_starts_afresh(hear: Callable[..., HeardResult], say: Say, silence: Say) -> None:
    for pause_s in (0.3, 1.5, 3.0):
        parts = [say("Hey Jarvis."), silence(pause_s), say("Hey Jarvis."), silence(0.3), say("What time is it?")]
        result = hear(np.concatenate([silence(0.3), *parts, silence(1.5)]))
        assert words(result.heard) == "what time is it"
        assert result.wake is not None and result.wake["at_ms"] > 1_000 + 1_000 * pause_s


@pytest.mark.parametrize("pause_s", [0.3, 0.7, 0.9])
def test_a_pause_inside_the_sentence_does_not_cut_it(
    hear: Callable[..., HeardResult], say: Say, silence: Say, pause_s: float
) -> None:
    parts = [say("Hey Jarvis."), silence(0.2), say("Set a timer for"), silence(pause_s - 0.2), say("ten minutes.")]
    result = hear(np.concatenate([silence(0.3), *parts, silence(1.5)]))
    assert words(result.heard) == "set a timer for 10 minutes"


@pytest.mark.recordings
def test_a_file_that_ends_with_its_last_word_is_an_utterance(
    hear: Callable[..., HeardResult], command: Callable[..., Any]
) -> None:
    sound = command("what_time_is_it.wav", tail_s=0)
    result = hear(sound[: int(3.95 * 16_000)])
    assert words(result.heard) == "what time is it" and result.reason == "end of audio"


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "jfk.flac",
            "and so my fellow americans ask not what your country can do for you ask what you can do for your country",
        ),
        ("turn_on_the_lamp.wav", "turn on the lamp"),
    ],
)
def test_without_a_wake_word_the_whole_file_is_the_utterance(
    hear: Callable[..., HeardResult], recording: Recording, name: str, text: str
) -> None:
    result = hear(wav.read(recording(name)), wake=False)
    assert words(result.heard) == text and result.wake is None


@pytest.mark.recordings
def test_nothing_said_closes_quietly_and_nobody_is_asked(
    hear: Callable[..., HeardResult], recording: Recording, silence: Say, heard_events: list[Event]
) -> None:
    wake, room = wav.read(recording("hey_jarvis_1.wav")), wav.read(recording("background_noise.wav"))
    cases = [
        (np.concatenate([wake, silence(7)]), True, "no speech"),
        (np.concatenate([wake, room]), True, "no speech"),
        (wake, True, "no speech"),
        (room, True, "no wake word"),
        (room, False, "no speech"),
        (wav.read(recording("jfk.flac")), True, "no wake word"),
        (silence(0), True, "no wake word"),
        (silence(0), False, "no speech"),
    ]
    for sound, waits, reason in cases:
        result = hear(sound, never, wake=waits)
        assert (result.reason, result.heard, result.reply, len(result.samples)) == (reason, "", "", 0)
    assert [event.reason for event in heard_events if isinstance(event, events.ClosedQuietly)] == [c[2] for c in cases]


@pytest.mark.recordings
def test_endless_speech_and_noise_after_the_wake_word_are_bounded(
    hear: Callable[..., HeardResult], recording: Recording, silence: Say
) -> None:
    wake = wav.read(recording("hey_jarvis_1.wav"))
    speech = np.tile(wav.read(recording("jfk.flac"))[: 16_000 * 2], 60)
    kept: list[int] = []

    async def measure(utterance: Utterance) -> AsyncIterator[str]:
        kept.append(len(utterance.audio))
        yield "Yes."

    assert hear(np.concatenate([wake, speech]), measure).reason == "too long"
    assert kept[0] <= 16 * 16_000
    noise = (np.random.default_rng(5).normal(size=16_000 * 60) * 3_000).astype(np.int16)
    result = hear(np.concatenate([wake, noise]), never)
    assert result.heard == "" and result.reason in ("no speech", "nothing understood", "no wake word")


def test_speech_starts_at_the_first_sentence_while_the_rest_is_being_written(pipeline: VoicePipeline, run: Run) -> None:
    async def main() -> None:
        played = asyncio.Event()
        order: list[str] = []

        class Sink(WavSink):
            async def play(self, samples: Any, rate_hz: int) -> None:
                order.append("played")
                played.set()
                await super().play(samples, rate_hz)

        async def writing() -> AsyncIterator[str]:
            yield "The first sentence is whole. "
            yield "The second"
            await played.wait()  # would wait for ever if sound came only at the end
            order.append("wrote on")
            yield " came later."

        sink = Sink()
        spoken = await pipeline.speak(writing(), sink)
        assert order == ["played", "wrote on", "played"]
        assert spoken.text == "The first sentence is whole. The second came later."
        assert len(sink.samples) / sink.rate_hz * 1000 == pytest.approx(spoken.audio_ms)

    run(main())


def test_what_is_spoken_is_clean_and_what_is_kept_is_as_written(
    hear: Callable[..., HeardResult], say: Say, silence: Say
) -> None:
    async def markdown(utterance: Utterance) -> AsyncIterator[str]:
        for piece in ("It is **10:30**, ", "see [here](https://a.example). 🎉"):
            yield piece

    result = hear(np.concatenate([say("Hey Jarvis. What time is it?"), silence(1)]), markdown)
    assert result.reply == "It is **10:30**, see [here](https://a.example). 🎉"
    assert result.spoken == "It is ten thirty, see here."


class Breaks:
    """An engine that fails, then hands over to a real one."""

    def __init__(self, worker: Worker, error: Exception, times: int) -> None:
        self._worker, self._error, self.left = worker, error, times

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        if self.left:
            self.left -= 1
            raise self._error
        return await self._worker.call(method, *args, deadline_s=deadline_s)


def piped(ears: Ears, workers: tuple[Any, Any], seen: list[Event]) -> VoicePipeline:
    return VoicePipeline(ears, *workers, emit=seen.append, clock=SystemClock(), whole_intent=lambda _: False)


def test_a_voice_that_fails_loses_no_text(
    ears: Ears, workers: tuple[Worker, Worker], say: Say, silence: Say, run: Run, heard_events: list[Event]
) -> None:
    broken = piped(ears, (workers[0], Breaks(workers[1], EngineFailed("The tts engine failed."), 99)), heard_events)
    sound = np.concatenate([say("Hey Jarvis. What time is it?"), silence(1)])
    result = run(broken.hear(WavSource(sound), NullSink(), echo))
    assert words(result.reply) == "you said what time is it" and result.spoken == ""
    assert result.problems == ["The tts engine failed."]
    assert [event.stage for event in heard_events if isinstance(event, events.AudioProblem)] == ["tts"]
    with pytest.raises(EngineFailed, match="tts engine failed"):
        run(broken.speak("Hello.", NullSink()))


def test_an_answer_that_fails_in_the_middle_ends_with_an_apology(
    hear: Callable[..., HeardResult], say: Say, silence: Say
) -> None:
    async def breaks(utterance: Utterance) -> AsyncIterator[str]:
        yield "The answer is. "
        raise EngineFailed("The llm engine failed.")

    result = hear(np.concatenate([say("Hey Jarvis. What time is it?"), silence(1)]), breaks)
    assert result.reply == f"The answer is. {APOLOGY}" and result.problems == ["The llm engine failed."]
    assert result.spoken == f"The answer is. {APOLOGY}"


def test_a_worker_killed_while_it_decodes_is_started_again_and_answers(
    say: Say, silence: Say, run: Run, workers: tuple[Worker, Worker], pipeline: VoicePipeline
) -> None:
    hearing, voice = workers

    async def main() -> HeardResult:
        await hearing.start()
        sound = np.concatenate([silence(0.2), say_before, silence(1.5)])

        async def killing(utterance: Utterance) -> AsyncIterator[str]:
            yield "The first sentence. "
            assert voice.pid is not None
            os.kill(voice.pid, signal.SIGKILL)
            yield "And the second one here."

        original = hearing.call

        async def call(method: str, *args: Any, deadline_s: float) -> Any:
            asked = asyncio.ensure_future(original(method, *args, deadline_s=deadline_s))
            await asyncio.sleep(0)
            if not killed:
                killed.append(hearing.pid)
                os.kill(hearing.pid, signal.SIGKILL)  # type: ignore[arg-type]
            return await asked

        killed: list[int | None] = []
        hearing.call = call  # type: ignore[method-assign]
        try:
            return await pipeline.hear(WavSource(sound), NullSink(), killing)
        finally:
            del hearing.call

    say_before = say("Hey Jarvis. What time is it?")
    before = hearing.restarts, voice.restarts
    result = run(main())
    assert words(result.heard) == "what time is it"
    assert result.spoken == "The first sentence. And the second one here."
    assert (hearing.restarts, voice.restarts) == (before[0] + 1, before[1] + 1)


class Slow(WavSink):
    """Plays until it is stopped, as a loudspeaker would."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.stops = asyncio.Event(), 0

    async def play(self, samples: Any, rate_hz: int) -> None:
        self.started.set()
        await asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        self.stops += 1


def test_the_wake_word_interrupts_a_reply(
    pipeline: VoicePipeline, say: Say, silence: Say, run: Run, heard_events: list[Event]
) -> None:
    first = np.concatenate([say("Hey Jarvis. What time is it?"), silence(1)])
    second = np.concatenate([silence(0.3), say("Hey Jarvis. What can you do?"), silence(1)])

    async def main() -> list[str]:
        sink, heard = Slow(), []

        async def answer(utterance: Utterance) -> AsyncIterator[str]:
            heard.append(words(utterance.text))
            if len(heard) == 2:
                sink.play = WavSink().play  # type: ignore[method-assign]
            yield "A sentence that plays for ever."

        await pipeline.run(Script((first, None), (second, sink.started)), sink, answer)
        assert sink.stops >= 1
        return heard

    assert run(main()) == ["what time is it", "what can you do"]
    spoken = [event for event in heard_events if isinstance(event, events.Spoken)]
    assert [one.interrupted for one in spoken] == [True, False]


def test_a_reply_that_asks_may_be_answered_without_the_wake_word(
    pipeline: VoicePipeline, say: Say, silence: Say, run: Run
) -> None:
    first = np.concatenate([say("Hey Jarvis. What time is it?"), silence(1)])
    second = np.concatenate([silence(0.5), say("What can you do?"), silence(2)])

    async def main() -> list[str]:
        heard: list[str] = []
        asked = asyncio.Event()

        async def answer(utterance: Utterance) -> AsyncIterator[str]:
            heard.append(words(utterance.text))
            yield "Shall I do anything else?" if len(heard) == 1 else "Done."
            asyncio.get_running_loop().call_later(0.5, asked.set)

        await pipeline.run(Script((first, None), (second, asked)), NullSink(), answer)
        return heard

    assert run(main()) == ["what time is it", "what can you do"]


def test_hearing_that_fails_costs_one_utterance(
    ears: Ears, workers: tuple[Worker, Worker], say: Say, silence: Say, run: Run, heard_events: list[Event]
) -> None:
    sound = np.concatenate([silence(0.5), say("Hey Jarvis. What time is it?"), silence(2)])
    broken = Breaks(workers[0], EngineFailed("The stt engine failed."), 1)

    async def main() -> list[str]:
        heard: list[str] = []
        apologised = asyncio.Event()

        def emit(event: Event) -> None:
            heard_events.append(event)
            if isinstance(event, events.Spoken):
                apologised.set()

        async def answer(utterance: Utterance) -> AsyncIterator[str]:
            heard.append(words(utterance.text))
            yield "Yes."

        pipeline = VoicePipeline(ears, broken, workers[1], emit=emit, clock=SystemClock(), whole_intent=lambda _: False)
        await pipeline.run(Script((sound, None), (sound, apologised)), NullSink(), answer)
        return heard

    assert run(main()) == ["what time is it"]
    assert [event.stage for event in heard_events if isinstance(event, events.AudioProblem)] == ["stt"]
    assert [event.text for event in heard_events if isinstance(event, events.Spoken)] == [DEAF_ONLY, "Yes."]


def test_a_source_that_fails_ends_the_listening(pipeline: VoicePipeline, silence: Say, run: Run) -> None:
    class Unplugged:
        realtime = True

        async def blocks(self) -> AsyncIterator[Any]:
            yield silence(0.02)
            raise EngineFailed("The microphone stopped giving sound.")

    with pytest.raises(EngineFailed, match="microphone stopped"):
        run(pipeline.run(Unplugged(), NullSink(), never))


def test_a_slow_machine_asks_later_but_still_knows_an_open_sentence(
    ears: Ears, workers: tuple[Worker, Worker], say: Say, silence: Say, run: Run, heard_events: list[Event]
) -> None:
    class Slowed:
        async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
            return {**await workers[0].call(method, *args, deadline_s=deadline_s), "decode_ms": 900.0}

    pipeline = piped(ears, (Slowed(), workers[1]), heard_events)
    parts = [say("Set a timer for"), silence(0.5), say("ten minutes."), silence(1.5)]
    sound = np.concatenate([silence(0.3), say("Hey Jarvis."), silence(0.2), *parts])
    heard: list[str] = []

    async def answer(utterance: Utterance) -> AsyncIterator[str]:
        heard.append(words(utterance.text))
        yield "Yes."

    run(pipeline.run(WavSource(np.tile(sound, 2)), NullSink(), answer))
    assert heard == ["set a timer for 10 minutes"] * 2
    asked = [event.silence_ms for event in heard_events if isinstance(event, events.EndpointReached)]
    assert asked[1] >= 500
