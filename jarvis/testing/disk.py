"""A simulated disk below the in-memory store: writes wait for the next commit, share it, and fare with it as the disk
does. What a crash finds not yet committed is lost, a torn commit is lost whole (that is what a write-ahead log's
checksums are for), a full disk undoes everything that shared the commit."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from jarvis.core.errors import JarvisError, StoreFailed
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Transaction
from jarvis.testing.timeline import Timeline

T = TypeVar("T")
BEFORE, AFTER = "before", "after"
"""Where in a commit the power goes: nothing of it is durable, or all of it and nobody has heard."""
COMMIT_MS = (0.3, 6.0)


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Callable[[Transaction], Any]
    then: Callable[[Any], None]
    failed: Callable[[JarvisError], None]


class SimDisk(MemoryStore):
    """`power_off` is called when an armed crash strikes."""

    def __init__(self, timeline: Timeline, rng: random.Random, power_off: Callable[[str], None]) -> None:
        super().__init__()
        self._timeline = timeline
        self._rng = rng
        self._power_off = power_off
        self._waiting: list[_Waiting] = []
        self._armed: tuple[int, str] | None = None
        self.full = False
        self.slowness = 1.0
        self.commits = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(
        self, work: Callable[[Transaction], T], then: Callable[[T], None], failed: Callable[[JarvisError], None]
    ) -> None:
        """Do `work` with the next commit; exactly one of the others is called when it is decided, none on a crash."""
        self._waiting.append(_Waiting(work, then, failed))
        if len(self._waiting) == 1:
            self._timeline.call_after(self._rng.uniform(*COMMIT_MS) * self.slowness, self._commit_waiting)

    def arm(self, commits: int, where: str) -> None:
        """Crash in the `commits`-th commit from now."""
        self._armed = (commits, where)

    def disarm(self) -> None:
        self._armed = None

    def lose_memory(self) -> None:
        """The power is gone: whatever waited is lost, and whoever cached what lay here is no more."""
        self._waiting.clear()
        self._undone.clear()
        self._armed = None

    def restore(self, older: MemoryStore) -> None:
        """Put an older copy of the whole disk in place."""
        self._tables = older.copy()._tables

    def _commit_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:  # a crash took them
            return
        self.commits += 1
        answers, transactions = self._run(waiting)
        fate = self._fate()
        if fate == BEFORE or self.full:
            for transaction in reversed(transactions):
                transaction.take_back()
            for callback in self._undone:
                callback()
        if fate is not None:
            self._power_off(fate)
        elif self.full:
            for one in waiting:
                one.failed(StoreFailed("The disk is full."))
        else:
            for answer in answers:
                answer()

    def _run(self, waiting: list[_Waiting]) -> tuple[list[Callable[[], None]], list[Any]]:
        """Every work, each undone alone if it fails, and how its caller hears of it."""
        answers: list[Callable[[], None]] = []
        transactions = []
        for one in waiting:
            transaction = self._begin()
            try:
                result = one.work(transaction)
            except JarvisError as error:
                self._undo(transaction)
                answers.append(lambda one=one, error=error: one.failed(error))  # type: ignore[misc]
            else:
                transactions.append(transaction)
                answers.append(lambda one=one, result=result: one.then(result))  # type: ignore[misc]
        return answers, transactions

    def _fate(self) -> str | None:
        """Where the power goes in this commit, if it does."""
        if self._armed is None:
            return None
        commits, where = self._armed
        self._armed = (commits - 1, where) if commits > 1 else None
        return where if commits <= 1 else None
