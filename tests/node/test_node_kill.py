"""`kill -9` of three nodes at any moment, all of them under load: what was acknowledged to a person is there afterwards
and stays readable wherever it was read, the chains hold, and all three come to the same bytes. JARVIS_TEST_KILLS=200
makes a campaign of it."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.errors import JarvisError
from jarvis.testing.processes import NodeProcess, agree, until
from tests.node.conftest import Home

KILLS = int(os.environ.get("JARVIS_TEST_KILLS", "9"))
SEED = int(os.environ.get("JARVIS_TEST_SEED", "1"))
AGREE_S = 60.0
AUDIT_S = 120.0
"""After 200 kills there are tens of thousands of records, and other tests run beside this one."""
BACK_OFF_S = 0.02
MORE = 0.4
"""How often each of the others is killed with it: the power went."""
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
    began_s = time.monotonic()
    chance = random.Random(SEED)
    nodes = home.all_three()
    loads = [Load(node, name) for node, name in zip(nodes, ("salt", "pillow", "umbrella"), strict=True)]
    threads = [threading.Thread(target=load.run, daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    told: dict[str, int] = {}
    killed = verified = 0
    try:
        while killed < KILLS:
            at = chance.randrange(len(nodes))
            loads[at].wait_for(chance.randint(1, MOST_ACKNOWLEDGED))
            witness = nodes[(at + 1) % len(nodes)]
            told |= read_there(witness)
            if killed >= verified:  # it walks over every record there is
                verified += KILLS // 3
                assert audit(witness)["ok"], "also while records come in"
            victims = [node for node in nodes if node is nodes[at] or chance.random() < MORE]
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

    until(lambda: agree(*nodes), AGREE_S, "agreement")
    for node in nodes:
        verdict = audit(node)
        assert verdict["ok"] and not verdict["problems"], verdict
        assert not node.logged("peer refused"), "nobody forked and nobody lied"
        assert not [line for line in node.stderr.splitlines() if "Traceback" in line]
        for load in loads:
            for session, texts in load.turns.items():
                kept = node.texts(session)
                assert len(kept) == len(set(kept))
                assert [text for text in kept if text in set(texts)] == texts
        values = read_there(node)
        promised = [told, *(load.values for load in loads)]
        assert not [key for one in promised for key, number in one.items() if values[key] < number]
    acknowledged = sum(load.acknowledged for load in loads)
    assert acknowledged > KILLS
    print(f"{killed} kills, {acknowledged} acknowledged, {time.monotonic() - began_s:.0f} s, seed {SEED}")


def audit(node: NodeProcess) -> dict[str, Any]:
    verdict = node.call("GET", "/api/v2/audit/verification", deadline_s=AUDIT_S)
    assert isinstance(verdict, dict)
    return verdict


def read_there(node: NodeProcess) -> dict[str, int]:
    """The values that a node shows. What a person was shown a moment before a kill must not be gone after it: its
    author has it, and must not write another under its number."""
    rows = node.get("/api/v2/config")
    return {row["key"]: int(row["value"]) for row in rows if row["key"].startswith("test.")}
