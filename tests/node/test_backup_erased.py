"""A backup of a home in which something was deleted: the words are not in it, and all that came after them is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from jarvis.app import back_up
from jarvis.core.ids import from_text
from jarvis.crdt.registry import CONFIG, SESSIONS
from jarvis.node.backups import making as backup
from jarvis.node.backups.items import OwnValue, Proof, Record, encode
from jarvis.node.backups.making import restore
from jarvis.node.membership.ownership import OWNER_KEY
from jarvis.store.protocol import ERASED, StoredRecord
from tests.node.test_backup import House, held, opened, whole

WORD = "gingerbread"
GONE = ["a" * 16, "b" * 16]
BETWEEN = 1_500
"""Records of the same author before the deletion: more than may wait for one."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("forgetful"))

    async def fill() -> None:
        async with opened(house.folder) as journal:
            replica = await journal.read(lambda _, replica: replica)

            def work(tx) -> None:
                for session in GONE:
                    for _ in range(3):
                        replica.append(tx, f"session/{session}", [["turn", None, {"text": WORD}]])
                for number in range(BETWEEN):
                    replica.append(tx, CONFIG, [["put", "k", number, []]])
                replica.append(tx, SESSIONS, [["delete", from_text(session)] for session in GONE])

            await journal.change_local(work)

    asyncio.run(fill())
    house.file.write_bytes(asyncio.run(whole(back_up(house.folder, None))))
    return house


def records(folder: Path) -> list[StoredRecord]:
    async def look() -> list[StoredRecord]:
        async with opened(folder) as journal:
            return await journal.read(lambda tx, _: list(tx.records_in_order(0)))

    return asyncio.run(look())


def erased(folder: Path) -> int:
    return sum(one.status == ERASED for one in records(folder))


def test_the_words_are_not_in_it_and_their_records_are(house: House):
    items = house.items()
    assert not any(WORD.encode() in encode(one) for one in items)
    assert sum(isinstance(one, Record) and one.payload is None for one in items) == 6
    assert sum(isinstance(one, Proof) for one in items) == 2  # one before each session, of the same record


@pytest.mark.parametrize("member", [True, False])
@pytest.mark.parametrize("batch_bytes", [1, 2_000, backup.BATCH_BYTES])
def test_all_that_came_after_them_is_restored(
    house: House, tmp_path: Path, monkeypatch, member: bool, batch_bytes: int
):
    """Also by who may not write, and however the records fall into commits."""
    monkeypatch.setattr(backup, "BATCH_BYTES", batch_bytes)
    file = house.file
    if not member:
        items = [one for one in house.items() if not (isinstance(one, OwnValue) and one.key == OWNER_KEY)]
        sealer = backup.sealed_to_recovery_key(house.recovery.public, os.urandom(32))
        file = tmp_path / "guest.backup"
        file.write_bytes(sealer.header + sealer.feed(b"".join(map(encode, items))) + sealer.finish())
    done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    before = held(house.folder)
    assert (done["member"], done["records"], done["left_out"]) == (member, before.records, 0)
    assert erased(tmp_path / "new") == erased(house.folder) == 6
    after = held(tmp_path / "new")
    if not member:
        assert after.documents == before.documents
    # A member wrote what tells of the restoring, and may have deleted again what it had only heard of.
    assert after.documents[CONFIG] == before.documents[CONFIG] or member
    assert not any(WORD.encode() in (one.payload or b"") for one in records(tmp_path / "new"))


def test_without_proofs_what_cannot_wait_is_left_out_and_told(house: House, tmp_path: Path):
    items = [one for one in house.items() if not isinstance(one, Proof)]
    sealer = backup.sealed_to_recovery_key(house.recovery.public, os.urandom(32))
    file = tmp_path / "x.backup"
    file.write_bytes(sealer.header + sealer.feed(b"".join(map(encode, items))) + sealer.finish())
    done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    assert done["left_out"] > BETWEEN - 1_000
