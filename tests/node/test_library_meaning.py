"""The library by meaning, with the real model: found without a shared word, also after its workers were killed; and
what is not known is not said."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from jarvis.models import cache
from jarvis.testing.processes import NodeProcess, jarvis, until
from tests.node.conftest import Home
from tests.node.test_nothing_readable import files, found_in

INDEXED_S = 60.0
CARE = """# Machine care

## Lime

Run the descaling programme every three months with 250 ml of citric acid. Never use vinegar: it harms the seals.

## Noise

A rattling sound comes from cutlery that touches the spray arm.
"""

pytestmark = pytest.mark.models


def search(node: NodeProcess, question: str) -> Any:
    return node.get("/api/v2/knowledge/search", q=question, k=2)


def test_meaning_finds_what_words_do_not_and_survives_its_workers(home: Home, tmp_path: Path) -> None:
    study = home.node("kitchen", env={"JARVIS_MODELS_DIR": str(cache.cache_dir())})
    study.start()
    care = tmp_path / "care.md"
    care.write_text(CARE)
    jarvis("knowledge", "add", str(care), data_dir=study.data_dir).json()
    until(lambda: study.get("/api/v2/knowledge")[0]["waiting"] == 0, INDEXED_S, "the vectors")

    def by_meaning(question: str) -> str:
        found = until(lambda: (one := search(study, question))["by_meaning"] and one, INDEXED_S, "the index")
        return str(found["results"][0]["text"])

    assert "citric acid" in by_meaning("how do I get rid of limescale")
    assert "spray arm" in by_meaning("why is it so loud")

    for name in ("vectors", "embedding"):
        row = next(one for one in study.get("/api/v2/engines") if one["name"] == name)
        os.kill(row["pid"], signal.SIGKILL)
    assert "citric acid" in by_meaning("how do I get rid of limescale")

    study.post("/api/v2/knowledge/reindex")
    until(lambda: study.get("/api/v2/knowledge")[0]["waiting"] == 0, INDEXED_S, "the vectors again")
    assert "citric acid" in by_meaning("how do I get rid of limescale")

    index = home.folder / "kitchen" / "index"
    assert not index.exists()
    if importlib.util.find_spec("chromadb"):
        study.set_config("knowledge.index", "disk")
        until(index.exists, INDEXED_S, "Chroma's files")
        assert "citric acid" in by_meaning("how do I get rid of limescale")
        study.stop()
        for path in files(index):
            assert not found_in(path.read_bytes(), ("vinegar", "rattling", "descaling")), path
        study.start()
        assert "spray arm" in by_meaning("why is it so loud")
        study.set_config("knowledge.index", "memory")
        until(lambda: not index.exists(), INDEXED_S, "their end")
        assert "spray arm" in by_meaning("why is it so loud")

    told = study.ask("What do my documents say about the football match?", "new")
    assert told["reply"].startswith("I found nothing about") and told["citations"] == []
    told = study.ask("What do my documents say about removing limescale?", "new")
    assert "citric acid" in told["reply"] and told["citations"][0]["place"].startswith("Machine care > Lime")

    gone = study.get("/api/v2/knowledge")[0]["document_id"]
    study.call("DELETE", f"/api/v2/knowledge/{gone}")
    assert search(study, "how do I get rid of limescale")["results"] == []
