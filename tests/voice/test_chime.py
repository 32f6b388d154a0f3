"""The sounds that are no words: short, soft, and never taken for somebody speaking."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.voice.hearing.vad import VoiceActivity
from jarvis.voice.hearing.wake import WakeDetector
from jarvis.voice.speaking.chime import KINDS, chime


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_short_and_soft_and_ends_in_silence(kind: str, rate_hz: int) -> None:
    sound = chime(kind, rate_hz)
    assert sound.dtype == np.int16 and sound.ndim == 1
    assert 0.1 < len(sound) / rate_hz <= 0.4
    assert 2_000 < np.abs(sound).max() < 8_000
    assert abs(sound[0]) < 40 and abs(sound[-1]) < 40
    steps = np.abs(np.diff(sound.astype(int)))
    assert steps.max() < 8_000, "a step is a click"


def test_each_kind_sounds_different() -> None:
    pitches = [np.abs(np.fft.rfft(chime(kind, 16_000)[:1_400])).argmax() for kind in KINDS]
    assert len(set(pitches)) == len(KINDS)


@pytest.mark.parametrize("level", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_takes_it_for_speech(kind: str, level: float) -> None:
    """At any distance of loudspeaker and microphone, with a room's noise."""
    noise = np.random.default_rng(1).normal(0, 30, 32_000)
    noise[8_000 : 8_000 + len(chime(kind, 16_000))] += level * chime(kind, 16_000)
    sound = np.clip(noise, -32_768, 32_767).astype(np.int16)
    vad = VoiceActivity()
    probabilities = vad.feed(sound)
    assert sum(one >= 0.5 for one in probabilities) <= 2, max(probabilities)
    assert WakeDetector().feed(sound) is None
