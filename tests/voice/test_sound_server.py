"""The real sounddevice against a real sound server: our echo, a stop, a device that goes and comes back."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jarvis.testing.sound_server import SoundServer, missing
from tests.voice.conftest import absent

pytestmark = pytest.mark.sound
STAGE_S = 60.0
SCRIPT = Path(__file__).with_name("heard_in_a_room.py")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    if packages := missing():
        absent(f"There is no sound server to test with: run `apt install {packages}`.")
    made = SoundServer(tmp_path, "kitchen")  # with another one the server would carry on there, and nothing be lost
    yield made
    made.close()


class Heard:
    """The stages that the script tells."""

    def __init__(self, server: SoundServer, folder: Path) -> None:
        self._stderr = (folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT], env=server.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )

    def next(self, stage: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], STAGE_S)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            self._stderr.seek(0)
            raise AssertionError(self._stderr.read().decode()[-3_000:])
        told = json.loads(line)
        assert told.pop("stage") == stage
        return dict(told)

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=STAGE_S)
        self._stderr.close()


def test_a_room_where_the_microphone_hears_the_loudspeaker(server: SoundServer, tmp_path: Path) -> None:
    heard = Heard(server, tmp_path)
    try:
        echo = heard.next("echo")
        assert echo["took_s"] >= 1.5 and echo["played_ms"] == pytest.approx(1_500, abs=1)
        for lag_ms, alike in echo["lags"]:
            # Heard after it was told, from the first sample on, and always equally long after: one clock.
            assert alike > 0.9 and -1 <= lag_ms <= 400
            assert lag_ms == pytest.approx(echo["lags"][0][0], abs=1)
        assert heard.next("cancelled")["quieter_db"] < -20
        assert heard.next("stop")["heard_after_ms"] < 500  # with what this server holds; the bound is in test_audio
        heard.next("remove")
        server.remove("kitchen")
        heard.go_on()
        removed = heard.next("removed")
        # On a busy machine the library is told so late that the silence is noticed before.
        assert removed["sink"] in ("The loudspeaker went away.", "The loudspeaker stopped taking sound.")
        assert removed["source"] in ("The microphone went away.", "The microphone stopped giving sound.")
        assert "'kitchen' cannot be opened" in removed["absent"] and removed["open"] == 0
        server.restore("kitchen")
        heard.go_on()
        restored = heard.next("restored")
        assert restored["problem"] == "" and restored["lag"][1] > 0.9
        assert heard.next("over") == {"open": 0}
    finally:
        heard.close()
