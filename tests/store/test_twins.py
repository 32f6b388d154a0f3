"""The two forms agree: whatever is done to both, and undone, reads the same and fails the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jarvis.core.errors import StoreFailed
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import APPLIED, REJECTED, UNKNOWN, Checkpoint, Head, Transaction
from tests.store.support import SqlCipherForm, make_record

AUTHORS = [b"a" * 32, b"b" * 32, b"c" * 32]
NAMES = ["config", "session/a", "session/b", "sessions", "é"]

actions = st.one_of(
    st.tuples(
        st.just("record"),
        st.sampled_from(AUTHORS),
        st.integers(1, 6),
        st.sampled_from(NAMES),
        st.sampled_from([APPLIED, APPLIED, REJECTED, UNKNOWN]),
        st.one_of(st.none(), st.binary(max_size=40)),
    ),
    st.tuples(st.just("head"), st.sampled_from(AUTHORS), st.integers(0, 9)),
    st.tuples(st.just("checkpoint"), st.sampled_from(NAMES), st.integers(0, 9), st.binary(max_size=9)),
    st.tuples(st.just("membership"), st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=4)),
    st.tuples(st.just("put_base"), st.sampled_from(NAMES), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just("drop_base"), st.sampled_from(NAMES)),
    st.tuples(st.just("delete_records"), st.sampled_from(AUTHORS), st.integers(1, 6)),
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.binary(max_size=9)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("erase"), st.sampled_from(NAMES)),
)
endings = st.sampled_from(["done", "done", "raise", "commit fails"])


def do(transaction: Transaction, action: tuple[Any, ...]) -> object:
    kind, *rest = action
    if kind == "record":
        author, seq, document, status, payload = rest
        record = make_record(seq, author=author, document=document, status=status, payload=payload)
        try:
            return transaction.put_record(record)
        except StoreFailed:
            return "held already"
    if kind == "head":
        return transaction.put_head(rest[0], Head(rest[1], b"h" * 32))
    if kind == "checkpoint":
        return transaction.put_checkpoint(rest[0], Checkpoint(rest[1], rest[2]))
    if kind == "delete_records":
        held = transaction.records(rest[0], 1, rest[1], 10**6)
        return transaction.delete_records(held)
    return getattr(transaction, {"membership": "put_membership"}.get(kind, kind))(*rest)


def look(transaction: Transaction) -> tuple[object, ...]:
    return (
        [list(transaction.document_records(name, after)) for name in NAMES for after in (0, 3)],
        [transaction.records(author, 2, 5, limit) for author in AUTHORS for limit in (0, 250, 10**6)],
        [transaction.record(author, seq) for author in AUTHORS for seq in range(7)],
        [transaction.documents(prefix) for prefix in ("", "session", "session/", "é")],
        [transaction.keys(prefix) for prefix in ("", "session", "é")],
        list(transaction.unapplied()),
        [transaction.checkpoint(name) for name in NAMES],
        [(transaction.base(name), transaction.base_part(name, 1, 2)) for name in NAMES],
        [transaction.get(name) for name in NAMES],
        transaction.heads(),
        transaction.membership(),
        transaction.record_count(),
    )


class Twins(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.spoiled = False
        self.memory = MemoryStore(commit=self._commit)
        self.form = SqlCipherForm(self.folder / "store.db")
        self.disk = self.runner.run(self.form.open())

    def _commit(self) -> None:
        if self.spoiled:
            raise StoreFailed("The commit was made to fail.")

    @rule(works=st.lists(st.tuples(st.lists(actions, max_size=6), endings), min_size=1, max_size=3))
    def write(self, works: list[tuple[list[tuple[Any, ...]], str]]) -> None:
        for steps, ending in works:

            def work(t: Transaction, steps: Any = steps, ending: str = ending) -> list[object]:
                results = [do(t, step) for step in steps]
                if ending == "raise":
                    raise LookupError
                return results

            def spoiled(t: Transaction, work: Any = work) -> list[object]:
                results: list[object] = work(t)
                self.form.spoil(t)
                return results

            self.spoiled = ending == "commit fails"
            try:
                expected: object = self.memory.transact(work)
            except (LookupError, StoreFailed) as error:
                expected = type(error)
            try:
                got: object = self.runner.run(self.disk.write(spoiled if self.spoiled else work))
            except (LookupError, StoreFailed) as error:
                got = type(error)
            self.spoiled = False
            assert got == expected

    @rule()
    def restart(self) -> None:
        self.runner.run(self.disk.close())
        self.disk = self.runner.run(self.form.open())
        self.memory = self.memory.copy()

    @invariant()
    def agree(self) -> None:
        assert self.runner.run(self.disk.read(look)) == self.memory.view(look)

    def teardown(self) -> None:
        self.runner.run(self.disk.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
