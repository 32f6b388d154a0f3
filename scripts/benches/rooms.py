"""A question in a room that holds nothing, answered by three others over real links on this machine, with real models:
how long from the request to the passages when all are there, when one hangs with its link still up, and when it is
gone; and whether the holder, or who was silent, is named.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benches.table import Row, percentile, row
from jarvis.models import cache
from jarvis.models.pull import pull
from jarvis.testing.processes import NodeProcess, jarvis, linked, until

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ROOT / "tests" / "knowledge" / "questions.toml"
HELD = {
    "kitchen": ("voice.md", "assistant.md"),
    "bedroom": ("replication.md", "links.md"),
    "hall": ("cli.md", "backup.md"),
}
ASKING = "study"
ASKED = 25
"""Questions in a row; a room answers each other 60 at once and 8 a second."""
PAUSE_S = 4.0
READY_S = 180.0
MOST_MS = 300.0


def run() -> list[Row]:
    pull(["minilm-l6-v2"])
    env = {"JARVIS_OLLAMA_URL": "", "JARVIS_MODELS_DIR": str(cache.cache_dir())}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        nodes = _founded(home, env)
        try:
            for room, pages in HELD.items():
                papers = home / "papers" / room
                papers.mkdir(parents=True)
                for page in pages:
                    shutil.copy(ROOT / "docs" / page, papers)
                jarvis("knowledge", "add", str(papers), data_dir=nodes[room].data_dir, env=env, within_s=READY_S).json()
            count = sum(map(len, HELD.values()))
            until(lambda: len(nodes[ASKING].get("/api/v2/knowledge")) == count, READY_S, "the titles")
            for room in HELD:
                until(lambda room=room: _indexed(nodes[room]), READY_S, f"the vectors in {room}")  # type: ignore[misc]
            return _measured(nodes)
        finally:
            for node in nodes.values():
                node.close()


def _founded(home: Path, env: dict[str, str]) -> dict[str, NodeProcess]:
    """Four nodes, each linked with all others."""
    first, *others = (*HELD, ASKING)
    jarvis("init", "--name", first, data_dir=home / first, env=env).json()
    nodes = {first: NodeProcess(home / first, "--no-mdns", "--bind", "127.0.0.1", env=env)}
    nodes[first].start()
    for room in others:
        invitation = nodes[first].post("/api/v2/nodes/invitations", {"name": room, "room": room})
        joining = ("node", "join", invitation["code"], "--peer", invitation["peer"])
        jarvis(*joining, data_dir=home / room, env=env).json()
        peers = [f"--peer={node.peer_address}" for node in nodes.values()]
        nodes[room] = NodeProcess(home / room, "--no-mdns", "--bind", "127.0.0.1", *peers, env=env)
        nodes[room].start()
    until(lambda: linked(*nodes.values()), READY_S, "the links")
    return nodes


def _indexed(node: NodeProcess) -> bool:
    rows = [one for one in node.get("/api/v2/knowledge") if one["waiting"] is not None]
    return bool(rows) and not any(one["waiting"] for one in rows)


def _measured(nodes: dict[str, NodeProcess]) -> list[Row]:
    asking, hall = nodes[ASKING], nodes["hall"]
    questions = [
        (one["ask"], room)
        for one in tomllib.loads(QUESTIONS.read_text())["question"]
        for room, pages in HELD.items()
        if one["page"] in pages
    ][:: 60 // ASKED][:ASKED]
    until(lambda: _search(asking, questions[0][0])["by_meaning"], READY_S, "the model")
    rows = _rows("all there", asking, questions, lambda found: not found["silent"])
    time.sleep(PAUSE_S)
    os.kill(hall.pid, signal.SIGSTOP)
    try:
        rows += _rows("one hangs", asking, questions, lambda found: found["silent"] == ["hall"])
    finally:
        os.kill(hall.pid, signal.SIGCONT)
    hall.stop()
    time.sleep(PAUSE_S)
    return rows + _rows("one is gone", asking, questions, lambda found: found["silent"] == ["hall"])


def _rows(
    what: str, asking: NodeProcess, questions: list[tuple[str, str]], is_named: Callable[[dict[str, Any]], bool]
) -> list[Row]:
    times, named, held = [], 0, 0
    for question, room in questions:
        began = time.perf_counter()
        found = _search(asking, question)
        times.append(1000 * (time.perf_counter() - began))
        named += is_named(found)
        held += room in [one["holder"] for one in found["results"]]
    return [
        row(f"{what}: a question, p50", percentile(times, 0.5), "ms"),
        row(f"{what}: a question, p95", percentile(times, 0.95), "ms", most=MOST_MS),
        row(f"{what}: the longest", max(times), "ms"),
        row(f"{what}: who is silent is named, and nobody else", named / len(times), "of all", least=1.0),
        row(f"{what}: passages of the right room, with its name", held / len(times), "of all"),
    ]


def _search(node: NodeProcess, question: str) -> dict[str, Any]:
    return dict(node.get("/api/v2/knowledge/search", q=question, k=5))
