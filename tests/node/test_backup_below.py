"""A backup of a home that was compacted: what its records came to is in it, and is checked as what a peer brings."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from jarvis.app import back_up
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.registry import CONFIG
from jarvis.node.backups import making as backup
from jarvis.node.backups.items import Below, Item, OwnValue, encode
from jarvis.node.backups.making import restore
from jarvis.node.membership.ownership import OWNER_KEY, current
from jarvis.replica.manifest import root_of
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction
from tests.node.test_backup import House, held, opened, whole

LARGE = "x" * 40_000
"""Several make a document that no item of a backup holds whole."""


def compact(tx: Transaction, replica: Replica) -> None:
    """As a home of one node does at once."""
    key = current(tx, replica)
    assert key is not None
    frontier, manifest = replica.proposing.frontier(tx, []), None
    while manifest is None:
        manifest = replica.horizons.make(tx, frontier)
    chain = replica.chain(tx).declare_horizon(key, frontier, root_of(manifest.encode()), {}, [], at_ms=1)
    replica.accept_membership(tx, chain.entries)
    while replica.take_horizon(tx)[0].more:
        pass


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("compacted"))

    async def fill() -> None:
        async with opened(house.folder) as journal:
            replica = await journal.read(lambda _, replica: replica)

            def work(tx: Transaction) -> None:
                for number in range(8):
                    replica.append(tx, CONFIG, [["put", f"large.k{number}", LARGE, []]])
                compact(tx, replica)
                replica.append(tx, CONFIG, [["put", "after.k", 1, []]])

            await journal.change_local(work)

    asyncio.run(fill())
    house.file.write_bytes(asyncio.run(whole(back_up(house.folder, None))))
    return house


def resealed(house: House, items: list[Item], path: Path) -> Path:
    sealer = backup.sealed_to_recovery_key(house.recovery.public, os.urandom(32))
    path.write_bytes(sealer.header + sealer.feed(b"".join(map(encode, items))) + sealer.finish())
    return path


@pytest.mark.parametrize("member", [True, False])
def test_the_home_is_restored_with_what_lies_below(house: House, tmp_path: Path, member: bool) -> None:
    items = house.items()
    assert sum(isinstance(one, Below) for one in items) > 8
    if not member:
        items = [one for one in items if not (isinstance(one, OwnValue) and one.key == OWNER_KEY)]
    file = resealed(house, items, tmp_path / "home.backup")
    done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    before, after = held(house.folder), held(tmp_path / "new")
    assert (done["member"], done["left_out"]) == (member, 0)
    assert before.records <= 3
    if member:  # it wrote what tells of the restoring
        assert after.documents.keys() >= before.documents.keys()
    else:
        assert after.documents == before.documents


def test_what_the_members_did_not_sign_is_refused(house: House, tmp_path: Path) -> None:
    items = [
        Below(one.document, one.offset, one.total, bytes(len(one.data or b"")))
        if isinstance(one, Below) and one.document == CONFIG
        else one
        for one in house.items()
    ]
    file = resealed(house, items, tmp_path / "forged.backup")
    with pytest.raises(InvalidBytes, match="not what the home's members signed"):
        asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    assert {path.name for path in (tmp_path / "new").rglob("*") if path.is_file()} <= {"lock"}
