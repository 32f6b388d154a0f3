"""Whoever says "stop" in one room, without the wake word, ends what rings in another: real nodes, models and sound. It
takes half a minute, so it runs where JARVIS_TEST_LONG is set; its parts are tried in every run (`test_timers`,
`test_ringing`, `tests/voice`)."""

from __future__ import annotations

import io
import os
from base64 import b64decode
from typing import Any

import pytest

from jarvis.models import cache
from jarvis.testing.processes import linked, until
from tests.node.conftest import Home
from tests.node.listening import following
from tests.voice.conftest import absent

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not os.environ.get("JARVIS_TEST_LONG"), reason="Long: set JARVIS_TEST_LONG."),
]
np = pytest.importorskip("numpy")
soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")
RATE_HZ = 16_000
WITHIN_S = 90.0
EARLY_S, APART_S, TIMES = 3.0, 6.0, 10
"""The first "stop" comes before anything rings, the others afterwards, one of them surely between two rings."""


def test_stop_needs_no_wake_word_while_a_timer_rings_elsewhere(home: Home) -> None:
    for name in ("whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium"):
        if not cache.installed(name):
            absent(f"The model {name} is not installed; run `jarvis models pull`.")
    models = {"JARVIS_MODELS_DIR": str(cache.cache_dir())}
    kitchen = home.node("kitchen", env=models)
    kitchen.start()
    file = home.folder / "stop.wav"
    stop = _spoken(kitchen.post("/api/v2/voice/say", {"text": "Stop."}, deadline_s=WITHIN_S)["audio"])
    pieces = [
        _quiet(EARLY_S),
        stop,
        _quiet(2 * APART_S),
        *(one for _ in range(TIMES) for one in (stop, _quiet(APART_S))),
    ]
    soundfile.write(file, (np.concatenate(pieces) * 32_767).astype(np.int16), RATE_HZ)

    bedroom = home.node("bedroom", "--peer", home.address("kitchen"), "--audio", f"wav:{file}", env=models)
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), WITHIN_S, "the link")
    with following("stt", bedroom) as (heard,), following("timer.rang", kitchen, bedroom) as (in_kitchen, in_bedroom):
        state = "/api/v2/health"
        until(lambda: bedroom.get(state)["components"]["audio"]["detail"] == "listening", WITHIN_S, "the microphone")
        kitchen.ask("Set a pasta timer for 12 seconds.")
        until(lambda: in_kitchen, WITHIN_S, "the ring")
        assert heard == [], "before it rang nobody listened"
        until(lambda: not kitchen.get("/api/v2/timers"), WITHIN_S, "silence")
        assert [event["text"] for event in heard] == ["Stop."] and in_bedroom == []


def _spoken(audio: str) -> Any:
    samples, rate_hz = soundfile.read(io.BytesIO(b64decode(audio)), dtype="float32")
    return soxr.resample(samples, rate_hz, RATE_HZ)


def _quiet(seconds: float) -> Any:
    """A room in which nobody speaks."""
    return (np.random.default_rng(0).standard_normal(int(RATE_HZ * seconds)) * 0.0005).astype(np.float32)
