"""The library's index in a node's store: vectors are made of chunks in their place, and all in the same way."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from jarvis.knowledge.embedding import MAX_CHARACTERS
from jarvis.node.library import index
from jarvis.node.library.index import Index
from jarvis.node.records.journal import Journal
from tests.node.test_timers import Kept, LoopClock

PLACED = "Oven > Care"


class Embedding:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        self.texts += args[0]
        return [f"{len(self.texts)}".encode()] * len(args[0])


class Vectors:
    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        return []


async def kept_up(kept: Kept, folder: Path) -> list[str]:
    """What a node that starts with this store embeds until nothing waits."""

    async def form() -> str:
        return "memory"

    journal, embedding = Journal(kept.store, kept.replica(LoopClock())), Embedding()
    made = Index(journal, embedding, Vectors(), form=form, folder=folder, follow=lambda _: None)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(10):
        while not made._filled.is_set() or await journal.read(lambda tx, _: tx.library.waiting(1)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert made.problem == ""
    return embedding.texts


def test_vectors_made_in_another_way_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()

    def work(tx: Any) -> None:
        tx.library.begin("oven", b"")
        tx.library.append("oven", [(PLACED, "Care\n\nDescale it."), ("Oven > " + "x" * 99, "y" * MAX_CHARACTERS)])

    kept.store.transact(work)

    async def main() -> None:
        first, longest = await kept_up(kept, tmp_path)
        assert first == f"{PLACED}\n\nDescale it." and len(longest) == MAX_CHARACTERS
        assert await kept_up(kept, tmp_path) == [], "they are kept"
        monkeypatch.setattr(index, "MADE", b"otherwise")
        assert len(await kept_up(kept, tmp_path)) == 2
        assert kept.store.transact(lambda tx: tx.library.search(["descale"], 9)), "their words too"

    asyncio.run(main())
