"""The campaign of claims, briefly: `scripts/claims` counts, meets its aims, and sees a home that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def claims(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sims.claims", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_one_room_answers_in_all_of_some_hundred_trials() -> None:
    ran = claims("--nodes", "5", "--trials", "300", "--seed", "7", "--json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["trials"] == 300 and found["ok"]
    assert found["nobody_answers"] == found["several_answers"] == found["several_chimes"] == 0
    assert found["winners_that_waited"] == found["second_person_unanswered"] == 0


def test_a_home_whose_links_are_too_slow_is_seen() -> None:
    ran = claims("--trials", "100", "--delay", "600", "--json")
    found = json.loads(ran.stdout)
    assert ran.returncode == 1 and not found["ok"]
    assert found["several_chimes"] > 0 and found["nobody_answers"] == 0
