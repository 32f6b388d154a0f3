"""Backups made and restored within this process: what they hold, what they must not, and every way they fail."""

from __future__ import annotations

import asyncio
import os
import shutil
from base64 import b64decode
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jarvis.app import back_up
from jarvis.core.codec import pack
from jarvis.core.errors import BadConfiguration, InvalidBytes, InvalidInput, JarvisError, NotAllowed, Overloaded
from jarvis.core.time import SystemClock
from jarvis.crdt.registry import CONFIG
from jarvis.identity.keys import SigningKey, recovery_key
from jarvis.identity.record import decode_header, write_record
from jarvis.identity.sealed import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, Opener, Sealer, opened_with_recovery_key
from jarvis.node.backups import making as backup
from jarvis.node.backups.items import About, End, Entry, Fork, Item, Items, OwnValue, Record, encode
from jarvis.node.backups.making import Backups, read_header, restore
from jarvis.node.config import PINS
from jarvis.node.directory import DataDirectory
from jarvis.node.membership.founding import GUEST, found_home
from jarvis.node.membership.members import ADDRESSES, Members
from jarvis.node.membership.ownership import OWNER_KEY
from jarvis.node.records.journal import Journal
from jarvis.replica.replica import Replica

RECORDS = 700
WORD = "marmalade"


class House:
    """A home founded in a directory, its backup, and how to open both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "node", folder / "home.backup"
        founded = asyncio.run(found_home(self.folder, "kitchen", None, "Villa"))
        self.recovery = recovery_key(founded["recovery_phrase"])
        self.key = DataDirectory(self.folder).load_identity()

        async def fill() -> None:
            async with opened(self.folder) as journal:
                replica = await journal.read(lambda _, replica: replica)
                puts = [["put", f"a.k{number}", WORD + 300 * "x", []] for number in range(RECORDS)]
                await journal.change_local(lambda tx: [replica.append(tx, CONFIG, [put]) for put in puts])
                await journal.change_local(lambda tx: tx.put(PINS + "kettle.price", pack("thirteenpence")))
                await journal.change_local(lambda tx: tx.put(ADDRESSES, pack({b"p" * 16: ["192.0.2.7:1"]})))
                await journal.change_local(lambda tx: tx.put("timer/x", pack(["saxophone", 60, 1])))

        asyncio.run(fill())
        self.file.write_bytes(asyncio.run(whole(back_up(self.folder, None))))

    def opener(self, file: Path | None = None) -> Opener:
        return opened_with_recovery_key(read_header(file or self.file), self.recovery)

    def items(self, file: Path | None = None) -> list[Item]:
        return plain_items(self.opener(file), (file or self.file).read_bytes()[HEADER_BYTES:])


def plain_items(opener: Opener, sealed: bytes) -> list[Item]:
    reader = Items()
    return [*reader.feed(opener.feed(sealed)), *reader.feed(opener.finish())]


async def whole(rows: Any) -> bytes:
    found = [row async for row in rows]
    assert [row["done"] for row in found] == [False] * (len(found) - 1) + [True]
    assert found[-1]["records"] == found[-1]["of"] and all(row["records"] <= row["of"] for row in found)
    return b"".join(b64decode(row["data"]) for row in found)


@asynccontextmanager
async def opened(folder: Path, key: SigningKey | None = None) -> Any:
    directory = DataDirectory(folder)
    store = await directory.open_store()
    try:
        replica = Replica(key or directory.load_identity(), entropy=os.urandom, wall_ms=SystemClock().wall_ms)
        await store.write(lambda tx: replica.open(tx, guest=True))
        yield Journal(store, replica)
    finally:
        await store.close()


@dataclass
class Held:
    records: int
    digest: bytes
    documents: dict[str, bytes]
    authors: set[bytes]
    config: dict[str, Any]
    values: dict[str, bytes | None]
    chain: Any


def held(folder: Path) -> Held:
    async def look() -> Held:
        async with opened(folder) as journal:
            return await journal.read(
                lambda tx, replica: Held(
                    tx.record_count(),
                    replica.digest(tx),
                    replica.digests(tx),
                    set(replica.heads(tx)),
                    {key: replica.state(tx, CONFIG).get(key).value for key in replica.state(tx, CONFIG).keys()},  # noqa: SIM118
                    {key: tx.get(key) for key in tx.keys("")},
                    replica.chain(tx),
                )
            )

    return asyncio.run(look())


def kept(found: Held) -> set[str]:
    """Names of own values, without what the replica makes anew; it goes on under no author of before."""
    assert not found.values.get("replica/author")
    return {key for key in found.values if not key.startswith("replica/")}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


def resealed(house: House, items: list[Item], path: Path) -> Path:
    """A backup with other content, sealed as it should be."""
    sealer: Sealer = backup.sealed_to_recovery_key(house.recovery.public, os.urandom(32))
    path.write_bytes(sealer.header + sealer.feed(b"".join(map(encode, items))) + sealer.finish())
    return path


def as_members(house: House, path: Path) -> Path:
    """The backup as a member makes it, who has no owner key."""
    items = [one for one in house.items() if not (isinstance(one, OwnValue) and one.key == OWNER_KEY)]
    return resealed(house, items, path)


def test_a_members_backup_gives_the_same_home_under_a_new_key(house: House, tmp_path: Path) -> None:
    file = as_members(house, tmp_path / "m.backup")
    seen: list[tuple[int, int]] = []
    done = asyncio.run(
        restore(tmp_path / "new", file, house.opener(file), progress=lambda at, of: seen.append((at, of)))
    )
    before, after = held(house.folder), held(tmp_path / "new")
    assert (after.digest, after.documents, after.records) == (before.digest, before.documents, before.records)
    assert after.chain.hashes == before.chain.hashes and done["member"] is False
    assert done["bytes"] == file.stat().st_size and done["records"] == before.records and done["left_out"] == 0
    assert seen == sorted(seen) and seen[-1] == (done["bytes"], done["bytes"])
    assert kept(after) == {PINS + "kettle.price", GUEST}
    assert DataDirectory(tmp_path / "new").load_identity().node_id != house.key.node_id

    async def write() -> None:
        async with opened(tmp_path / "new") as journal:
            await journal.write((CONFIG, lambda state: [state.put("a.b", "c")]))

    with pytest.raises(NotAllowed, match="no member"):
        asyncio.run(write())


def test_an_owners_backup_makes_the_new_node_the_owner(house: House, tmp_path: Path) -> None:
    done = asyncio.run(restore(tmp_path / "new", house.file, house.opener(), room="attic"))
    before, after = held(house.folder), held(tmp_path / "new")
    key = DataDirectory(tmp_path / "new").load_identity()
    assert (done["name"], done["room"], done["home_name"], done["member"]) == ("kitchen", "attic", "Villa", True)
    assert after.chain.hashes[: len(before.chain.hashes)] == before.chain.hashes
    assert after.chain.owner_node == key.node_id
    new_seed, old_seed = after.values[OWNER_KEY], before.values[OWNER_KEY]
    assert new_seed is not None and new_seed != old_seed and SigningKey(new_seed).public == after.chain.owner
    assert before.config.items() <= after.config.items()
    assert {author[:16] for author in after.authors - before.authors} == {key.node_id}
    assert before.authors < after.authors and GUEST not in after.values


def test_a_backup_shows_nothing_and_holds_no_node_key(house: House) -> None:
    data = house.file.read_bytes()
    plain = b"".join(map(encode, house.items()))
    assert WORD.encode() in plain and WORD.encode() not in data, "there is something to find"
    for secret in (house.key.seed, (house.folder / "keys" / "store.key").read_bytes(), b"192.0.2.7", b"saxophone"):
        assert secret not in plain and secret not in data
    values = {one.key for one in house.items() if isinstance(one, OwnValue)}
    assert values == {PINS + "kettle.price", OWNER_KEY}


def test_what_is_written_meanwhile_is_not_half_in_it(house: House, tmp_path: Path, monkeypatch: Any) -> None:
    """Read in many small looks, with writes between them."""
    folder = tmp_path / "node"
    shutil.copytree(house.folder, folder)
    monkeypatch.setattr(backup, "READ_BYTES", 4_000)

    async def story() -> tuple[bytes, bytes, int]:
        async with opened(folder) as journal:
            members = Members(journal, await journal.read(lambda tx, r: r.chain(tx)), house.key.node_id, SystemClock())
            backups = Backups(journal, members, house.key.node_id, SystemClock(), None)
            digest = await journal.read(lambda tx, r: r.digest(tx))
            count = await journal.read(lambda tx, _: tx.record_count())
            pieces = []
            async for row in backups.make(None):
                pieces.append(b64decode(row["data"]))
                assert len(pieces) < 1_000, "it runs after what is written meanwhile"
                await journal.write((CONFIG, lambda state: [state.put("a.late", "late")]))
                if len(pieces) == 2:
                    with pytest.raises(Overloaded):
                        await anext(backups.make(None))
            assert len(pieces) > 20 and await journal.read(lambda tx, r: r.digest(tx)) != digest
            return b"".join(pieces), digest, count

    data, digest, count = asyncio.run(story())
    (tmp_path / "o.backup").write_bytes(data)
    file = as_members(house_of(house, tmp_path / "o.backup"), tmp_path / "m.backup")
    assert asyncio.run(restore(tmp_path / "new", file, house.opener(file)))["records"] == count
    assert held(tmp_path / "new").digest == digest


def house_of(house: House, file: Path) -> House:
    twin = object.__new__(House)
    twin.__dict__.update(house.__dict__, file=file)
    return twin


def _cut(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at]


def _flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"", "not a backup"),
        (lambda data: b"RIFF" + data[4:], "not a backup"),
        (lambda data: data[:14] + b"\x09" + data[15:], "newer"),
        (_cut(30), "cut short"),
        (_cut(HEADER_BYTES), "cut short"),
        (_cut(HEADER_BYTES + CHUNK_BYTES + TAG_BYTES), "cut short"),
        (_cut(-1), "cut short"),
        (_flipped(20), "recovery phrase is not"),
        (_flipped(HEADER_BYTES + 5), "damaged"),
        (_flipped(-40), "damaged"),
    ],
)
def test_a_spoiled_file_costs_one_sentence_and_leaves_the_directory_empty(
    spoil: Callable[[bytes], bytes], says: str, house: House, tmp_path: Path
) -> None:
    file = tmp_path / "x.backup"
    file.write_bytes(spoil(house.file.read_bytes()))
    with pytest.raises(InvalidInput, match=says):
        asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    left = {path.name for path in (tmp_path / "new").rglob("*") if path.is_file()} - {"lock"}
    assert left == set()
    assert asyncio.run(restore(tmp_path / "new", house.file, house.opener()))["member"]


def test_what_is_missing_or_taken_is_said(house: House, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        read_header(tmp_path / "none")
    with pytest.raises(InvalidInput, match="directory"):
        read_header(tmp_path)
    with pytest.raises(BadConfiguration, match="already holds a node"):
        asyncio.run(restore(house.folder, house.file, house.opener()))
    with pytest.raises(InvalidInput, match="name"):
        asyncio.run(restore(tmp_path / "new", house.file, house.opener(), name="\x1b[31m"))
    assert not (tmp_path / "new").exists()


def test_a_directory_without_a_node_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="no node"):
        asyncio.run(whole(back_up(tmp_path, None)))


def _without(kind: type[Item]) -> Callable[[list[Item]], list[Item]]:
    return lambda items: [one for one in items if not isinstance(one, kind)]


@pytest.mark.parametrize(
    "change",
    [
        _without(Entry),
        _without(Record),
        lambda items: [*items[:-2], items[-1]],
        lambda items: [*items[:-1], End(0)],
        lambda items: [*items[:-1], Entry(b"junk", b"junk"), items[-1]],
        lambda items: [items[0], Entry(b"junk", b"junk"), *items[1:]],
    ],
)
def test_content_that_is_not_whole_is_refused(
    change: Callable[[list[Item]], list[Item]], house: House, tmp_path: Path
) -> None:
    """Only who knows the passphrase can make these; the directory is as empty as before all the same."""
    file = resealed(house, change(house.items()), tmp_path / "x.backup")
    with pytest.raises((InvalidBytes, BadConfiguration)):
        asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    assert not DataDirectory(tmp_path / "new").holds_a_node() and not list((tmp_path / "new").rglob("*.db"))


def test_a_record_that_does_not_hold_is_left_out_and_told(house: House, tmp_path: Path) -> None:
    items = house.items()
    at = max(index for index, one in enumerate(items) if isinstance(one, Record))
    last = items[at]
    assert isinstance(last, Record)
    for bad in (Record(last.header, bytes(64), last.payload), Record(last.header, last.signature, b"")):
        items[at] = bad
        file = resealed(house, items, tmp_path / "x.backup")
        done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
        assert (done["left_out"], done["records"]) == (1, held(house.folder).records - 1)
        shutil.rmtree(tmp_path / "new")


def test_what_was_set_aside_stays_so(house: House, tmp_path: Path) -> None:
    """A fork's proof goes with the records; without it the restored home would say something else."""
    folder = tmp_path / "node"
    shutil.copytree(house.folder, folder)

    async def fork() -> None:
        async with opened(folder) as journal:

            def work(tx: Any, replica: Replica) -> Any:
                author = max(replica.heads(tx), key=lambda one: replica.head(tx, one).seq)
                last = replica.head(tx, author)
                return decode_header(tx.record(author, last.seq).header)

            last = await journal.read(work)
            other = write_record(
                house.key,
                **{name: getattr(last, name) for name in ("home_id", "document", "author", "seq", "prev", "entry")},
                hlc=last.hlc + 1,
                kind=last.kind,
                operations=[["put", "a.forked", 1, []]],
                nonce=bytes(16),
            )
            assert await journal.accept([other], b"p" * 16)

    asyncio.run(fork())
    (tmp_path / "o.backup").write_bytes(asyncio.run(whole(back_up(folder, None))))
    file = as_members(house_of(house, tmp_path / "o.backup"), tmp_path / "m.backup")
    assert any(isinstance(one, Fork) for one in house.items(file))
    done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    assert (held(tmp_path / "new").digest, done["left_out"]) == (held(folder).digest, 0)
    assert held(folder).digest != held(house.folder).digest


def test_values_of_others_are_not_taken_over(house: House, tmp_path: Path) -> None:
    """A backup sets pins and no other value, and a key that is not the owner's makes nobody the owner."""
    file = as_members(house, tmp_path / "m.backup")
    items = house.items(file)
    items[1:1] = [OwnValue(OWNER_KEY, bytes(32)), OwnValue("replica/author", b"a" * 32), OwnValue("timer/x", b"t")]
    file = resealed(house, items, file)
    assert not asyncio.run(restore(tmp_path / "new", file, house.opener(file)))["member"]
    assert kept(held(tmp_path / "new")) == {PINS + "kettle.price", GUEST}


def test_a_home_with_nothing_in_it_is_restored_too(house: House, tmp_path: Path) -> None:
    items = [one for one in house.items() if not isinstance(one, (Record, End))]
    assert isinstance(items[0], About)
    file = resealed(house, [*items, End(0)], tmp_path / "x.backup")
    done = asyncio.run(restore(tmp_path / "new", file, house.opener(file)))
    assert (done["records"], done["left_out"], done["member"]) == (0, 0, True)


def test_a_passphrase_that_is_too_short_is_refused_before_anything_is_written(house: House) -> None:
    with pytest.raises(JarvisError, match="8 to 1024"):
        asyncio.run(whole(back_up(house.folder, "short")))
