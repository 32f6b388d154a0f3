"""`kill -9` of each worker of a real node in the middle of a turn: the turn ends right or with an honest sentence, and
the next one is right. `JARVIS_TEST_ENGINE_KILLS` makes it a campaign of so many kills of each kind."""

from __future__ import annotations

import io
import os
import random
import signal
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jarvis.api.client import Client
from jarvis.assistant.replies import BROKE_OFF, FAILED
from jarvis.core.errors import EngineFailed, JarvisError
from jarvis.models import cache
from jarvis.testing.processes import NodeProcess, jarvis, until
from jarvis.voice.conversation import DEAF_ONLY

pytestmark = [pytest.mark.models, pytest.mark.recordings]
KILLS = int(os.environ.get("JARVIS_TEST_ENGINE_KILLS", "1"))
REALTIME = KILLS > 1
"""A campaign plays the sound as a microphone would, five seconds a turn; else a turn takes under one."""
TURN_S = 5.5 if REALTIME else 1.0
MODELS = ("whisper-tiny.en", "smart-turn-v3", "piper-en_US-joe-medium", "smollm2-135m")
AUDIO = Path(os.environ.get("JARVIS_TEST_AUDIO", Path(__file__).resolve().parents[3] / "shared" / "audio"))
WRITTEN_S = 240.0
"""Likewise for an answer: twice the minute after which the node itself gives a model up, and what it does then."""
LOADED_S = 60.0
"""A machine that does a dozen other things loads a model in many times the second that it takes."""


def absent(reason: str) -> None:
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    for name in MODELS:
        if not cache.installed(name):
            absent(f"The model {name} is not installed; run `jarvis models pull`.")
    folder, env = tmp_path_factory.mktemp("killed"), {"JARVIS_OLLAMA_URL": ""}
    jarvis("init", "--name", "kitchen", data_dir=folder, env=env).json()
    with NodeProcess(folder, "--no-mdns", "--bind", "127.0.0.1", env=env) as one:
        yield one
        print(f"--- the node said:\n{one.stderr[-8_000:]}")  # shown when a test failed


@pytest.fixture(scope="module")
def question() -> bytes:
    """What time it is, five seconds."""
    return utterance("what_time_is_it.wav")


def utterance(command: str) -> bytes:
    """The wake word, a command and a second of silence."""
    parts = [np.zeros(3_200, np.int16)]
    for name in ("hey_jarvis_1.wav", command):
        if not (AUDIO / name).is_file():
            absent(f"The recording {AUDIO / name} is absent (JARVIS_TEST_AUDIO names another folder).")
        parts += [soundfile.read(AUDIO / name, dtype="int16")[0], np.zeros(3_200, np.int16)]
    out = io.BytesIO()
    soundfile.write(out, np.concatenate([*parts, np.zeros(16_000, np.int16)]), 16_000, format="WAV")
    return out.getvalue()


def hear(node: NodeProcess, sound: bytes, *, realtime: bool = False) -> dict[str, Any]:
    heard = Client(node.data_dir).upload("/api/v2/voice", sound, wake=True, realtime=realtime, deadline_s=120)
    assert isinstance(heard, dict)
    return heard


def engine(node: NodeProcess, name: str) -> dict[str, Any]:
    return next(row for row in node.get("/api/v2/engines") if row["name"] == name)


def kill(node: NodeProcess, name: str) -> bool:
    """Whether there was one to kill."""
    pid = engine(node, name)["pid"]
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


@contextmanager
def beside(work: Any, *arguments: Any, **named: Any) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work, *arguments, **named)


def is_right(turn: dict[str, Any]) -> bool:
    return "time is it" in turn["heard"].lower() and turn["reply"].startswith("It") and bool(turn["reply_audio"])


def outcome_of(turn: dict[str, Any]) -> str:
    if is_right(turn):
        return "right"
    if turn["reply"] == DEAF_ONLY and turn["problems"] and b64decode(turn["reply_audio"]):
        return "apology"
    if turn["wake"] is None and not turn["reply"]:
        return "wake word lost"
    raise AssertionError({name: value for name, value in turn.items() if name != "reply_audio"})


@pytest.mark.parametrize("name", ["ears", "stt", "tts"])
def test_a_worker_killed_in_mid_turn_costs_that_turn_at_most(node: NodeProcess, question: bytes, name: str) -> None:
    assert is_right(hear(node, question))
    chance, outcomes = random.Random(name), Counter[str]()
    for _ in range(KILLS):
        moment = chance.uniform(0.0, TURN_S)
        with beside(hear, node, question, realtime=REALTIME) as turn:
            time.sleep(moment)  # the turn's own time, not something to wait for
            until(lambda: kill(node, name), LOADED_S, f"a {name} engine to kill")
            outcome = outcome_of(turn.result())
        outcomes[outcome] += 1
        assert outcome != "wake word lost" or (name == "ears" and moment < 3), "nobody knew that somebody spoke"
        assert is_right(hear(node, question)), f"the turn after {outcome}, killed at {moment:.2f} s"
    row = until(lambda: (found := engine(node, name))["breaker"] == "closed" and found, LOADED_S)
    assert row["restarts"] >= 1 and row["state"] == "ready"
    print(f"{name}: {dict(outcomes)} of {KILLS} kills")


def test_a_model_killed_while_it_writes_is_owned_up_to(node: NodeProcess) -> None:
    node.post("/api/v2/engines/llm/restart", deadline_s=LOADED_S)
    began = time.monotonic()
    assert node.ask("Tell me a story about the sea.", deadline_s=WRITTEN_S)["source"] == "llm"
    took_s = time.monotonic() - began
    chance, outcomes = random.Random("llm"), Counter[str]()
    for number in range(KILLS):
        with beside(node.ask, f"Tell me a story about {number + 3} ships.", "new", deadline_s=WRITTEN_S) as turn:
            time.sleep(chance.uniform(0.0, took_s))
            kill(node, "llm")
            reply = turn.result()["reply"]
        assert reply
        honest = reply.endswith((BROKE_OFF, FAILED))
        outcomes["said so" if honest else "whole"] += 1
        after = node.ask("Tell me a story about a lighthouse.", "new", deadline_s=WRITTEN_S)["reply"]
        assert after and not after.endswith((BROKE_OFF, FAILED))
    print(f"llm: {dict(outcomes)} of {KILLS} kills")


def test_a_restart_that_people_ask_for_costs_nobody_a_turn(node: NodeProcess, question: bytes) -> None:
    before = engine(node, "stt")["pid"]
    with beside(hear, node, question, realtime=REALTIME) as turn:
        time.sleep(0.7 * TURN_S)
        row = node.post("/api/v2/engines/stt/restart", deadline_s=LOADED_S)
        assert row["state"] == "ready" and row["pid"] != before and row["breaker"] == "closed"
        assert is_right(turn.result())


def test_an_engine_killed_while_nobody_asks_is_back_before_anybody_does(node: NodeProcess) -> None:
    name = "embedding" if cache.installed("minilm-l6-v2") else "stt"
    row = node.post(f"/api/v2/engines/{name}/restart", deadline_s=LOADED_S)
    assert row["state"] == "ready" and row["rss_bytes"] > 10_000_000
    assert kill(node, name)

    def back() -> bool:
        now = engine(node, name)
        return now["state"] == "ready" and now["pid"] != row["pid"]

    until(back, LOADED_S, f"the {name} engine")
    assert engine(node, name)["restarts"] == row["restarts"] + 1


@contextmanager
def always_killed(node: NodeProcess, name: str) -> Iterator[None]:
    stop = threading.Event()

    def murder() -> None:
        while not stop.wait(0.02):
            with suppress(JarvisError):
                kill(node, name)

    with beside(murder):
        try:
            yield
        finally:
            stop.set()


@pytest.mark.parametrize("name", ["ears", "stt"] if KILLS > 1 else ["stt"])
def test_hearing_that_always_dies_is_owned_up_to_and_comes_back(node: NodeProcess, question: bytes, name: str) -> None:
    assert is_right(hear(node, question))
    with always_killed(node, name):
        until(lambda: outcome_of(hear(node, question)) == "apology", LOADED_S, "an honest sentence")
    until(lambda: is_right(hear(node, question)), LOADED_S, "its return")
    assert engine(node, name)["breaker"] == "closed"


def test_a_voice_that_always_dies_is_left_alone_and_comes_back(node: NodeProcess, question: bytes) -> None:
    assert is_right(hear(node, question))
    until(lambda: "apologies are ready" in node.stderr, LOADED_S, "the apologies")
    with always_killed(node, "tts"):
        for number in range(20):
            with suppress(EngineFailed):  # it may have said the first one before it was killed
                node.post("/api/v2/voice/say", {"text": f"Nobody will hear sentence {number}."})
            if engine(node, "tts")["breaker"] == "open":
                break
        assert engine(node, "tts")["breaker"] == "open"
        component = node.get("/api/v2/health")["components"]["tts"]
        assert component["state"] == "failed" and "left alone" in component["detail"]
        turn = hear(node, utterance("set_timer.wav"))
        assert turn["reply"] == "Timer set for 10 minutes." and turn["problems"], "it is written and owned up to"
        assert b64decode(turn["reply_audio"]), "an apology that was made while the voice worked"
        assert b64decode(hear(node, question)["reply_audio"])

    def speaks() -> bool:
        with suppress(EngineFailed):
            node.post("/api/v2/voice/say", {"text": "Here I am again."})
            return True
        return False

    until(speaks, LOADED_S, "the voice")
    assert engine(node, "tts")["breaker"] == "closed"
    assert is_right(hear(node, question))


@pytest.mark.skipif(KILLS < 2, reason="takes nine seconds a kill; JARVIS_TEST_ENGINE_KILLS=2 or more runs it")
def test_a_room_that_listens_all_day_goes_on(node: NodeProcess, question: bytes, tmp_path: Path) -> None:
    """A microphone that hears a question every nine seconds, while engines are killed in turn."""
    asked = np.concatenate([soundfile.read(io.BytesIO(question), dtype="int16")[0], np.zeros(4 * 16_000, np.int16)])
    times = KILLS + 2
    soundfile.write(tmp_path / "day.wav", np.concatenate([asked] * times), 16_000)
    env, chance = {"JARVIS_OLLAMA_URL": ""}, random.Random("day")
    folder = tmp_path / "hall"
    jarvis("init", "--name", "hall", data_dir=folder, env=env).json()
    with NodeProcess(folder, "--no-mdns", "--audio", f"wav:{tmp_path / 'day.wav'}", env=env) as hall:

        def said() -> list[str]:
            sessions = hall.get("/api/v2/sessions")
            return [text for row in sessions for text in hall.texts(row["session_id"])]

        until(lambda: said(), LOADED_S, "the first question")
        for number in range(KILLS):
            time.sleep(chance.uniform(7.0, 11.0))
            until(lambda name=("ears", "stt", "tts")[number % 3]: kill(hall, name), LOADED_S)
        until(lambda: "ended" in hall.get("/api/v2/health")["components"]["audio"]["detail"], LOADED_S, "the day's end")
        heard = len(said())
        print(f"a listening room: {heard} of {times} questions heard and kept, {KILLS} kills")
        assert all("time is it" in text.lower() for text in said())
        assert heard >= times - KILLS
        assert all(row["breaker"] == "closed" for row in hall.get("/api/v2/engines"))


@pytest.mark.skipif(KILLS < 2, reason="takes a minute and a half; JARVIS_TEST_ENGINE_KILLS=2 or more runs it")
def test_memory_is_given_back_when_nobody_speaks(node: NodeProcess, question: bytes) -> None:
    node.set_config("engine.idle_minutes", "1")
    try:
        assert is_right(hear(node, question))
        held = {row["name"]: row["rss_bytes"] for row in node.get("/api/v2/engines") if row["pid"]}
        assert {"ears", "stt", "tts"} <= held.keys() and min(held.values()) > 10_000_000
        until(lambda: not any(row["pid"] for row in node.get("/api/v2/engines")), 120, "every engine's end")
        print(f"given back: { {name: f'{size / 1e6:.0f} MB' for name, size in held.items()} }")
        assert all(row["rss_bytes"] == 0 for row in node.get("/api/v2/engines"))
        assert is_right(hear(node, question))
    finally:
        node.set_config("engine.idle_minutes", "30")
