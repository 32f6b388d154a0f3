"""The index of vectors against the plainest search there is, and within its worker."""

from __future__ import annotations

import asyncio
import random

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.knowledge import vectors
from jarvis.knowledge.embedding import DIMENSIONS

np = pytest.importorskip("numpy", reason="the knowledge extra is not installed")


def unit(rng: random.Random) -> bytes:
    row = np.array([rng.gauss(0, 1) for _ in range(DIMENSIONS)])
    return (row / np.linalg.norm(row)).astype("<f4").tobytes()


def plainly(held: dict[int, bytes], wanted: bytes, most: int) -> list[int]:
    question = np.frombuffer(wanted, "<f4")
    return sorted(held, key=lambda one: -float(np.frombuffer(held[one], "<f4") @ question))[:most]


def test_it_finds_what_the_plainest_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 8)
    rng, index, held = random.Random(5), vectors.MemoryVectors(), {}
    index.begin("first")
    for step in range(60):
        if held and rng.random() < 0.4:
            gone = rng.sample(sorted(held), rng.randrange(1, len(held) + 1))
            for one in gone:
                held.pop(one, None)
            assert index.remove([*gone, 10_000]) == len(held)
        ids = rng.sample(range(100), rng.randrange(1, 9))
        new = {one: unit(rng) for one in ids}
        held |= new
        assert index.add(ids, b"".join(new[one] for one in ids)) == len(held)
        wanted = unit(rng)
        mark, found, scores = index.nearest(wanted, 5)
        assert (mark, found) == ("first", plainly(held, wanted, 5)), step
        assert scores == sorted(scores, reverse=True)
        one = rng.choice(sorted(held))
        assert index.nearest(held[one], 1)[1:] == [[one], [pytest.approx(1.0, abs=1e-5)]]
    index.begin("second")
    assert index.nearest(unit(rng), 5) == ["second", [], []]


def test_what_is_no_vector_is_refused() -> None:
    index = vectors.MemoryVectors()
    for ids, data in (([1], b""), ([1, 2], bytes(4 * DIMENSIONS)), (list(range(2_000)), bytes(8_000 * DIMENSIONS))):
        with pytest.raises(InvalidInput):
            index.add(ids, data)
    for wanted, most in ((b"", 5), (bytes(4 * DIMENSIONS), 0)):
        with pytest.raises(InvalidInput):
            index.nearest(wanted, most)


def test_it_works_in_its_worker() -> None:
    async def body() -> None:
        worker, vector = vectors.vectors_worker(), unit(random.Random(1))
        try:
            async with asyncio.timeout(60):
                await worker.start()
                await worker.call("begin", "mark", deadline_s=20)
                assert await worker.call("add", [7], vector, deadline_s=20) == 1
                mark, ids, _ = await worker.call("nearest", vector, 3, deadline_s=20)
                assert (mark, ids) == ("mark", [7])
        finally:
            await worker.close()

    asyncio.run(body())
