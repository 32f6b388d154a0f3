"""Talking over the assistant, in a simulated room: does it hear the wake word through its own voice, does that voice
wake it, how soon is it quieter, how soon silent. Real models, arithmetic for a room: every row says "simulated".

The echo arrives 20 to 250 ms late, reverberates 0.3 s, is clipped in half of the trials, and drifts by 100 ppm.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benches.table import Row, percentile, row
from jarvis.core.events import Event
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.models.pull import pull
from jarvis.testing.acoustics import Acoustics, Room, at_ratio
from jarvis.voice import events, wav
from jarvis.voice.devices.played import Played
from jarvis.voice.hearing import ears_engine
from jarvis.voice.hearing import stt as recogniser
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.hearing.frontend import Canceller
from jarvis.voice.hearing.vad import VoiceActivity
from jarvis.voice.hearing.wake import WakeDetector
from jarvis.voice.hearing.windows import Evidence
from jarvis.voice.pipeline import Utterance, VoicePipeline
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking import tts

RATE_HZ = 16_000
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "audio"
DELAYS_MS = (20.0, 90.0, 170.0, 250.0)
RATIOS_DB = (10, 5, 0)
"""Of the person to the echo, at the microphone."""
SPEEDS = (0.9, 1.0, 1.1)
REPLIES = (
    "The sea covers most of the planet, and it is deeper than the highest mountain is tall. Few have seen its floor.",
    "Your pasta timer has four minutes left, and the one for the bread a little less than half an hour.",
    "I can set timers, tell the time, remember things for you, and talk about almost anything else.",
)
WORDS = ("Stop.", "Never mind.", "What time is it?")
TALK_AT_MS = 2_500.0
SPARE_MS = 1_500.0


@dataclass
class Trials:
    raw: int = 0
    clean: int = 0
    either: int = 0
    all: int = 0


@dataclass
class Own:
    """Our own voice alone."""

    seconds: float = 0.0
    wakes: int = 0
    at_first: int = 0
    later: int = 0
    """How often it was taken for a person: in the first reply, and once the canceller knows the room."""
    raw: list[float] = field(default_factory=list)
    clean: list[float] = field(default_factory=list)


def run() -> list[Row]:
    pull(["whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium"])
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    hearing, stt = Worker("ears", ears_engine.TARGET, {}), Worker("stt", recogniser.TARGET, {})
    voice = Worker("tts", tts.TARGET, {"variation": 0.0})
    try:
        await asyncio.gather(hearing.start(), stt.start(), voice.start())
        replies = [await _spoken(voice, text) for text in REPLIES]
        said = [_faster(await _spoken(voice, "Hey Jarvis."), speed) for speed in SPEEDS]
        wakes = [one for one in [*said, *_recording()] if WakeDetector().feed(_in_quiet(one)) is not None]
        words = {word: await _spoken(voice, word) for word in WORDS}
        return [
            *await _recall(wakes, replies),
            *await _own_voice(replies),
            *await _manners(Ears(hearing), stt, words, replies),
        ]
    finally:
        await asyncio.gather(hearing.close(), stt.close(), voice.close())


async def _recall(wakes: Sequence[Any], replies: Sequence[Any]) -> list[Row]:
    rows = []
    for db in RATIOS_DB:
        trials = Trials()
        for number, (wake, delay_ms) in enumerate(itertools.product(wakes, DELAYS_MS)):
            reply = replies[number % len(replies)]
            room = Room(_acoustics(delay_ms, number), lasts_ms=TALK_AT_MS + len(wake) / 16 + SPARE_MS)
            room.person(at_ratio(wake, reply, db), at_ms=TALK_AT_MS)
            raw, clean = await _recorded(room, reply, ducks=True)
            found = [WakeDetector().feed(sound) is not None for sound in (raw, clean)]
            trials.all += 1
            trials.raw += found[0]
            trials.clean += found[1]
            trials.either += any(found)
        name = f"simulated: wake words found over our voice, person {db:+d} dB"
        alone = 100 * max(trials.raw, trials.clean) / trials.all
        rows.append(row(name, 100 * trials.either / trials.all, "%", against=f"better detector alone {alone:.0f} %"))
    return rows


async def _own_voice(replies: Sequence[Any]) -> list[Row]:
    own, settings = Own(), VoiceSettings()
    for number, (reply, delay_ms) in enumerate(itertools.product(replies, DELAYS_MS)):
        twice = np.concatenate([reply, np.zeros(RATE_HZ // 2, np.int16), reply])
        room = Room(_acoustics(delay_ms, number), lasts_ms=len(twice) / 16 + 500)
        raw, clean = await _recorded(room, twice)
        own.seconds += len(raw) / RATE_HZ
        own.wakes += sum(WakeDetector().feed(sound) is not None for sound in (raw, clean))
        own.raw += VoiceActivity().feed(raw)
        heard = VoiceActivity().feed(clean)
        own.clean += heard
        half = len(heard) // 2
        own.at_first += _onsets(heard[:half], settings)
        own.later += _onsets(heard[half:], settings)
    share = [
        100 * sum(one >= settings.endpoint.onset for one in scores) / len(scores) for scores in (own.raw, own.clean)
    ]
    minutes = own.seconds / 60
    return [
        row(f"simulated: our voice woke us, in {minutes:.1f} min", own.wakes, "times", most=0),
        row("simulated: our voice taken for a person's", share[1], "%", against=f"uncancelled {share[0]:.0f} %"),
        row(f"simulated: ducked by our own voice in its first replies, {minutes / 2:.1f} min", own.at_first, "times"),
        row(f"simulated: ducked by our own voice later, {minutes / 2:.1f} min", own.later, "times", most=0),
    ]


async def _manners(ears: Ears, stt: Worker, words: dict[str, Any], replies: Sequence[Any]) -> list[Row]:
    ducks, stops, after, understood, total = [], [], [], 0, 0
    for number, ((word, sound), delay_ms) in enumerate(itertools.product(words.items(), DELAYS_MS)):
        scene = _Scene(ears, stt, replies[number % len(replies)], sound, word, _acoustics(delay_ms, number))
        await scene.play()
        total += 1
        ducks += scene.duck_ms
        understood += scene.understood
        stops += scene.stop_ms
        after += scene.after_word_ms
    late = 100 * sum(one <= 250 for one in ducks) / total
    rows = [
        row("simulated: ducked within 250 ms of the onset", late, "%"),
        row("simulated: onset to ducking, p50", percentile(ducks, 0.5), "ms", most=250),
        row("simulated: onset to ducking, p95", percentile(ducks, 0.95), "ms"),
        row("simulated: words understood over our voice, person +3 dB", 100 * understood / total, "%"),
    ]
    if stops:
        rows += [
            row("simulated: understood to silence, p95", percentile(stops, 0.95), "ms", most=100),
            row("simulated: end of the word to silence, p50", percentile(after, 0.5), "ms"),
        ]
    return rows


class _Scene:
    """Something is said at once, and somebody talks over it."""

    def __init__(self, ears: Ears, stt: Worker, reply: Any, sound: Any, word: str, acoustics: Acoustics) -> None:
        self._word, self._reply = word, reply
        self._events: list[Event] = []
        self._room = Room(acoustics, lasts_ms=TALK_AT_MS + len(sound) / 16 + 3_000)
        silence = np.zeros(RATE_HZ)
        self._room.person(at_ratio(np.concatenate([sound, silence]), reply, 3), at_ms=TALK_AT_MS, after_playing=True)
        loud = np.flatnonzero(np.abs(sound) > 0.1 * np.abs(sound).max())
        self._begins_ms, self._ends_ms = loud[0] / 16, loud[-1] / 16
        self._stopped_ms: list[float] = []
        self._clock = SystemClock()
        self._pipeline = VoicePipeline(
            ears, stt, _Ready(reply), emit=self._events.append, clock=self._clock, whole_intent=self._is_word
        )
        stop = self._room.sink.stop

        def stopping() -> None:
            self._stopped_ms.append(self._clock.mono_ms())
            stop()

        self._room.sink.stop = stopping  # type: ignore[method-assign]

    async def play(self) -> None:
        async def answer(utterance: Utterance) -> AsyncIterator[str]:
            yield ""

        speaking = asyncio.create_task(self._pipeline.speak("Speak.", self._room.sink, interruptible=True))
        await self._pipeline.run(self._room, self._room.sink, answer)
        await speaking

    def _is_word(self, text: str) -> bool:
        return text.lower().strip(" .?!") == self._word.lower().strip(" .?!")

    @property
    def _from_ms(self) -> float:
        return (self._room.began_ms or 0.0) + TALK_AT_MS

    @property
    def duck_ms(self) -> list[float]:
        """From the first loud sample to the quieter voice, by the room's clock."""
        return [at_ms - self._from_ms - self._begins_ms for at_ms, db in self._room.sink.ducks if db][:1]

    @property
    def understood(self) -> bool:
        return any(isinstance(one, events.Interrupted) for one in self._events)

    @property
    def stop_ms(self) -> list[float]:
        """From what was understood to silence, by the machine's clock."""
        told = [one.at_ms for one in self._events if isinstance(one, events.Interrupted)]
        return [stopped - told[0] for stopped in self._stopped_ms if told][:1]

    @property
    def after_word_ms(self) -> list[float]:
        """The room stands still for the decode, so that is added."""
        decodes = [one.decode_ms for one in self._events if isinstance(one, events.Transcribed)]
        return [at_ms - self._from_ms - self._ends_ms + decodes[0] for at_ms in self._room.sink.stops if decodes][:1]


class _Ready:
    """A voice that has its one sentence ready."""

    def __init__(self, sound: Any) -> None:
        self._sounds = [sound.tobytes()]

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        audio = self._sounds.pop() if self._sounds else bytes(640)
        return {"audio": audio, "rate_hz": RATE_HZ, "synthesis_ms": 1.0}


async def _recorded(room: Room, reply: Any, *, ducks: bool = False) -> tuple[Any, Any]:
    """What the microphone heard while `reply` played, quieter once somebody spoke where it `ducks`, and what was left
    of it."""
    played, canceller, voice, evidence, settings = Played(), Canceller(), VoiceActivity(), Evidence(), VoiceSettings()
    room.sink.reference = played
    playing = asyncio.create_task(room.sink.play(reply, RATE_HZ))
    await asyncio.sleep(0)
    raw, clean = [], []
    async for block in room.blocks():
        far = played.take(len(block))
        raw.append(block)
        clean.append(canceller.clean(block, far if far is not None else np.zeros_like(block)))
        if ducks and evidence.heard(voice.feed(clean[-1]), settings.barge_in_doubt, settings.barge_in_enough):
            room.sink.duck(settings.duck_db)
    await playing
    return np.concatenate(raw), np.concatenate(clean)


def _acoustics(delay_ms: float, number: int) -> Acoustics:
    return Acoustics(delay_ms=delay_ms, clip=0.3 if number % 2 else 1.0, seed=number)


def _onsets(scores: Sequence[float], settings: VoiceSettings) -> int:
    evidence = Evidence()
    return sum(bool(evidence.heard([one], settings.barge_in_doubt, settings.barge_in_enough)) for one in scores)


def _recording() -> list[Any]:
    """A real voice, where there is one."""
    path = Path(os.environ.get("JARVIS_TEST_AUDIO", RECORDINGS)) / "hey_jarvis_1.wav"
    return [wav.read(path)] if path.is_file() else []


def _in_quiet(sound: Any) -> Any:
    return np.concatenate([np.zeros(RATE_HZ, np.int16), sound, np.zeros(RATE_HZ, np.int16)])


def _faster(sound: Any, speed: float) -> Any:
    return wav.to_int16(wav.resample((sound / 32768.0).astype(np.float32), round(RATE_HZ * speed), RATE_HZ))


async def _spoken(voice: Worker, text: str) -> Any:
    answer = await voice.call("synthesize", text, deadline_s=20)
    samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32768
    return wav.to_int16(wav.resample(samples, answer["rate_hz"], RATE_HZ))
