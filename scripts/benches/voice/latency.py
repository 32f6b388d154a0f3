"""From the end of speech to the first sound, command by command, and what that is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benches.table import Row, percentile, row
from benches.voice.client import Turn, spoken_turn
from benches.voice.commands import Command
from benches.voice.engines import Alone, Engines
from jarvis.testing.processes import NodeProcess
from jarvis.voice.speaking.numbers import cardinal

_FIGURES = {cardinal(number): str(number) for number in range(60)}
SPOKE_ON_S = 1.4
"""How long a command with a pause is watched after its answer: the rest of it must not come as another turn."""


@dataclass(frozen=True)
class Shot:
    """One turn that was answered, and the same engines by themselves."""

    turn: Turn
    alone: Alone
    model: bool
    """A language model answered."""

    @property
    def total(self) -> float:
        """From the end of speech to the first sound at the client."""
        assert self.turn.after_speech_ms is not None
        return self.turn.after_speech_ms

    @property
    def endpoint(self) -> float:
        """The silence that was awaited."""
        return float(self.turn.events["endpoint"]["silence_ms"])

    @property
    def tail(self) -> float:
        """From the confirmed endpoint to the text."""
        return self.turn.between("endpoint", "stt") or 0.0

    @property
    def first_synthesis(self) -> float:
        return float(self.turn.events["tts"]["synthesis_ms"])

    @property
    def after_endpoint(self) -> float:
        """From the confirmed endpoint to the first sound at the client."""
        assert self.turn.first_audio_ms is not None
        return self.turn.first_audio_ms - (self.turn.at("endpoint") or 0.0)

    @property
    def least(self) -> float:
        """What cannot be left out: the silence, the text, the first sentence as it is made without a cache."""
        return self.endpoint + self.tail + max(self.first_synthesis, self.alone.first_sentence)


async def shots(node: NodeProcess, engines: Engines, said: Sequence[Command], rounds: int) -> list[Shot]:
    """Each of them so often; a turn that was not answered with sound is left out."""
    found = []
    for command in [command for _ in range(rounds) for command in said]:
        turn = await spoken_turn(node, command)
        if turn.after_speech_ms is None or not {"endpoint", "tts", "stt"} <= turn.events.keys():
            continue
        model = turn.events.get("turn.done", {}).get("source") == "llm"
        found.append(Shot(turn, await engines.alone(turn, model=model), model))
    return found


def latency(name: str, found: Sequence[Shot], *, against_least: float | None, against_usual: float) -> list[Row]:
    """p50 and p95 of the whole way, against all engines in a row, and against what cannot be left out."""
    rows = []
    for mark, share in (("p50", 0.5), ("p95", 0.95)):
        total = percentile([one.total for one in found], share)
        usual = percentile([one.alone.one_after_another for one in found], share)
        together = percentile([one.alone.together for one in found], share)
        least = percentile([one.least for one in found], share)
        label = f"end of speech to first sound, {name}, {mark}"
        rows += [
            row(label, total, "ms", against=f"0.8 s, then one by one {usual:.0f} ms", other=usual, most=against_usual),
            row(label, total, "ms", against=f"engines alone, summed {together:.0f} ms", other=together),
            row(label, total, "ms", against=f"endpoint, tail, first sentence {least:.0f} ms", other=least,
                most=against_least),
        ]  # fmt: skip
    return rows


def parts(name: str, found: Sequence[Shot], *, whole_ms: float) -> list[Row]:
    """What the way is made of; `whole_ms` is how soon the first sound should come after the speech."""

    def mark(label: str, values: Iterable[float], share: float, most: float | None = None) -> Row:
        return row(f"{label}, {name}, p{share * 100:.0f}", percentile(list(values), share), "ms", most=most)

    return [
        mark("end of speech to first sound", (one.total for one in found), 0.95, most=whole_ms),
        mark("silence awaited", (one.endpoint for one in found), 0.5),
        mark("tail: endpoint to text", (one.tail for one in found), 0.5),
        mark("tail: endpoint to text", (one.tail for one in found), 0.95),
        mark("endpoint to first sound", (one.after_endpoint for one in found), 0.5, most=500),
        mark("endpoint to first sound", (one.after_endpoint for one in found), 0.95, most=500),
        mark("first sentence made by the node", (one.first_synthesis for one in found), 0.5),
        mark("first sentence made without a cache", (one.alone.first_sentence for one in found), 0.5),
        mark("speech to text alone", (one.alone.stt for one in found), 0.5),
    ]


def decisions(turns: Sequence[Turn]) -> list[Row]:
    """Cut-offs and wasted speculations, apart for commands without and with a pause inside."""
    rows = []
    for name, some in (
        ("commands in one breath", [turn for turn in turns if not turn.command.pause_ms]),
        ("commands with a pause", [turn for turn in turns if turn.command.pause_ms]),
    ):
        ended = [turn.events["endpoint"] for turn in some if "endpoint" in turn.events]
        asked, wasted = sum(one["speculations"] for one in ended), sum(one["wasted"] for one in ended)
        rows += [
            row(f"cut off, {name}", sum(map(cut_off, some)), f"of {len(some)}"),
            row(f"understood to the last word, {name}", sum(map(right, some)), f"of {len(some)}"),
            row(f"speculations, {name}", asked / max(len(ended), 1), f"decodes a turn, {wasted} wasted of {asked}"),
        ]
    return rows


async def paused_turns(node: NodeProcess, said: Sequence[Command], rounds: int) -> list[Turn]:
    return [await spoken_turn(node, one, after_s=SPOKE_ON_S) for _ in range(rounds) for one in said]


def cut_off(turn: Turn) -> bool:
    """It was taken to have ended before it had."""
    at = turn.at("endpoint")
    return "cut off" in turn.events or (at is not None and at < turn.ended_ms - 60)


def right(turn: Turn) -> bool:
    return bool(turn.texts) and _plain(turn.texts[0]) == _plain(turn.command.words)


def _plain(text: str) -> str:
    """Without case and punctuation, numbers in figures: how they are written is the recogniser's choice."""
    return " ".join(_FIGURES.get(word, word) for word in re.sub(r"[^\w\s]", "", text.lower()).split())
