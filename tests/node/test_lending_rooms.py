"""A real room that has neither recogniser nor voice, beside one that has both."""

from __future__ import annotations

import io
import os
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jarvis.api.client import Client
from jarvis.core.errors import JarvisError
from jarvis.models import cache
from jarvis.testing.processes import NodeProcess, linked, until

pytestmark = [pytest.mark.models, pytest.mark.recordings]
AUDIO = Path(os.environ.get("JARVIS_TEST_AUDIO", Path(__file__).resolve().parents[3] / "shared" / "audio"))


def absent(reason: str) -> None:
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def hear(node: NodeProcess) -> dict[str, Any]:
    path = AUDIO / "set_timer.wav"
    if not path.is_file():
        absent(f"The recording {path} is absent (JARVIS_TEST_AUDIO names another folder).")
    out = io.BytesIO()
    sound = np.concatenate([soundfile.read(path, dtype="int16")[0], np.zeros(8_000, np.int16)])
    soundfile.write(out, sound, 16_000, format="WAV")
    heard = Client(node.data_dir).upload("/api/v2/voice", out.getvalue(), wake=False, deadline_s=90)
    assert isinstance(heard, dict)
    return heard


def actions(node: NodeProcess) -> set[tuple[str, str]]:
    return {
        (row["action"], row["detail"]["engine"])
        for row in node.get("/api/v2/audit")
        if row["action"].startswith("engine.")
    }


def test_a_room_without_engines_hears_and_speaks_with_another_rooms(home: Any, tmp_path: Path) -> None:
    for name in ("whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium"):
        if not cache.installed(name):
            absent(f"The model {name} is not installed; run `jarvis models pull`.")
    some = tmp_path / "some-models"
    some.mkdir()
    (some / "smart-turn-v3").symlink_to(cache.cache_dir() / "smart-turn-v3")
    kitchen = home.node("kitchen", env={"JARVIS_MODELS_DIR": str(cache.cache_dir())})
    bedroom = home.node("bedroom", "--peer", home.address("kitchen"), env={"JARVIS_MODELS_DIR": str(some)})
    kitchen.start()
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), 20, "the link")

    def helped() -> dict[str, Any] | None:
        with suppress(JarvisError):  # a busy machine may be too slow for somebody who waits
            turn = hear(bedroom)
            return turn if len(turn["problems"]) > 1 and b64decode(turn["reply_audio"]) else None
        return None

    turn = until(helped, 60, "a turn with another room's engines")
    assert (
        turn is not None
        and turn["heard"].lower().startswith("set a timer for")
        and turn["reply"] == "Timer set for 10 minutes."
    )
    assert len(b64decode(turn["reply_audio"])) > 20_000
    assert {problem.split(" helped")[0] for problem in turn["problems"]} == {
        "The kitchen's stt engine",
        "The kitchen's tts engine",
    }
    wanted = {(what, kind) for what in ("engine.borrowed", "engine.lent") for kind in ("stt", "tts")}
    until(lambda: actions(bedroom) == actions(kitchen) == wanted, 20, "the audit of both")

    bedroom.set_config("session.share", "room")
    with pytest.raises(JarvisError, match=r"whisper-tiny\.en"):
        hear(bedroom)
    bedroom.set_config("session.share", "home")
    kitchen.kill()
    with pytest.raises(JarvisError, match=r"whisper-tiny\.en"):
        hear(bedroom)
