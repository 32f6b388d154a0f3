"""What is erased leaves the disk: the file and its log are opened with the key, page by page, and searched for the
words. Both forms of the store erase alike."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from jarvis.store.protocol import APPLIED, ASIDE, ERASED, REJECTED, Checkpoint, Transaction
from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.pages import occurrences
from tests.store.support import AUTHOR, KEY, make_record, putting, run

WORD = b"the-spare-key-lies-under-the-third-stone"


@pytest.mark.parametrize("status", [APPLIED, ASIDE, REJECTED])
def test_erasing_takes_payloads_and_nothing_else(form, status):
    async def body(store):
        spoken = [make_record(1, document="session/a", status=status), make_record(2, document="session/b")]
        await store.write(putting(*spoken))
        assert await store.write(lambda t: t.erase("session/a"))
        first, second = await store.read(lambda t: t.records(AUTHOR, 1, 2, 10**6))
        assert (first.payload, first.status) == (None, ERASED)
        assert (first.header, first.signature, first.hash) == (spoken[0].header, spoken[0].signature, spoken[0].hash)
        assert second.payload == spoken[1].payload
        assert await store.read(lambda t: t.documents()) == ["session/b"]
        await store.write(lambda t: t.put_base("session/a", b"base"))
        await store.write(lambda t: t.put_checkpoint("session/a", Checkpoint(1, b"state")))
        assert await store.write(lambda t: t.erase("session/a"))
        assert await store.read(lambda t: (t.base("session/a"), t.checkpoint("session/a"))) == (None, None)
        assert not await store.write(lambda t: t.erase("session/a"))
        assert not await store.write(lambda t: t.erase("session/never-seen"))

    run(form, body)


def test_what_a_failing_work_erased_comes_back(form):
    async def body(store):
        await store.write(lambda t: t.put_base("session/a", b"base"))
        await store.write(
            putting(make_record(1, document="session/a"), make_record(2, document="session/a", status=ASIDE))
        )
        before = await store.read(lambda t: (t.records(AUTHOR, 1, 2, 10**6), list(t.document_records("session/a", 0))))

        def fail(transaction: Transaction) -> None:
            transaction.erase("session/a")
            assert transaction.base("session/a") is None
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(fail)
        after = await store.read(lambda t: (t.records(AUTHOR, 1, 2, 10**6), list(t.document_records("session/a", 0))))
        assert after == before
        assert await store.read(lambda t: t.base("session/a")) == b"base"

    run(form, body)


def words(document: int, seq: int) -> bytes:
    return WORD + f"-{document}-{seq}".encode()


def test_erased_words_stand_in_no_page_of_the_file(tmp_path: Path):
    """Sessions that grew together, of payloads that fill a part of a page, and several pages, beside each other."""
    rng = random.Random(7)
    documents = [f"session/{name}" for name in range(8)]
    path = tmp_path / "store.db"

    async def body() -> None:
        store = await SqlCipherStore.open(path, KEY)
        records = []
        for seq in range(1, 801):
            document = rng.randrange(len(documents))
            status = rng.choice([APPLIED, APPLIED, APPLIED, ASIDE])
            filler = rng.randbytes(rng.choice([0, 20, 300, 3_000, 9_000]))
            records.append(
                make_record(seq, document=documents[document], status=status, payload=words(document, seq) + filler)
            )
        for at in range(0, len(records), 10):
            await store.write(putting(*records[at : at + 10]))
        for name in documents:
            await store.write(lambda t, name=name: t.put_checkpoint(name, Checkpoint(800, WORD * 400)))
            await store.write(lambda t, name=name: t.put_base(name, words(documents.index(name), 0) * 400))
        assert occurrences(path, KEY, WORD) > 800
        for name in documents[:7]:
            await store.write(lambda t, name=name: t.erase(name))
        for document in range(7):
            assert occurrences(path, KEY, WORD + f"-{document}-".encode()) == 0, document
        kept = [one for one in records if one.document == documents[7]]
        assert occurrences(path, KEY, WORD + b"-7-") >= len(kept)
        await store.close()

    asyncio.run(body())


def test_what_was_erased_before_a_sudden_end_is_swept_at_the_next_start(tmp_path: Path):
    path = tmp_path / "store.db"

    async def body() -> None:
        store = await SqlCipherStore.open(path, KEY)
        store._engine._sweep = lambda: True  # type: ignore[method-assign]  # the power goes
        await store.write(putting(make_record(1, document="session/a", payload=WORD)))
        await store.write(lambda t: t.erase("session/a"))
        assert occurrences(path, KEY, WORD) > 0
        copy = tmp_path / "copy.db"
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
        await store.close()
        store = await SqlCipherStore.open(copy, KEY)
        assert occurrences(copy, KEY, WORD) == 0
        await store.close()

    asyncio.run(body())
