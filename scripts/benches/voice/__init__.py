"""A real node, spoken to over its API in real time, with real models: from the end of speech to the first sound.

It is compared with the same engines called one after another after a fixed 0.8 s of silence, as assistants usually do,
and with what the engines take by themselves; both measured in the same run on the same utterances and replies.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benches.table import Row, percentile, row
from benches.voice.client import Turn, spoken_turn
from benches.voice.commands import Command, commands
from benches.voice.engines import Engines
from benches.voice.latency import decisions, latency, parts, paused_turns, shots
from benches.voice.resources import listening
from benches.voice.small import quarter_of_a_core
from jarvis.models.pull import pull
from jarvis.testing.processes import NodeProcess, jarvis

MODELS = ("whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium", "smollm2-135m")
ALONE = {"JARVIS_OLLAMA_URL": ""}
"""The embedded model, also where an Ollama server runs."""


def run() -> list[Row]:
    return asyncio.run(_measure(rounds=3))


def run_full() -> list[Row]:
    return asyncio.run(_measure(rounds=10))


async def _measure(rounds: int) -> list[Row]:
    pull(MODELS)
    engines = Engines()
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-") as folder:
        home = Path(folder)
        jarvis("init", "--name", "kitchen", "--room", "kitchen", data_dir=home / "node").json()
        try:
            await engines.start()
            said = await commands(engines.voice)
            rows = await _spoken_to(home, engines, said, rounds)
        finally:
            await engines.close()
        return [*rows, *await listening(home, said[0])]


async def _spoken_to(home: Path, engines: Engines, said: Sequence[Command], rounds: int) -> list[Row]:
    of = {kind: [one for one in said if one.kind == kind] for kind in ("intent", "other", "model", "paused")}
    with NodeProcess(home / "node", "--no-mdns", env=ALONE) as node:
        node.set_config("assistant.guesses", "yes")  # how quickly it answers counts here, not whether that is true
        began = time.monotonic()
        await spoken_turn(node, of["intent"][0])
        cold_ms = (time.monotonic() - began) * 1_000
        await spoken_turn(node, of["model"][0])  # loads the language model
        intents = [one for one in await shots(node, engines, of["intent"], rounds) if not one.model]
        asked = [one for one in await shots(node, engines, of["model"], rounds) if one.model]
        other = await shots(node, engines, of["other"], 1)
        paused = await paused_turns(node, of["paused"], max(1, rounds // 3))
        turns = [*(one.turn for one in (*intents, *asked, *other)), *paused]
        small = await _small(node, engines, of)
    return [
        *latency("intents", intents, against_least=1.3, against_usual=1.0),
        *parts("intents", intents, whole_ms=1_000),
        *latency("embedded model", asked, against_least=None, against_usual=0.5),
        *parts("embedded model", asked, whole_ms=2_000),
        row("model alone, whole answer, p50", percentile([one.alone.model for one in asked], 0.5), "ms"),
        *_wakes([one.turn for one in (*intents, *asked)]),
        *decisions(turns),
        row("first turn of a node, engines loaded meanwhile", cold_ms, "ms"),
        *small,
    ]


def _wakes(turns: Sequence[Turn]) -> list[Row]:
    """From the end of the wake word in the sound to the node's knowing."""
    heard = [(turn, turn.at("wake")) for turn in turns]
    late = [at - turn.began_ms - turn.command.wake_end_s * 1_000 for turn, at in heard if at is not None]
    return [row("wake word's end to its detection, p50", percentile(late, 0.5), "ms")]


async def _small(node: NodeProcess, engines: Engines, of: dict[str, list[Command]]) -> list[Row]:
    """The node with one core at a quarter; the engines it is compared with are not run."""
    with quarter_of_a_core(node.pid) as how:
        label = f"one core at 25 % ({how}, a proxy for a small board)"
        found = []
        for kind, name in (("intent", "intents"), ("model", "embedded model")):
            turns = [await spoken_turn(node, command) for command in of[kind][:4]]
            heard = [turn.after_speech_ms for turn in turns if turn.after_speech_ms is not None]
            unit = f"ms, {len(heard)} of {len(turns)} answered"
            if heard:
                found.append(row(f"end of speech to first sound, {name}, {label}, p50", percentile(heard, 0.5), unit))
        return found
