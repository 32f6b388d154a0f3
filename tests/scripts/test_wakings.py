"""The wake word campaign, in its short form: a minute without the phrase, and the phrase over stated variants."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jarvis.models import cache

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("JARVIS_TEST_AUDIO", ROOT.parent / "shared" / "audio"))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def absent(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Steady:
    """A voice that says the same text always the same way, at one pace."""

    def __init__(self) -> None:
        from jarvis.voice.speaking.tts import PiperEngine

        self._engine = PiperEngine(threads=1, variation=0.0)

    def say(self, text: str, pace: float = 1.0, take: int = 0) -> Any:
        from jarvis.voice import wav

        answer: Any = self._engine.synthesize(text)
        samples = np.frombuffer(answer["audio"], np.int16).astype(np.float32) / 32_768
        return wav.to_int16(wav.resample(samples, answer["rate_hz"], 16_000))


@pytest.fixture(scope="module")
def voice() -> Steady:
    if not cache.installed("piper-en_US-joe-medium"):
        absent("The model piper-en_US-joe-medium is not installed; run `jarvis models pull`.")
    return Steady()


def test_the_texts_are_many_and_distinct_and_never_the_phrase() -> None:
    from wakings.texts import near_misses, sentences

    hour = list(itertools.islice(sentences(1), 1_000))
    assert len(set(hour)) == 1_000 and not any("jarvis" in one.lower() for one in hour)
    assert hour == list(itertools.islice(sentences(1), 1_000))
    phrases = near_misses()
    assert len(set(phrases)) == 200 and not any("jarvis" in one.lower() for one in phrases)


def test_a_variant_is_as_loud_and_as_noisy_as_it_says() -> None:
    from wakings.sound import LEAD_S, Variant, varied

    clip = (np.sin(np.arange(16_000) * 0.2) * 9_000).astype(np.int16)
    lead = int(LEAD_S * 16_000)
    for snr_db, level_db in itertools.product((20.0, 0.0), (-30.0, -12.0)):
        sound = varied(clip, Variant(level_db=level_db, snr_db=snr_db), np.random.default_rng(1)) / 32_768
        noise = float(np.mean(sound[:lead] ** 2))
        power = 10 ** (level_db / 10) / 2
        assert 10 * np.log10(power / noise) == pytest.approx(snr_db, abs=1.0)
    fast = varied(clip, Variant(pitch=1.25), np.random.default_rng(1))
    assert len(fast) == pytest.approx(len(varied(clip, Variant(), np.random.default_rng(1))) - 3_200, abs=50)


@pytest.mark.models
def test_a_minute_of_speech_wakes_nobody(voice: Steady) -> None:
    from wakings.campaign import speech_without_wake

    heard = speech_without_wake(voice, 60, None)
    assert heard.seconds >= 60 and len(heard.peaks) == heard.clips
    assert heard.chimes == heard.called, heard.near  # who calls somebody of a like name may wake it


@pytest.mark.models
def test_the_phrase_is_heard_at_every_speed_noise_and_level(voice: Steady) -> None:
    from wakings.campaign import LEVELS_DB, SNRS_DB, wakes_made

    grid = wakes_made(voice, None, speeds=(1.0,), takes=1)
    assert grid["all", ""].spoken == len(SNRS_DB) * len(LEVELS_DB)
    assert grid["all", ""].missed == 0, grid


@pytest.mark.recordings
def test_a_person_is_heard_where_it_is_not_noisy() -> None:
    from wakings.campaign import recordings_without_wake, wakes_recorded

    if not (FOLDER / "hey_jarvis_1.wav").is_file():
        absent(f"There are no recordings in {FOLDER} (JARVIS_TEST_AUDIO names another folder).")
    grid, names = wakes_recorded(FOLDER, None, speeds=(1.0,))
    assert grid["usual", ""].spoken >= 12 * len(names) and grid["usual", ""].missed == 0
    others = recordings_without_wake(FOLDER, pitches=(), echoes_s=())
    assert others.clips and others.chimes == 0, others.near
