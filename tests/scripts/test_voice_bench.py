"""What the voice bench is built from, without measuring anything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jarvis.voice.streams import RATE_HZ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def command(**more: Any) -> Any:
    from benches.voice.commands import Command

    sound = np.zeros(RATE_HZ * 3, np.int16)
    return Command("a", "intent", "Set a timer for ten minutes.", sound, wake_end_s=1.0, speech_end_s=2.0, **more)


def shot(first_audio_ms: float = 12_900.0, **events: dict[str, Any]) -> Any:
    """Speech ended at 12 s, its end was sure 0.4 s later, sound came 0.5 s after that."""
    from benches.voice.client import Turn
    from benches.voice.engines import Alone
    from benches.voice.latency import Shot

    usual = {
        "endpoint": {"at_ms": 12_400.0, "silence_ms": 384.0, "speculations": 1, "wasted": 0},
        "stt": {"at_ms": 12_410.0},
        "tts": {"at_ms": 12_890.0, "synthesis_ms": 70.0},
    }
    turn = Turn(command(), 10_000.0, first_audio_ms, {**usual, **events}, texts=["Set a timer for 10 minutes."])
    return Shot(turn, Alone(90.0, 0.0, 200.0, 60.0), model=False)


def test_what_is_reported_is_what_happened() -> None:
    one = shot()
    assert (one.total, one.endpoint, one.tail, one.after_endpoint) == (900.0, 384.0, 10.0, 500.0)
    assert one.least == 384 + 10 + 70, "the node's own synthesis, or without a cache, whichever took longer"
    assert one.alone.together == 290.0 and one.alone.one_after_another == 1_090.0


def test_rows_say_whether_the_aims_are_met() -> None:
    from benches.voice.latency import latency, parts

    rows = {(one.measure, one.against): one for one in latency("x", [shot()] * 3, against_least=1.3, against_usual=0.5)}
    assert [one.ok for one in rows.values()] == [False, None, False] * 2
    assert {one.ratio for one in rows.values()} == {0.826, 3.103, 1.94}
    found = {one.measure: one for one in parts("x", [shot(), shot(12_950.0)], whole_ms=1_000)}
    assert found["end of speech to first sound, x, p95"].ok
    assert not found["endpoint to first sound, x, p95"].ok and found["endpoint to first sound, x, p50"].value == 550


def test_cut_offs_are_seen() -> None:
    from benches.voice.latency import cut_off, decisions, right

    whole, early = (
        shot().turn,
        shot(endpoint={"at_ms": 11_500.0, "silence_ms": 500, "speculations": 2, "wasted": 1}).turn,
    )
    told = shot(**{"cut off": {"at_ms": 13_000.0}}).turn
    assert [cut_off(turn) for turn in (whole, early, told)] == [False, True, True]
    assert right(whole)
    rows = {one.measure: one for one in decisions([whole, early])}
    assert rows["cut off, commands in one breath"].value == 1
    assert rows["speculations, commands in one breath"].value == 1.5


@pytest.fixture
def burning() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("grouped", [True, False])
def test_a_quarter_of_a_core_is_about_that(
    burning: subprocess.Popen[bytes], grouped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benches.voice import small

    if not grouped:
        monkeypatch.setattr(small, "_group", lambda: None)

    def used_s() -> float:
        fields = Path(f"/proc/{burning.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with small.quarter_of_a_core(burning.pid) as how:
        assert how
        before, began = used_s(), time.monotonic()
        time.sleep(1.5)
        share = (used_s() - before) / (time.monotonic() - began)
    assert share < 0.5, "more of a core than a quarter and what a clock of 10 ms may be wrong by"
    assert burning.poll() is None
