"""What every form of the store must do: the same tests on each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jarvis.core.errors import StoreFailed
from jarvis.store.protocol import APPLIED, ASIDE, REJECTED, UNKNOWN, Checkpoint, Head, Store, Transaction
from tests.store.support import AUTHOR, make_record, putting, run

OTHER = b"b" * 32


def test_a_record_comes_back_as_it_was_put(form: Any) -> None:
    async def body(store: Store) -> None:
        whole, erased = make_record(1), make_record(2, payload=None, document="session/\N{SNOWMAN}")
        empty = make_record(1, author=OTHER, payload=b"")
        assert await store.write(putting(whole, erased, empty)) == [1, 2, 3]
        for position, record in enumerate((whole, erased, empty), 1):
            found = await store.read(lambda t, r=record: t.record(r.author, r.seq))
            assert found is not None
            assert found.position == position
            assert (found.author, found.seq, found.hash, found.header) == (
                record.author,
                record.seq,
                record.hash,
                record.header,
            )
            assert (found.signature, found.payload, found.document) == (
                record.signature,
                record.payload,
                record.document,
            )
        assert await store.read(lambda t: t.record(AUTHOR, 3)) is None
        assert await store.read(lambda t: t.record(b"c" * 32, 1)) is None
        assert await store.read(lambda t: t.record(AUTHOR, 2**64)) is None
        assert await store.read(lambda t: t.record_count()) == 3

    run(form, body)


def test_a_sequence_is_held_once(form: Any) -> None:
    async def body(store: Store) -> None:
        await store.write(putting(make_record(1)))
        with pytest.raises(StoreFailed, match="already held"):
            await store.write(putting(make_record(1, payload=b"another")))
        found = await store.read(lambda t: t.record(AUTHOR, 1))
        assert found is not None and found.payload == b"pay"

    run(form, body)


def test_records_stop_before_the_byte_limit_but_never_at_none(form: Any) -> None:
    async def body(store: Store) -> None:
        records = [make_record(seq, payload=bytes(100)) for seq in range(1, 21)]
        await store.write(putting(*records, make_record(1, author=OTHER)))
        size = [record.size_bytes for record in records]

        async def held(first: int, last: int, max_bytes: int) -> list[int]:
            found = await store.read(lambda t: t.records(AUTHOR, first, last, max_bytes))
            return [record.seq for record in found]

        assert await held(3, 9, 10**6) == [3, 4, 5, 6, 7, 8, 9]
        assert await held(1, 20, sum(size[:5])) == [1, 2, 3, 4, 5]
        assert await held(1, 20, sum(size[:5]) - 1) == [1, 2, 3, 4]
        assert await held(7, 20, 0) == [7]
        assert await held(19, 2**80, 10**6) == [19, 20]
        assert await held(21, 2**80, 10**6) == []
        assert await held(2**70, 2**80, 10**6) == []
        assert await held(5, 4, 10**6) == []

    run(form, body)


def test_a_document_gives_its_applied_records_in_order_of_arrival(form: Any) -> None:
    async def body(store: Store) -> None:
        mine = [make_record(seq, document="notes/x") for seq in range(1, 301)]
        between = [make_record(seq, author=OTHER, document="notes/y") for seq in range(1, 301)]
        await store.write(putting(*(one for pair in zip(mine, between, strict=True) for one in pair)))
        await store.write(putting(make_record(301, document="notes/x", status=REJECTED)))
        await store.write(putting(make_record(302, document="notes/x", status=UNKNOWN)))
        await store.write(putting(make_record(303, document="notes/x")))
        found = await store.read(lambda t: list(t.document_records("notes/x", 0)))
        assert [one.seq for one in found] == [*range(1, 301), 303]
        later = await store.read(lambda t: list(t.document_records("notes/x", found[297].position)))
        assert [one.seq for one in later] == [299, 300, 303]
        assert await store.read(lambda t: list(t.document_records("notes/none", 0))) == []

    run(form, body)


def test_a_document_is_read_as_it_was_when_asked(form: Any) -> None:
    """A work that puts while it reads must not chase its own tail."""

    async def body(store: Store) -> None:
        await store.write(putting(*(make_record(seq) for seq in range(1, 200))))

        def double(transaction: Transaction) -> int:
            seen = 0
            for record in transaction.document_records("config", 0):
                transaction.put_record(make_record(1_000 + record.seq))
                seen += 1
            return seen

        assert await store.write(double) == 199
        assert await store.read(lambda t: t.record_count()) == 398

    run(form, body)


def test_documents_are_those_with_applied_records(form: Any) -> None:
    async def body(store: Store) -> None:
        await store.write(
            putting(
                make_record(1, document="session/b"),
                make_record(2, document="session/a"),
                make_record(3, document="session/rejected", status=REJECTED),
                make_record(4, document="sessions"),
                make_record(5, document="session/é"),
                make_record(6, document="config"),
            )
        )
        await store.write(lambda t: t.put_checkpoint("session/only", Checkpoint(1, b"")))
        assert await store.read(lambda t: t.documents()) == [
            "config",
            "session/a",
            "session/b",
            "session/é",
            "sessions",
        ]
        assert await store.read(lambda t: t.documents("session/")) == ["session/a", "session/b", "session/é"]
        assert await store.read(lambda t: t.documents("x")) == []

    run(form, body)


def test_heads_checkpoints_membership_and_values(form: Any) -> None:
    async def body(store: Store) -> None:
        def put(transaction: Transaction) -> None:
            transaction.put_head(AUTHOR, Head(7, b"h" * 32))
            transaction.put_head(OTHER, Head(0, b"z" * 32))
            transaction.put_head(AUTHOR, Head(9, b"i" * 32))
            transaction.put_checkpoint("config", Checkpoint(3, b"old"))
            transaction.put_checkpoint("config", Checkpoint(4, b"new"))
            transaction.put_membership([(b"e1", b"s1"), (b"e2", b"s2"), (b"e3", b"s3")])
            transaction.put_membership([(b"e9", b"s9"), (b"e1", b"s1")])
            for key in ("pin/b", "pin/a", "pins", "clock"):
                transaction.put(key, key.encode())
            transaction.put("clock", b"later")
            transaction.delete("pins")
            transaction.delete("never there")

        await store.write(put)
        assert await store.read(lambda t: t.heads()) == {AUTHOR: Head(9, b"i" * 32), OTHER: Head(0, b"z" * 32)}
        assert await store.read(lambda t: t.checkpoint("config")) == Checkpoint(4, b"new")
        assert await store.read(lambda t: t.checkpoint("audit")) is None
        assert await store.read(lambda t: t.membership()) == [(b"e9", b"s9"), (b"e1", b"s1")]
        assert await store.read(lambda t: t.keys("pin/")) == ["pin/a", "pin/b"]
        assert await store.read(lambda t: t.keys("")) == ["clock", "pin/a", "pin/b"]
        assert await store.read(lambda t: t.get("clock")) == b"later"
        assert await store.read(lambda t: t.get("pins")) is None

    run(form, body)


def test_a_new_store_is_empty(form: Any) -> None:
    async def body(store: Store) -> None:
        assert await store.read(lambda t: (t.heads(), t.membership(), t.documents(), t.keys(""))) == ({}, [], [], [])
        assert await store.read(lambda t: t.record_count()) == 0

    run(form, body)


def test_a_work_that_raises_leaves_nothing_and_is_told(form: Any) -> None:
    async def body(store: Store) -> None:
        undone: list[str] = []
        store.on_undo(lambda: undone.append("undone"))
        await store.write(putting(make_record(1)))
        await store.write(lambda t: t.put_membership([(b"e", b"s")]))
        before = await store.read(_everything)

        def half(transaction: Transaction) -> None:
            putting(make_record(2), make_record(1, author=OTHER, document="new"))(transaction)
            transaction.put_checkpoint("config", Checkpoint(1, b"x"))
            transaction.put_membership([])
            transaction.put("key", b"value")
            raise LookupError("on purpose")

        with pytest.raises(LookupError, match="on purpose"):
            await store.write(half)
        assert undone == ["undone"]
        assert await store.read(_everything) == before
        # Numbers given to the new author and document are free again, and the position is given once more.
        assert await store.write(putting(make_record(1, author=OTHER, document="new"))) == [2]
        assert await store.read(lambda t: t.documents()) == ["config", "new"]

    run(form, body)


def test_a_base_exception_is_undone_too(form: Any) -> None:
    """Libraries in Rust raise their panics past `Exception`."""

    class Panic(BaseException):
        pass

    async def body(store: Store) -> None:
        def work(transaction: Transaction) -> None:
            transaction.put("key", b"value")
            raise Panic

        with pytest.raises(Panic):
            await store.write(work)
        assert await store.read(lambda t: t.get("key")) is None
        await store.write(lambda t: t.put("key", b"again"))

    run(form, body)


def test_one_bad_work_does_not_harm_those_beside_it(form: Any) -> None:
    async def body(store: Store) -> None:
        order: list[int] = []

        def work(number: int) -> Any:
            def put(transaction: Transaction) -> int:
                order.append(number)
                transaction.put(f"key/{number:03}", b"")
                if number % 3 == 0:
                    raise LookupError(str(number))
                return number

            return put

        results = await asyncio.gather(*(store.write(work(n)) for n in range(100)), return_exceptions=True)
        assert order == list(range(100))
        assert [str(one) if isinstance(one, LookupError) else one for one in results] == [
            str(n) if n % 3 == 0 else n for n in range(100)
        ]
        assert await store.read(lambda t: t.keys("key/")) == [f"key/{n:03}" for n in range(100) if n % 3]

    run(form, body)


def test_a_failed_commit_takes_all_back_and_the_store_goes_on(form: Any) -> None:
    async def body(store: Store) -> None:
        undone: list[str] = []
        store.on_undo(lambda: undone.append("undone"))
        await store.write(putting(make_record(1)))

        def doomed(transaction: Transaction) -> None:
            transaction.put("lost", b"1")
            putting(make_record(2, document="lost"))(transaction)
            form.spoil(transaction)

        with pytest.raises(StoreFailed):
            await store.write(doomed)
        assert undone == ["undone"]
        assert await store.read(lambda t: (t.get("lost"), t.documents(), t.record_count())) == (None, ["config"], 1)
        assert await store.write(putting(make_record(2, document="found"))) == [2]
        assert await store.read(lambda t: t.documents()) == ["config", "found"]

    run(form, body)


def test_a_read_that_writes_is_refused(form: Any) -> None:
    async def body(store: Store) -> None:
        with pytest.raises(StoreFailed, match="tried to write"):
            await store.read(lambda t: t.put("key", b"value"))
        with pytest.raises(StoreFailed, match="tried to write"):
            await store.read(putting(make_record(1)))
        with pytest.raises(LookupError):
            await store.read(lambda t: {}[1])
        assert await store.read(lambda t: (t.keys(""), t.record_count())) == ([], 0)
        await store.write(putting(make_record(1)))

    run(form, body)


def test_a_closed_store_says_so_and_closes_again(form: Any) -> None:
    async def body(store: Store) -> None:
        await store.write(lambda t: t.put("key", b"value"))
        await store.close()
        for call in (store.read, store.write):
            with pytest.raises(StoreFailed, match="closed"):
                await call(lambda t: t.get("key"))

    run(form, body)


def _everything(transaction: Transaction) -> tuple[Any, ...]:
    return (
        [list(transaction.document_records(name, 0)) for name in transaction.documents()],
        transaction.heads(),
        transaction.checkpoint("config"),
        transaction.membership(),
        [(key, transaction.get(key)) for key in transaction.keys("")],
        transaction.record_count(),
    )


def test_a_record_set_aside_leaves_its_document_and_can_come_back(form: Any) -> None:
    async def body(store: Store) -> None:
        await store.write(
            putting(*[make_record(seq, document="config") for seq in (1, 2, 3)], make_record(4, document="memory"))
        )

        def seqs(t: Transaction) -> list[int]:
            return [record.seq for record in t.document_records("config", 0)]

        await store.write(lambda t: t.set_status(AUTHOR, 2, ASIDE))
        assert await store.read(seqs) == [1, 3]
        assert await store.read(lambda t: [one.status for one in t.records_in_order(0)]) == [APPLIED, ASIDE, 0, 0]
        assert await store.read(lambda t: [one.seq for one in t.records_in_order(2)]) == [3, 4]

        def fails(t: Transaction) -> None:
            t.set_status(AUTHOR, 2, APPLIED)
            t.set_status(AUTHOR, 1, ASIDE)
            raise ValueError

        with pytest.raises(ValueError):
            await store.write(fails)
        assert await store.read(seqs) == [1, 3]
        await store.write(lambda t: t.set_status(AUTHOR, 2, APPLIED))
        assert await store.read(seqs) == [1, 2, 3]
        for seq in (1, 2, 3):
            await store.write(lambda t, seq=seq: t.set_status(AUTHOR, seq, ASIDE))
        assert "config" not in await store.read(lambda t: t.documents())

    run(form, body)


def test_heads_and_checkpoints_can_be_dropped(form: Any) -> None:
    async def body(store: Store) -> None:
        def fill(t: Transaction) -> None:
            t.put_record(make_record(1, document="config"))
            t.put_head(AUTHOR, Head(1, b"h" * 32))
            t.put_checkpoint("config", Checkpoint(1, b"state"))

        await store.write(fill)

        def drop(t: Transaction) -> None:
            t.drop_head(AUTHOR)
            t.drop_checkpoint("config")
            t.drop_head(OTHER)
            t.drop_checkpoint("nothing")

        def drop_and_fail(t: Transaction) -> None:
            drop(t)
            raise ValueError

        with pytest.raises(ValueError):
            await store.write(drop_and_fail)
        assert await store.read(lambda t: t.heads()) == {AUTHOR: Head(1, b"h" * 32)}
        await store.write(drop)
        assert await store.read(lambda t: (t.heads(), t.checkpoint("config"))) == ({}, None)

    run(form, body)


def test_deleted_records_are_gone_and_their_positions_are_not_given_again(form: Any) -> None:
    async def body(store: Store) -> None:
        records = [make_record(seq, document="config" if seq % 2 else "memory") for seq in range(1, 7)]
        await store.write(putting(*records))

        def delete(*seqs: int) -> Any:
            return lambda t: t.delete_records([t.record(AUTHOR, seq) for seq in seqs])

        def deleting_fails(t: Transaction) -> None:
            delete(1, 2, 6)(t)
            raise ValueError

        before = await store.read(_everything)
        with pytest.raises(ValueError):
            await store.write(deleting_fails)
        assert await store.read(_everything) == before
        await store.write(delete(1, 3, 5, 6))
        assert await store.read(lambda t: [one.seq for one in t.records_in_order(0)]) == [2, 4]
        assert await store.read(lambda t: t.documents()) == ["memory"]
        assert await store.read(lambda t: t.record(AUTHOR, 6)) is None
        assert await store.write(putting(make_record(7))) == [7]
        await store.write(delete(2, 4, 7))
        assert await store.read(lambda t: t.record_count()) == 0
        assert await store.write(putting(make_record(8), make_record(9))) == [8, 9]
        assert [one.seq for one in await store.read(lambda t: list(t.document_records("config", 7)))] == [8, 9]

    run(form, body)


def test_bases_come_back_whole_and_in_parts(form: Any) -> None:
    async def body(store: Store) -> None:
        state = bytes(range(256)) * 1_000
        assert await store.read(lambda t: (t.base("config"), t.base_part("config", 0, 10))) == (None, b"")
        await store.write(lambda t: t.put_base("config", b"older, and longer than nothing"))
        await store.write(lambda t: t.put_base("config", state))
        await store.write(lambda t: t.put_base("memory", b"m"))
        assert await store.read(lambda t: (t.base("config"), t.base("memory"))) == (state, b"m")
        for offset, length in ((0, 1), (65_535, 2), (65_536, 65_536), (100_000, 130_000), (255_999, 500), (256_000, 1)):
            part = await store.read(lambda t, o=offset, n=length: t.base_part("config", o, n))
            assert part == state[offset : offset + length]
        assert await store.read(lambda t: t.documents()) == ["config", "memory"]

        def drop_and_fail(t: Transaction) -> None:
            t.drop_base("config")
            t.drop_base("never there")
            t.put_base("memory", b"n")
            raise ValueError

        with pytest.raises(ValueError):
            await store.write(drop_and_fail)
        assert await store.read(lambda t: (t.base("config"), t.base("memory"))) == (state, b"m")
        await store.write(lambda t: t.drop_base("config"))
        assert await store.read(lambda t: (t.base("config"), t.documents())) == (None, ["memory"])

    run(form, body)
