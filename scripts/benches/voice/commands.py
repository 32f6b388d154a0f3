"""What is said to the node: the wake word and a command, recorded or made by Piper, some with a pause inside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jarvis.engines.worker import Worker
from jarvis.voice import wav
from jarvis.voice.hearing.vad import FRAME_SAMPLES, VoiceActivity
from jarvis.voice.streams import RATE_HZ

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "audio"
Kind = Literal["intent", "other", "model", "paused"]

RECORDED: tuple[tuple[str, Kind, str], ...] = (
    ("what_time_is_it.wav", "intent", "what time is it"),
    ("set_timer.wav", "intent", "set a timer for 10 minutes"),
    ("turn_on_the_lamp.wav", "other", "turn on the lamp"),
)
MADE: tuple[tuple[Kind, str], ...] = (
    ("intent", "What time is it?"),
    ("intent", "Set a timer for seven minutes."),
    ("intent", "Set a timer for twelve minutes."),
    ("intent", "Which timers do I have?"),
    ("intent", "What is the date tomorrow?"),
    ("model", "Why do cats purr?"),
    ("model", "Tell me something about the sea."),
    ("model", "Tell me a short story about a fox."),
    ("model", "How can I sleep better?"),
    ("model", "What makes a good friend?"),
)
PAUSED: tuple[tuple[str, float, str], ...] = (
    # what is said, seconds of silence, what is said after it
    ("Set a timer", 0.4, "for ten minutes."),
    ("Set a timer for", 0.6, "twenty minutes."),
    ("Set a timer for", 0.9, "five minutes."),
    ("Set a timer for", 1.1, "two hours."),
    ("Tell me a story", 0.3, "about a rabbit."),
    ("What did I ask you", 0.35, "to remember?"),
    ("Remember that", 0.7, "the keys are on the table."),
    ("Tell me something about", 0.5, "old trees."),
    ("Can you tell me why", 0.6, "the sky is blue?"),
    ("How long", 0.3, "is left on my timer?"),
)


@dataclass(frozen=True)
class Command:
    name: str
    kind: Kind
    words: str
    """As they should be understood."""
    sound: Any
    """16 kHz mono int16: half a second of silence, the wake word, the command."""
    wake_end_s: float
    speech_end_s: float
    """The end of the last 32 ms that the voice detector takes for speech."""
    pause_ms: float = 0.0


async def commands(voice: Worker) -> list[Command]:
    """All of them, said by `voice` where nobody was recorded."""

    async def say(text: str) -> Any:
        answer: Any = await voice.call("synthesize", text, deadline_s=20)
        samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32_768
        return wav.to_int16(wav.resample(samples, answer["rate_hz"], RATE_HZ))

    folder = Path(os.environ.get("JARVIS_TEST_AUDIO", RECORDINGS))
    found: list[Command] = []
    if (folder / "hey_jarvis_1.wav").is_file():
        wake = wav.read(folder / "hey_jarvis_1.wav")
        for name, kind, words in RECORDED:
            if (folder / name).is_file():
                found.append(_command(f"recorded, {words}", kind, words, wake, wav.read(folder / name)))
    wake = await say("Hey Jarvis!")
    for kind, text in MADE:
        found.append(_command(text, kind, text, wake, await say(text)))
    for before, seconds, after in PAUSED:
        first, last = _trimmed(await say(f"{before},")), _trimmed(await say(after))
        parts = np.concatenate([first, quiet(seconds), last])
        words = f"{before} {after}"
        found.append(_command(words, "paused", words, wake, parts, pause_ms=seconds * 1_000))
    return found


def quiet(seconds: float) -> Any:
    return np.zeros(int(seconds * RATE_HZ), np.int16)


def speech_bounds_s(sound: Any) -> tuple[float, float]:
    """Beginning of the first and end of the last frame that holds speech."""
    loud = [number for number, score in enumerate(VoiceActivity().feed(sound)) if score >= 0.5] or [0]
    return loud[0] * FRAME_SAMPLES / RATE_HZ, (loud[-1] + 1) * FRAME_SAMPLES / RATE_HZ


def _trimmed(sound: Any) -> Any:
    """Without the silence around it, so that a pause is as long as it says."""
    begins_s, ends_s = speech_bounds_s(np.concatenate([sound, quiet(0.3)]))
    return sound[int(max(begins_s - 0.06, 0.0) * RATE_HZ) : int(ends_s * RATE_HZ)]


def _command(name: str, kind: Kind, words: str, wake: Any, said: Any, pause_ms: float = 0.0) -> Command:
    before = np.concatenate([quiet(0.5), wake])
    sound = np.concatenate([before, quiet(0.2), said, quiet(0.3)])
    wake_end_s = speech_bounds_s(np.concatenate([before, quiet(0.3)]))[1]
    return Command(name, kind, words, sound, wake_end_s, speech_bounds_s(sound)[1], pause_ms)
