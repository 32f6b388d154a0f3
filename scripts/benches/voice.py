"""The voice pipeline with real models and real workers, in real time: from the end of speech to the first sound.

It is compared with the same engines called one after another after a fixed 0.8 s of silence, as assistants usually do,
and with what the engines take by themselves, which nothing can undercut; both measured in the same run on the same
utterances. The answer itself costs nothing here: an intent's sentence, a new one each time so that no cache helps.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benches.table import Row, percentile, row
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.models.pull import pull
from jarvis.voice import ears_engine, tts, wav
from jarvis.voice import stt as recogniser
from jarvis.voice.ears import Ears
from jarvis.voice.pipeline import Utterance, VoicePipeline
from jarvis.voice.streams import RATE_HZ, NullSink, WavSource
from jarvis.voice.vad import FRAME_SAMPLES, VoiceActivity
from jarvis.voice.wake import WakeDetector

FIXED_SILENCE_MS = 800.0
ROUNDS = {True: 5, False: 3}
"""Of each command, after one that warms up: as whole intents, and as free text."""
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "audio"
WHOLE = ("what time is it", "set a timer for 10 minutes", "turn on the lamp")
LONG_REPLY = (
    "Here is fact {0} about the sea. It covers {0} times more of the planet than you may think, and it is deeper than "
    "the highest mountain is tall. At least {0} of the creatures that live in it were never seen. Shall I go on, {0}?"
)


@dataclass(frozen=True)
class Shot:
    """One utterance, in milliseconds."""

    after_speech: float
    endpoint: float
    one_after_another: float
    engines: float
    stt: float
    tts: float


def run() -> list[Row]:
    pull(["whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium"])
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    hearing, stt = Worker("ears", ears_engine.TARGET, {}), Worker("stt", recogniser.TARGET, {})
    voice, ears = Worker("tts", tts.TARGET, {}), Ears(hearing)
    began = time.monotonic()
    try:
        await asyncio.gather(hearing.start(), stt.start(), voice.start())
        loaded_ms = (time.monotonic() - began) * 1000
        utterances = _recorded() or await _spoken(voice)
        intents = await _shots(ears, stt, voice, utterances, whole=True)
        free = await _shots(ears, stt, voice, utterances, whole=False)
        first, whole = await _long_reply(ears, stt, voice)
        return [
            *_latency("whole intent", intents),
            *_latency("free text", free),
            row(
                "first sound of a long reply",
                first,
                "ms",
                against=f"all of it made first {whole:.0f} ms",
                other=whole,
            ),
            row("wake word, share of a core", _wake_share(utterances), "%"),
            row("voice detector, share of a core", _vad_share(utterances), "%"),
            row("both workers loaded, at once", loaded_ms, "ms"),
            row("hearing worker, memory", stt.rss_bytes() / 1e6, "MB"),
            row("voice worker, memory", voice.rss_bytes() / 1e6, "MB"),
        ]
    finally:
        await asyncio.gather(hearing.close(), stt.close(), voice.close())


def _latency(kind: str, shots: Sequence[Shot]) -> list[Row]:
    rows = []
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        here = percentile([shot.after_speech for shot in shots], share)
        usual = percentile([shot.one_after_another for shot in shots], share)
        alone = percentile([shot.engines for shot in shots], share)
        label = f"end of speech to first sound, {kind}, {name}"
        rows.append(row(label, here, "ms", against=f"0.8 s, then one by one {usual:.0f} ms", other=usual, most=1.0))
        rows.append(row(label, here, "ms", against=f"engines alone {alone:.0f} ms", other=alone))
    rows.append(row(f"silence awaited, {kind}, p50", percentile([shot.endpoint for shot in shots], 0.5), "ms"))
    rows.append(row(f"speech to text, {kind}, p50", percentile([shot.stt for shot in shots], 0.5), "ms"))
    rows.append(row(f"first sentence made, {kind}, p50", percentile([shot.tts for shot in shots], 0.5), "ms"))
    return rows


async def _shots(ears: Ears, stt: Worker, voice: Worker, utterances: Sequence[Any], *, whole: bool) -> list[Shot]:
    def whole_intent(text: str) -> bool:
        return whole and text.lower().strip(" .?!") in WHOLE

    pipeline = VoicePipeline(ears, stt, voice, emit=lambda _: None, clock=SystemClock(), whole_intent=whole_intent)
    shots = []
    for number in range(ROUNDS[whole] * len(utterances) + 1):
        shot = await _shot(pipeline, stt, voice, utterances[number % len(utterances)], number, whole)
        if number:  # the first one warms up
            shots.append(shot)
    return shots


async def _shot(pipeline: VoicePipeline, stt: Worker, voice: Worker, sound: Any, number: int, whole: bool) -> Shot:
    """One utterance through the pipeline, then the same through the engines one by one."""
    kind = "minutes" if whole else "people"
    reply = f"It is {number + 3} {kind} past ten."
    began: list[float] = []
    first: list[float] = []
    text: list[str] = []

    class Microphone(WavSource):
        async def blocks(self) -> AsyncIterator[Any]:
            began.append(time.monotonic())
            async for block in super().blocks():
                yield block

    class Loudspeaker(NullSink):
        async def play(self, samples: Any, rate_hz: int) -> None:
            first.append(time.monotonic())

    async def answer(utterance: Utterance) -> AsyncIterator[str]:
        text.append(utterance.text)
        yield reply

    result = await pipeline.hear(Microphone(sound, realtime=True), Loudspeaker(), answer)
    speech_end_s = _speech_end_s(sound)
    heard = sound[int(result.timings_ms["wake_at"] * RATE_HZ / 1000) - 2_400 : int((speech_end_s + 0.2) * RATE_HZ)]
    before = time.monotonic()
    decoded = await stt.call("transcribe", heard.tobytes(), deadline_s=20)
    spoken = await voice.call("synthesize", reply.replace("past", "after"), deadline_s=20)  # as new as the other
    engines_ms = (time.monotonic() - before) * 1000
    return Shot(
        (first[0] - began[0] - speech_end_s) * 1000,
        result.timings_ms["endpoint"],
        FIXED_SILENCE_MS + engines_ms,
        engines_ms,
        decoded["decode_ms"],
        spoken["synthesis_ms"],
    )


def _speech_end_s(sound: Any) -> float:
    """The end of the last frame that holds speech."""
    loud = [number for number, score in enumerate(VoiceActivity().feed(sound)) if score >= 0.5]
    return (loud[-1] + 1) * FRAME_SAMPLES / RATE_HZ


async def _long_reply(ears: Ears, stt: Worker, voice: Worker) -> tuple[float, float]:
    """(first sound, all sound) of a reply of several sentences; medians of three, each worded anew."""
    pipeline = VoicePipeline(ears, stt, voice, emit=lambda _: None, clock=SystemClock(), whole_intent=lambda _: True)
    firsts, wholes = [], []
    for number in range(3):
        text = LONG_REPLY.format(("seven", "twelve", "ninety")[number])
        began = time.monotonic()
        spoken = await pipeline.speak(text, NullSink())
        wholes.append((time.monotonic() - began) * 1000)
        firsts.append(spoken.first_audio_ms)
    return percentile(firsts, 0.5), percentile(wholes, 0.5)


def _wake_share(utterances: Sequence[Any]) -> float:
    sound = np.concatenate(utterances)
    detector, began = WakeDetector(), time.process_time()
    for at in range(0, len(sound), 320):
        detector.feed(sound[at : at + 320])
    return 100 * (time.process_time() - began) / (len(sound) / RATE_HZ)


def _vad_share(utterances: Sequence[Any]) -> float:
    sound = np.concatenate(utterances)
    detector, began = VoiceActivity(), time.process_time()
    detector.feed(sound)
    return 100 * (time.process_time() - began) / (len(sound) / RATE_HZ)


def _silence(seconds: float) -> Any:
    return np.zeros(int(seconds * RATE_HZ), np.int16)


def _recorded() -> list[Any]:
    """Recorded wake word and commands, where they are; [] elsewhere."""
    folder = Path(os.environ.get("JARVIS_TEST_AUDIO", RECORDINGS))
    names = ("what_time_is_it.wav", "set_timer.wav", "turn_on_the_lamp.wav")
    if not all((folder / name).is_file() for name in ("hey_jarvis_1.wav", *names)):
        return []
    wake = wav.read(folder / "hey_jarvis_1.wav")
    return [np.concatenate([wake, _silence(0.2), wav.read(folder / name), _silence(1.5)]) for name in names]


async def _spoken(voice: Worker) -> list[Any]:
    """The same in Piper's voice."""
    sounds = []
    for text in ("What time is it?", "Set a timer for ten minutes.", "Turn on the lamp."):
        answer = await voice.call("synthesize", f"Hey Jarvis. {text}", deadline_s=20)
        samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32768
        speech = wav.to_int16(wav.resample(samples, answer["rate_hz"], RATE_HZ))
        sounds.append(np.concatenate([_silence(0.5), speech, _silence(1.5)]))
    return sounds
