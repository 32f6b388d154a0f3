"""What `scripts/sim` says and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jarvis.crdt.lifecycle import Lifecycle

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.Popen(
        [sys.executable, "-m", "sims.homes", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def homes(monkeypatch):
    """The script as a module of this process, where the product can be broken."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from sims import homes

    return homes


def test_it_counts_homes_and_faults():
    code, out, _ = run("--seeds", "6", "--nodes", "3", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["seeds"] == 6
    assert (found["diverged"], found["lost"], found["crashed"]) == (0, 0, 0)
    assert sum(found["faults"].values()) > 6
    assert found["seconds"] > 0


def test_a_table_for_people():
    code, out, _ = run("--seeds", "2", "--nodes", "2", "--faults", "crash")
    assert code == 0
    assert "seeds/s" in out
    assert "diverged 0, lost 0, crashed 0" in out


@pytest.mark.parametrize("wrong", [("--nodes", "1"), ("--seeds", "0"), ("--faults", "flood")])
def test_nonsense_is_refused(wrong):
    assert run(*wrong)[0] == 2


def test_a_failure_names_its_seed_and_a_short_history(homes, monkeypatch, capsys):
    monkeypatch.setattr(Lifecycle, "living", lambda self: set(self.added))
    seed = next(seed for seed in range(30) if homes.simulate(seed, 3).failure)
    assert homes.Campaign(3, homes.ALL_FAULTS, as_json=True).run(seed, 1) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["seed"], found["diverged"], found["seeds"]) == (seed, 1, 1)
    assert 2 <= len(found["history"]) <= 3
    homes.Campaign(3, homes.ALL_FAULTS, as_json=False).run(seed, 1)
    assert f"--nodes 3 --seed {seed}" in capsys.readouterr().out


def test_ctrl_c_tells_what_was_done():
    process = start("--seeds", "1000000", "--nodes", "2", "--json")
    time_to_start_s = time.monotonic() + 30
    while time.monotonic() < time_to_start_s and len(children(process.pid)) < 2 and (os.cpu_count() or 1) > 1:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["seeds"] >= 0


def children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
