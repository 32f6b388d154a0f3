"""The main job: `jarvis demo` as a user runs it, with real models, real nodes and real time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.models import cache
from jarvis.models.catalogue import MODELS
from jarvis.testing.processes import descendants, is_alive, until

DEFAULT_AUDIO = Path(__file__).parents[2].parent / "shared" / "audio"
WITHIN_S = 60.0
"""What the demo promises once models are there."""
PAUSE_MS = 200
PROGRAM = ("-m", "jarvis_cli")
NOT_ANNOUNCED = """
import sys
from jarvis_cli.demo_nodes import DemoNode
from jarvis_cli.main import main

start = DemoNode.start
DemoNode.start = lambda self, *flags: start(self, "--no-mdns", *flags)
sys.exit(main())
"""
"""A demo on a network without multicast, as far as its nodes can tell."""


def absent(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    missing = [one.name for one in MODELS if one.default and not cache.installed(one.name)]
    if missing:
        absent(f"Not installed: {', '.join(missing)}; run `jarvis models pull`.")


class Demo:
    """A demo that runs in its own folder; whatever it left in the temporary one is seen."""

    def __init__(self, folder: Path, *arguments: str, program: tuple[str, ...] = PROGRAM) -> None:
        self.out, self.temporary = folder / "out", folder / "tmp"
        for one in (self.out, self.temporary):
            one.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, *program, "demo", "--json", "--out", str(self.out), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )

    def ended(self, within_s: float = WITHIN_S) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=within_s)
        return self.process.returncode, out, err

    def left(self) -> list[str]:
        return sorted(str(one.relative_to(self.temporary)) for one in self.temporary.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = descendants(os.getpid())  # what other tests keep running for all of theirs
    yield tmp_path
    assert not descendants(os.getpid()) - before, "the demo left a process behind"


def recorded(folder: Path, *names: str) -> Path:
    """A wake word and a command, joined with a short silence."""
    frames = []
    for name in names:
        path = Path(os.environ.get("JARVIS_TEST_AUDIO", DEFAULT_AUDIO)) / name
        if not path.is_file():
            absent(f"The recording {path} is absent (JARVIS_TEST_AUDIO names another folder).")
        with wave.open(str(path)) as file:
            frames.append(file.readframes(file.getnframes()))
    joined = folder / "said.wav"
    with wave.open(str(joined), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16 * PAUSE_MS).join(frames))
    return joined


def told(ended: tuple[int, str, str]) -> dict[str, object]:
    code, out, err = ended
    assert code == 0, (out, err)
    result = json.loads(out)
    assert result["ok"] and result["wake"]["score"] >= 0.97 and result["problem"] == ""
    assert result["converged"] and len(result["digest"]) == 64 and result["session_id"]
    assert {node["name"] for node in result["nodes"]} == {"kitchen", "bedroom"}
    assert all(set(node) == {"node_id", "name", "room"} for node in result["nodes"])
    assert result["heard"] in result["followup"]["reply"]
    with wave.open(result["reply_wav"]) as reply:
        assert reply.getnframes() > reply.getframerate() / 2, "half a second of speech at least"
    moments = [result["moments_ms"][name] for name in ("wake", "endpoint", "text", "decision", "first_audio")]
    assert all(moment is not None for moment in moments) and moments == sorted(moments)
    return result


@pytest.mark.models
def test_piper_asks_and_the_next_room_knows(folder: Path) -> None:
    demo = Demo(folder)
    result = told(demo.ended())
    assert result["heard"] == "What time is it?"
    assert Path(str(result["reply_wav"])) == demo.out / "reply.wav"
    assert demo.left() == []


@pytest.mark.models
@pytest.mark.recordings
def test_the_bedroom_s_answer_follows_what_was_said(folder: Path) -> None:
    said = recorded(folder, "hey_jarvis_1.wav", "turn_on_the_lamp.wav")
    demo = Demo(folder, "--wav", str(said), "--keep")
    result = told(demo.ended())
    assert "lamp" in str(result["heard"]).lower()
    (kept,) = demo.left()
    assert {"kitchen", "bedroom"} <= {one.name for one in (demo.temporary / kept).iterdir()}


@pytest.mark.models
def test_where_multicast_fails_addresses_serve_and_silence_is_no_success(folder: Path) -> None:
    silence = folder / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    demo = Demo(folder, "--wav", str(silence), program=("-c", NOT_ANNOUNCED))
    code, out, err = demo.ended()
    result = json.loads(out)
    assert result["found_by"] == "peer" and "--peer" in err
    assert {node["name"] for node in result["nodes"]} == {"kitchen", "bedroom"}
    assert code == 1 and not result["ok"] and "wake word" in result["problem"] and result["problem"] in err
    assert result["reply_wav"] is None and demo.left() == []


@pytest.mark.models
def test_ctrl_c_stops_both_nodes_and_removes_everything(folder: Path) -> None:
    demo = Demo(folder)
    until(lambda: any((one / "kitchen" / "run" / "api.json").exists() for one in demo.temporary.iterdir()), 30)
    below = descendants(demo.process.pid)
    assert below
    demo.process.send_signal(signal.SIGINT)
    code, out, err = demo.ended(15)
    assert (code, out) == (130, "") and "Traceback" not in err
    assert not any(is_alive(pid) for pid in below) and demo.left() == []


@pytest.mark.models
def test_a_killed_demo_takes_its_nodes_along(folder: Path) -> None:
    demo = Demo(folder)
    until(lambda: any((one / "kitchen" / "run" / "api.json").exists() for one in demo.temporary.iterdir()), 30)
    below = descendants(demo.process.pid)
    demo.process.kill()
    demo.ended(15)
    until(lambda: not any(is_alive(pid) for pid in below), 15, "the nodes' end")
