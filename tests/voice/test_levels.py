"""What doctor says of a microphone, of sounds that are known."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from jarvis.voice.devices.levels import FLOOR_DB, Meter, db, find_tone, judge, tone

NOISE = np.random.default_rng(7)


def noise(seconds: float, level_db: float) -> Any:
    return NOISE.standard_normal(int(seconds * 16_000)) * 32_767 * 10 ** (level_db / 20)


def speech(seconds: float, level_db: float) -> Any:
    """Syllables: loud for 200 ms, quiet for 200 ms."""
    gate = (np.arange(int(seconds * 16_000)) // 3_200) % 2
    return noise(seconds, level_db) * gate


def heard(sound: Any) -> Meter:
    meter, samples = Meter(), np.clip(sound, -32_768, 32_767).astype(np.int16)
    for at in range(0, len(samples), 320):
        meter.feed(samples[at : at + 320])
    return meter


def test_the_figures_are_those_of_the_sound() -> None:
    levels = heard(speech(6, -20) + noise(6, -60) + 0.01 * 32_767).levels()
    assert levels.seconds == 6.0 and levels.clipped == 0.0
    assert levels.noise_db == pytest.approx(-60, abs=1.5) and levels.loud_db == pytest.approx(-20, abs=1.5)
    assert levels.offset == pytest.approx(0.01, abs=0.002) and -12 < levels.peak_db < -5
    assert db(32_767) == 0.0 and db(0) == FLOOR_DB


CASES = {
    "heard well": speech(4, -25) + noise(4, -60),
    "no sound at all": np.zeros(0),
    "nothing but zeros": np.zeros(32_000),
    "cut off": np.clip(speech(4, 3), -40_000, 40_000),
    "constant offset of 10%": speech(4, -25) + 3_277,
    "The room is loud": speech(4, -15) + noise(4, -30),
    "Nobody was heard": noise(4, -60),
    "very quietly": speech(4, -52) + noise(4, -75),
}


@pytest.mark.parametrize("sentence", CASES)
def test_what_is_wrong_is_said(sentence: str) -> None:
    verdict = judge(heard(CASES[sentence]).levels())
    assert sentence in verdict.sentence
    assert verdict.ok == (sentence == "heard well") == (verdict.fix == "")


def test_an_hour_costs_no_more_memory_than_a_second() -> None:
    meter, block = Meter(), np.full(320, 100, np.int16)
    meter.feed(block)
    tracemalloc.start()
    for _ in range(4_000):
        meter.feed(block)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 10_000 and meter.levels().seconds > 60


@pytest.mark.parametrize("level_db", [-10, -40])
def test_the_tone_is_found_where_it_is(level_db: float) -> None:
    sound = noise(2, -55)
    sound[8_000 : 8_000 + len(tone())] += tone() * 10 ** (level_db / 20)
    found = find_tone(sound.astype(np.int16))
    assert found.heard and found.delay_ms == pytest.approx(500, abs=1)


def test_what_is_not_the_tone_is_not_found() -> None:
    for sound in (noise(2, -20), np.zeros(32_000), speech(2, -10), np.zeros(10), np.sin(np.arange(32_000) / 5) * 9_000):
        assert not find_tone(sound.astype(np.int16)).heard
