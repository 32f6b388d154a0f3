"""The embedding engine in its worker, with the real model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, Missing
from jarvis.engines.engine import Engine
from jarvis.knowledge.embedding import DIMENSIONS, MAX_CHARACTERS, MAX_TEXTS, MODEL, embedding_worker
from jarvis.models import cache

pytestmark = pytest.mark.models
Ask = Callable[[Value], Any]


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    with asyncio.Runner() as runner:

        async def bounded(work: Awaitable[Any]) -> Any:
            async with asyncio.timeout(60):
                return await work

        yield lambda work: runner.run(bounded(work))


@pytest.fixture(scope="module")
def embed(run: Callable[[Awaitable[Any]], Any]) -> Iterator[Ask]:
    if not cache.installed(MODEL):
        reason = f"The model {MODEL} is not installed; run `jarvis models pull {MODEL}`."
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    engine = Engine("embedding", "embedding", embedding_worker())

    def ask(texts: Value) -> Any:
        answer = run(engine.call("embed", texts, deadline_s=30))
        return np.stack([np.frombuffer(one, "<f4") for one in answer]) if answer else answer

    yield ask
    run(engine.close())


def test_what_means_the_same_lies_near(embed: Ask) -> None:
    texts = [
        "How do I bake bread?",
        "A recipe for a loaf made of flour, water and yeast.",
        "The train to the coast leaves at nine.",
        "When does the railway go to the sea?",
    ]
    vectors = embed(texts)
    assert vectors.shape == (4, DIMENSIONS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near = vectors @ vectors.T
    assert near[0, 1] > 0.4 and near[2, 3] > 0.4
    assert max(near[0, 2], near[0, 3], near[1, 2], near[1, 3]) < min(near[0, 1], near[2, 3]) - 0.2


def test_a_text_has_one_vector_whoever_stands_beside_it(embed: Ask) -> None:
    text = "The boiler was serviced in May."
    alone = embed([text])[0]
    crowd = embed(["x" * 3_000, text, "", "word " * 900, text])
    assert (crowd[1] == alone).all() and (crowd[4] == alone).all()
    assert np.isfinite(crowd).all()


def test_bounds_are_told(embed: Ask) -> None:
    assert embed([]) == []
    assert len(embed(["a"] * MAX_TEXTS)) == MAX_TEXTS
    for wrong in (["a"] * (MAX_TEXTS + 1), ["a" * (MAX_CHARACTERS + 1)], "text", [1]):
        with pytest.raises(InvalidInput):
            embed(wrong)


def test_without_its_model_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("JARVIS_MODELS_DIR", str(tmp_path))

    async def main() -> None:
        engine = Engine("embedding", "embedding", embedding_worker())
        with pytest.raises(Missing, match="not installed") as absent:
            await engine.call("embed", ["a"], deadline_s=30)
        assert "models pull minilm-l6-v2" in absent.value.fix
        assert engine.component()["state"] == "failed"
        await engine.close()

    asyncio.run(main())
