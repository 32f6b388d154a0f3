"""Long work on files leaves the event loop free: links and timers go on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from jarvis.core.errors import Missing
from jarvis.models import cache
from jarvis.node.hearing.sound import Sound
from jarvis.node.minds.language import EmbeddedModel
from jarvis.voice import wav


def test_a_model_is_looked_for_beside_the_loop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    threads: list[threading.Thread] = []

    def locate(_name: str) -> Path:
        threads.append(threading.current_thread())
        if len(threads) == 1:
            raise Missing("The model is not installed.", fix="Pull it.")
        return tmp_path

    async def main() -> None:
        model = EmbeddedModel(cast(Any, None))
        absent = await model.available()
        assert not absent.ok and absent.reason == "The model is not installed. Pull it."
        assert all(one.ok for one in await asyncio.gather(model.available(), model.available()))
        found = len(threads)
        assert (await model.available()).ok and len(threads) == found, "found is found"

    monkeypatch.setattr(cache, "locate", locate)
    asyncio.run(main())
    assert threading.main_thread() not in threads


def test_a_file_that_stands_for_the_microphone_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def read(_path: Path) -> Any:
        threads.append(threading.current_thread())
        return np.ones(5, np.int16)

    async def value(_key: str) -> str:
        return ""

    monkeypatch.setattr(wav, "read", read)
    source: Any = asyncio.run(Sound("wav:kitchen.wav", value, lambda _: None).source())
    assert len(source.samples) == 5 and threads and threading.main_thread() not in threads
