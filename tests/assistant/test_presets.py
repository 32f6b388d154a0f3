"""Which language model suits a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.assistant.providers.presets import GIB, PRESETS, device_memory_bytes, suited


@pytest.mark.parametrize(
    ("gib", "model"),
    [(1, "llama3.2:1b"), (4, "llama3.2:1b"), (8, "llama3.2:3b"), (16, "qwen3:8b"), (64, "gpt-oss:20b")],
)
def test_the_largest_that_leaves_half_of_the_memory_is_suited(gib: int, model: str) -> None:
    assert suited(gib * GIB).model == model


def test_they_are_ranked_and_need_more_than_their_file() -> None:
    needs = [one.memory_bytes for one in PRESETS]
    assert needs == sorted(needs) and all(one.memory_bytes > one.file_bytes for one in PRESETS)
    assert device_memory_bytes() > GIB // 8


def test_the_docs_name_each_with_its_memory() -> None:
    text = (Path(__file__).parents[2] / "docs" / "assistant.md").read_text(encoding="utf-8")
    for one in PRESETS:
        assert f"| `{one.model}` | {one.memory_bytes / GIB:g} GiB |" in text
