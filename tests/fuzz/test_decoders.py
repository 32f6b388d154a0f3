"""Every decoder takes damaged bytes: it understands them or says so, and keeps nothing. `scripts/fuzz` does it for
longer."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidBytes
from jarvis.sync import messages
from jarvis.testing import decoders
from jarvis.testing.decoders import read_corpus, records, targets
from jarvis.testing.fuzzing import MAX_CRASHES, MAX_GROWTH_BYTES, Target, fuzz, rss_bytes, run_one

CORPUS = Path(__file__).parent / "corpus"
ROOT = Path(__file__).parents[2]
NAMES = sorted(targets())
INPUTS = {"pairing": 150}
"""Elliptic curves take their time."""


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_taken(name):
    target = targets()[name]
    files = sorted((CORPUS / name).glob("*.bin"))
    assert files, "scripts/fuzz --write-corpus"
    for path in files:
        _, crash = run_one(target, path.read_bytes())
        assert crash is None, f"{path.name}: {crash}"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_well_formed_is_understood(name):
    target = targets()[name]
    understood = [data for data in target.examples() if run_one(target, data)[0]]
    assert len(understood) >= len(target.examples()) - 1  # a record of a kind from the future fits no kind of today


@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes_harm_nothing(name):
    target = targets()[name]
    result = fuzz(target, read_corpus(CORPUS, target), executions=INPUTS.get(name, 2_500))
    assert not result.crashes, result.crashes[0]
    assert result.executions == INPUTS.get(name, 2_500)


def test_the_corpus_holds_every_message_and_every_kind():
    kinds = {type(messages.decode(path.read_bytes())) for path in (CORPUS / "frame").glob("*.bin")}
    assert kinds >= set(messages._NUMBERS)
    documents = {one.header.document.split("/")[0] for one in records()}
    assert documents >= {"config", "sessions", "audit", "session", "notes", "metrics"}


def test_damage_reaches_what_lies_behind_the_first_check():
    for name in ("frame", "record", "kinds", "entry", "chain", "protocol"):
        target = targets()[name]
        result = fuzz(target, read_corpus(CORPUS, target), executions=1_500)
        assert result.understood > 15, name


def test_one_seed_is_one_sequence():
    def run(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        target = Target("x", seen.append, list)
        fuzz(target, [pack({"a": [1, b"b", "c"]})], seed=seed, executions=500)
        return seen

    assert run(1) == run(1) != run(2)
    assert len(set(run(1))) > 200


def test_a_decoder_that_falls_over_is_found():
    def careless(data: bytes) -> None:
        if not data:
            raise InvalidBytes("nothing")
        data[data[0]]

    result = fuzz(Target("x", careless, list), [b"\x01ab"], executions=2_000)
    assert len(result.crashes) == MAX_CRASHES
    assert "IndexError" in result.crashes[0].reason


def test_a_decoder_that_keeps_what_it_saw_is_found(monkeypatch):
    kept: list[mmap.mmap] = []

    def keep(data: bytes) -> None:
        area = mmap.mmap(-1, 50_000)  # pages of its own: what other tests left free in the heap is not grown into
        area.write(bytes(50_000))
        kept.append(area)

    monkeypatch.setattr("jarvis.testing.fuzzing.WARM_UP_S", 0.0)
    before = rss_bytes()
    target = Target("x", keep, list)
    result = fuzz(target, [b"abc"], executions=1_000)
    assert result.grew, result
    assert rss_bytes() - before > MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    ("length", "at_least"), [(["--seconds", "0.4"], 100), (["--inputs", "700", "--jobs", "1"], 700)]
)
def test_the_script_counts(length, at_least):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    ran = subprocess.run(
        [sys.executable, "-m", "sims.decoders", *length, "--target", "header", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["executions"] >= at_least
    assert found["crashes"] == 0
    assert found["targets"][0]["target"] == "header"


def test_a_crash_becomes_part_of_the_corpus(tmp_path):
    path = decoders.save(tmp_path, "header", b"\xff\xfe")
    assert read_corpus(tmp_path, targets()["header"]) == [b"\xff\xfe"]
    assert path.parent == tmp_path / "header"
