"""doctor --mic, with a sound card that is not there."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from jarvis_cli.main import main

from jarvis.testing.sound_card import Card, SoundCards
from jarvis.voice.devices import audio


class Speaker:
    """Somebody who speaks beside a card whose microphone hears its loudspeaker."""

    def __init__(self, *, echo: bool) -> None:
        self.card = Card("Jabra", 1, 1, 16_000, (16_000,), hears=self.heard)
        self.echo, self.at, self.read = echo, 0, 0
        self.random = np.random.default_rng(3)

    def heard(self, count: int, rate_hz: int) -> Any:
        loud = (np.arange(self.at, self.at + count) // 3_200) % 2
        self.at += count
        sound = self.random.standard_normal(count) * np.where(loud == 1, 2_000, 20)
        if self.echo and self.card.played:
            played = np.concatenate(self.card.played)[self.read : self.read + count]
            self.read += len(played)
            sound[: len(played)] += played
        return np.clip(sound, -32_000, 32_000).astype(np.int16)


@pytest.mark.parametrize("echo", [True, False])
def test_a_microphone_is_judged_and_listened_to(
    echo: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = SoundCards(Speaker(echo=echo).card)
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    code = main(["doctor", "--mic", "1", "--device", "jabra", "--loopback", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == "Jabra" and found["levels"]["seconds"] >= 1
    assert found["detail"].startswith("You are heard well") and found["loopback"]["heard"] is echo
    assert (code == 0) is found["ok"] is echo
    assert echo or "does not hear the loudspeaker" in found["detail"]
    assert not cards.streams and not audio._open


def test_without_a_microphone_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards())
    assert main(["doctor", "--mic"]) == 69
    assert "There is no microphone on this machine" in capsys.readouterr().err
