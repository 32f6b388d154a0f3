"""`kill -9` at any moment under load: what was acknowledged to a person or to a peer is there afterwards, the chains
hold, and both nodes come to the same bytes. JARVIS_TEST_KILLS makes a campaign of it."""

from __future__ import annotations

import os
import random
import threading
from dataclasses import dataclass, field

from jarvis.core.errors import JarvisError
from jarvis.testing.processes import NodeProcess, agree, until
from tests.node.conftest import Home

KILLS = int(os.environ.get("JARVIS_TEST_KILLS", "20"))
SEED = int(os.environ.get("JARVIS_TEST_SEED", "1"))
AGREE_S = 30.0
BACK_OFF_S = 0.02
BOTH = 0.6
"""How often both are killed at once: the power went."""
MOST_ACKNOWLEDGED = 25
"""After at most so many answers the kill comes: in the middle of the next ones."""


@dataclass
class Load:
    """Asks and sets without a pause, in a thread of its own, and keeps whatever was acknowledged."""

    node: NodeProcess
    name: str
    turns: dict[str, list[str]] = field(default_factory=dict)
    """Session -> texts in the order of their acknowledgements."""
    values: dict[str, int] = field(default_factory=dict)
    """Key -> number of the last acknowledged value; a later one may have been kept unacknowledged."""
    count: int = 0
    acknowledged: int = 0
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    progress: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        while not self.stop.is_set():
            self.count += 1
            try:
                if self.count % 2:
                    text = f"Remember {self.name} number {self.count}."
                    answer = self.node.ask(text)
                    assert answer["reply"].startswith("I'll remember"), answer
                    self.turns.setdefault(answer["session_id"], []).append(text)
                else:
                    key = f"test.{self.name}{self.count % 6}"
                    self.node.set_config(key, str(self.count))
                    self.values[key] = self.count
            except JarvisError:  # the node was killed meanwhile; nothing was promised
                self.stop.wait(BACK_OFF_S)
                continue
            except BaseException as error:
                self.errors.append(repr(error))
                raise
            with self.progress:
                self.acknowledged += 1
                self.progress.notify_all()

    def wait_for(self, more: int, within_s: float = 30.0) -> None:
        with self.progress:
            wanted = self.acknowledged + more
            assert self.progress.wait_for(lambda: self.acknowledged >= wanted, within_s), "the load stands still"


def test_nothing_acknowledged_is_lost_by_kill_9(home: Home) -> None:
    chance = random.Random(SEED)
    nodes = kitchen, bedroom = home.pair()
    loads = [Load(node, name) for node, name in zip(nodes, ("salt", "pillow"), strict=True)]
    threads = [threading.Thread(target=load.run, daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    echoed: dict[str, int] = {}
    try:
        killed = 0
        while killed < KILLS:
            at = chance.randrange(2)
            loads[at].wait_for(chance.randint(1, MOST_ACKNOWLEDGED))
            echoed |= held_by_peer(nodes[1 - at])
            verdict = nodes[1 - at].get("/api/v2/audit/verification")
            assert verdict["ok"], f"also while records come in: {verdict}"
            victims = nodes if chance.random() < BOTH else (nodes[at],)
            for node in victims:
                node.kill()
            for node in victims:
                node.launch()
            for node in victims:
                node.wait_ready()
            killed += len(victims)
        for load in loads:
            load.wait_for(1)
    finally:
        for load in loads:
            load.stop.set()
        for thread in threads:
            thread.join(30)
    assert not [error for load in loads for error in load.errors]

    until(lambda: agree(kitchen, bedroom), AGREE_S, "agreement")
    for node in nodes:
        verdict = node.get("/api/v2/audit/verification")
        assert verdict["ok"] and not verdict["problems"], verdict
        assert not node.logged("peer refused"), "nobody forked and nobody lied"
        assert not [line for line in node.stderr.splitlines() if "Traceback" in line]
        for load in loads:
            for session, texts in load.turns.items():
                kept = node.texts(session)
                assert len(kept) == len(set(kept))
                assert [text for text in kept if text in set(texts)] == texts
            for key, number in load.values.items():
                assert int(node.get(f"/api/v2/config/{key}")["value"]) >= number
    for key, number in echoed.items():
        for node in nodes:
            assert int(node.get(f"/api/v2/config/{key}")["value"]) >= number
    assert sum(load.acknowledged for load in loads) > KILLS


def held_by_peer(node: NodeProcess) -> dict[str, int]:
    """What the other node holds of the values a moment before the kill: its author must know it afterwards."""
    rows = node.get("/api/v2/config")
    return {row["key"]: int(row["value"]) for row in rows if row["key"].startswith("test.")}
