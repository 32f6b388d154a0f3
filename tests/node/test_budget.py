"""A store that may hold so much and no more: it says so, takes what makes room, and goes on once there is some."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import StoreFull
from jarvis.core.ids import from_text
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import CONFIG, SESSIONS
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.records.budget import RECORD_BYTES, Budget
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Store
from jarvis.store.sqlcipher import SqlCipherStore
from jarvis.testing.processes import NodeProcess, agree, linked, until
from tests.node.conftest import Home

SESSION = "session/aaaaaaaaaaaaaaaa"
FILLER = "x" * 4_000
WITHIN_S = 20.0


async def kitchen(store: Store) -> Journal:
    key, owner = SigningKey(os.urandom(SEED_BYTES)), SigningKey(os.urandom(SEED_BYTES))
    chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
    replica = Replica(key, entropy=os.urandom, wall_ms=SystemClock().wall_ms)
    await store.write(lambda tx: replica.found(tx, chain))
    return Journal(store, replica)


async def used(journal: Journal) -> int:
    return await journal.read(lambda tx, _: tx.used_bytes())


async def fill(journal: Journal, most: int = 400) -> int:
    """How many turns went in before it was full."""
    for number in range(most):
        try:
            await journal.write((SESSION, lambda state: [state.add_turn({"text": FILLER})]))
        except StoreFull:
            return number
    raise AssertionError("it never became full")


@pytest.mark.parametrize("form", ["memory", "disk"])
def test_what_makes_room_is_written_when_nothing_else_is(form: str, tmp_path: Path) -> None:
    async def main() -> None:
        store: Store = MemoryStore()
        if form == "disk":
            store = await SqlCipherStore.open(tmp_path / "store.db", bytes(32))
        journal = await kitchen(store)
        limit = journal.budget.limit_bytes = await used(journal) + 3_000_000
        assert await fill(journal, 1_000) > 300
        assert await used(journal) > limit - 2 * RECORD_BYTES
        with pytest.raises(StoreFull, match=r"it holds .* of at most .* MiB") as full:
            await journal.write_as(CONFIG, lambda state, _: [state.put("a", 1)])
        assert "store.max_bytes" in full.value.fix
        assert journal.problem == "", "the disk is well"
        await journal.write((CONFIG, lambda state: [state.put("a", 1)]), makes_room=True)
        ids = from_text(SESSION.removeprefix("session/"))
        await journal.write((SESSIONS, lambda state: [state.delete(ids)]), makes_room=True)
        assert await used(journal) < limit / 2
        await journal.write((CONFIG, lambda state: [state.put("a", 2)]))
        await store.close()

    asyncio.run(main())


def test_one_that_does_not_fit_fails_alone() -> None:
    async def main() -> None:
        journal = await kitchen(MemoryStore())
        journal.budget.limit_bytes = 1_000_000
        await fill(journal)
        turn = (SESSION, lambda state: [state.add_turn({"text": "one more"})])
        put = (CONFIG, lambda state: [state.put("a", 1)])
        done = await asyncio.gather(
            journal.write(turn), journal.write(put, makes_room=True), journal.write(turn), return_exceptions=True
        )
        assert [isinstance(one, StoreFull) for one in done] == [True, False, True]

    asyncio.run(main())


def test_a_peers_records_are_not_taken_and_the_replica_forgets_nothing() -> None:
    async def main() -> None:
        here, there = await kitchen(MemoryStore()), await kitchen(MemoryStore())
        (written,) = await there.write((CONFIG, lambda state: [state.put("a", 1)]))
        here.budget.limit_bytes = 1
        with pytest.raises(StoreFull):
            await here.accept([written.record], b"p" * 16)
        assert here.problem == ""
        here.budget.limit_bytes = 0
        assert (await here.accept([written.record], b"p" * 16)).refused  # of another home; but it was looked at

    asyncio.run(main())


def test_it_follows_its_limit_and_says_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        journal, said = await kitchen(MemoryStore()), []
        texts = iter(["0", "1000", "1000", "what", "9" * 15])

        async def value(key: str) -> str:
            assert key == "store.max_bytes"
            return next(texts, "")

        async def sleep(_: float) -> None:
            said.append((journal.budget.limit_bytes, bool(journal.budget.problem), paused[-1]))
            if len(said) == 5:
                raise asyncio.CancelledError

        paused: list[bool] = []
        monkeypatch.setattr("jarvis.node.records.budget.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await journal.follow_budget(value, paused.append)
        full = (1_000, True, True)
        assert said == [(0, False, False), full, full, (0, False, False), (int("9" * 15), False, False)]

    asyncio.run(main())


def test_without_a_limit_nothing_is_measured() -> None:
    Budget().check(None)  # type: ignore[arg-type]


# --- between two real nodes ----------------------------------------------------------------------------------------


def store(node: NodeProcess) -> dict[str, Any]:
    found: dict[str, Any] = node.get("/api/v2/health")["components"]["store"]
    return found


def test_a_full_node_stays_linked_and_catches_up_once_there_is_room(home: Home) -> None:
    kitchen, bedroom = home.pair()
    session = kitchen.ask("what time is it", "new")["session_id"]
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    kitchen.call("PUT", "/api/v2/config/store.max_bytes", body={"value": "500000", "local": True})
    long = kitchen.post("/api/v2/sessions", {"title": "long"})["session_id"]
    until(lambda: long in [row["session_id"] for row in bedroom.get("/api/v2/sessions")], WITHIN_S, "the session")
    for _ in range(60):
        bedroom.post(f"/api/v2/notes/list{_}", {"text": FILLER * 2})
    until(lambda: store(kitchen)["state"] == "degraded", WITHIN_S, "the kitchen to say that it is full")
    assert "of at most 0.5 MiB" in store(kitchen)["detail"]
    assert linked(kitchen, bedroom)
    with pytest.raises(StoreFull):
        kitchen.ask("what day is it", session)
    kitchen.call("DELETE", f"/api/v2/sessions/{session}")  # is still written
    until(lambda: session not in [row["session_id"] for row in bedroom.get("/api/v2/sessions")], WITHIN_S, "deletion")
    kitchen.call("PUT", "/api/v2/config/store.max_bytes", body={"value": "50000000", "local": True})
    until(lambda: store(kitchen)["state"] == "ok", WITHIN_S, "room")
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    assert linked(kitchen, bedroom)
    assert [row["event"] for row in kitchen.logged("store.full")] == ["store.full"]
