"""scripts/heard FOLDER [--expected FILE] [--wake RECORDING] [--half 1|2] [--json]

Each recording goes through the node's own ears, endpointing and recogniser, and its text through the assistant's
understanding. Nothing is done, and nothing answered. With --wake that recording of the wake phrase and 200 ms of
silence come before each, and 1 s of silence after, as at a microphone; without, a recording is an utterance as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from benches.table import Row, commit, machine, row, show

from jarvis.assistant.assistant import Assistant
from jarvis.core.time import SystemClock
from jarvis.engines.worker import Worker
from jarvis.models.pull import pull
from jarvis.voice import wav
from jarvis.voice.hearing import ears_engine, stt
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.pipeline import Utterance, VoicePipeline
from jarvis.voice.speaking import tts
from jarvis.voice.streams import RATE_HZ, NullSink, WavSource
from recorded.expected import Recording, errors, plain, recordings, words

ROOMS = ("kitchen", "bedroom", "living room", "office", "bathroom")
BEFORE_S, AFTER_S = 0.2, 1.0
RIGHT_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    said: str | None
    heard: str
    """"" where nobody was heard to speak."""
    expected: dict[str, Any]
    intent: str | None
    slots: dict[str, Any]
    right: bool
    wrong_words: int
    words: int


class Listening:
    """What a node hears with, without the node."""

    def __init__(self, assistant: Assistant, wake: Any | None) -> None:
        self._assistant, self._wake = assistant, wake
        self._workers = [Worker("ears", ears_engine.TARGET, {}), Worker("stt", stt.TARGET, {})]
        ears, hearing = self._workers
        self._pipeline = VoicePipeline(
            Ears(ears),
            hearing,
            Worker("tts", tts.TARGET, {}),  # never asked, and so never started
            emit=lambda _: None,
            clock=SystemClock(),
            whole_intent=assistant.whole_intent,
            missing_slot=assistant.missing_slot,
            likeliest=assistant.likeliest,
            hint=assistant.hint,
        )

    async def heard(self, sound: Any) -> str:
        if self._wake is not None:
            sound = np.concatenate([self._wake, _quiet(BEFORE_S), sound, _quiet(AFTER_S)])
        source = WavSource(sound, realtime=False)
        result = await self._pipeline.hear(source, NullSink(), _nothing, wake=self._wake is not None)
        return result.heard

    async def outcome(self, one: Recording) -> Outcome:
        heard = await self.heard(wav.read(one.path))
        match = self._assistant.understand(heard, rooms=ROOMS) if heard else None
        intent, slots = (None, {}) if match is None else (match.intent, plain(match.slots))
        said = words(one.said) if one.said is not None else []
        return Outcome(
            one.path.name,
            one.said,
            heard,
            {"intent": one.intent, "slots": one.slots},
            intent,
            slots,
            one.fits(intent, slots),
            errors(said, words(heard)) if said else 0,
            len(said),
        )

    async def close(self) -> None:
        for worker in self._workers:
            await worker.close()


async def outcomes(found: Sequence[Recording], wake: Any | None) -> list[Outcome]:
    listening = Listening(Assistant([]), wake)
    try:
        return [await listening.outcome(one) for one in found]
    finally:
        await listening.close()


def rows(found: Sequence[Outcome]) -> list[Row]:
    known = [one for one in found if one.expected["intent"]]
    other = [one for one in found if not one.expected["intent"]]
    told = sum(one.words for one in found)
    table = []
    if known:
        right = sum(one.right for one in known)
        meant = sum(one.intent == one.expected["intent"] for one in known)
        taken = sum(one.intent not in (None, one.expected["intent"]) for one in known)
        table += [
            row("commands with the right intent and slots", right / len(known), f"of {len(known)}", least=RIGHT_SHARE),
            row("commands with the right intent", meant / len(known), f"of {len(known)}"),
            row("commands taken for another", taken, f"of {len(known)}"),
        ]
    if other:
        table.append(row("other speech and sounds made an intent", sum(one.intent is not None for one in other),
                         f"of {len(other)}", most=0))  # fmt: skip
    if told:
        table.append(row("word error rate", sum(one.wrong_words for one in found) / told, f"of {told} words"))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/heard", description="What is made of recordings of people.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--expected", type=Path, help="else expected.toml in the folder")
    parser.add_argument("--wake", type=Path, help="a recording of the wake phrase, to come before each")
    parser.add_argument("--half", type=int, choices=(1, 2), help="1 to develop with, 2 to be held out")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    found = recordings(arguments.folder, arguments.expected or arguments.folder / "expected.toml")
    found = [one for one in found if arguments.half in (None, one.half)]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    pull(["whisper-tiny.en"])
    wake = wav.read(arguments.wake) if arguments.wake else None
    heard = asyncio.run(outcomes(found, wake))
    table = rows(heard)
    if arguments.json:
        told = {"machine": machine(), "commit": commit(), "rows": [asdict(one) for one in table]}
        json.dump({**told, "recordings": [asdict(one) for one in heard]}, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for one in heard:
        expected = f"{one.expected['intent']} {plain(one.expected['slots'])}"
        print(f"{'right' if one.right else 'WRONG'}  {one.name}: {one.heard!r} -> {one.intent} {one.slots}")
        if not one.right:
            print(f"       said: {one.said!r}, expected: {expected}")
    show(table, as_json=False)


def _quiet(seconds: float) -> Any:
    return np.zeros(int(seconds * RATE_HZ), np.int16)


async def _nothing(_: Utterance) -> AsyncIterator[str]:
    """No answer."""
    return
    yield ""


if __name__ == "__main__":
    main()
