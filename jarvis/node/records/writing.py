"""Own writes on their way into the store. Those that wait for the same commit are one work of the store's and share
records; each fails or stands alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.errors import JarvisError, Overloaded, StoreFailed
from jarvis.crdt.dots import Dot
from jarvis.identity.record import SignedRecord
from jarvis.node.records.budget import Budget
from jarvis.replica.accepted import Accepted
from jarvis.replica.composition import Composition
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

MAX_WAITING = 1_024
"""What a busy home writes in some seconds; beyond that callers must slow down."""

Write = tuple[str, Callable[[Any], list[Value]]]
"""A document, and what makes operations from its state, in the writer thread."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where a write stands. Its record may hold other callers' writes too."""

    record: SignedRecord
    op: int
    """Of its first operation."""

    @property
    def dot(self) -> Dot:
        """Names its first operation for ever."""
        return Dot(self.record.header.author, self.record.header.seq, self.op)


class Request:
    """Writes that stand or fall together, and what became of them."""

    __slots__ = ("error", "future", "makes_room", "writes", "written")

    def __init__(
        self, writes: Sequence[Write], future: asyncio.Future[list[Written]], *, makes_room: bool = False
    ) -> None:
        self.writes = writes
        self.makes_room = makes_room
        self.future = future
        self.written: list[Written] = []
        self.error: BaseException | None = None

    def settle(self) -> None:
        """In the loop: tell the caller, if still there."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.written)
        else:
            self.future.set_exception(self.error)


class WaitingWrites:
    """Filled in the event loop, emptied in the store's thread when it begins a work: so all that came until then goes
    with that commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def put(self, request: Request) -> bool:
        """Whether it is the first, so that somebody must be sent for it. Raises Overloaded."""
        with self._lock:
            if len(self._requests) >= MAX_WAITING:
                raise Overloaded(f"{MAX_WAITING} writes wait for the disk.", fix="Try again in a moment.")
            self._requests.append(request)
            return len(self._requests) == 1

    def take(self) -> list[Request]:
        with self._lock:
            taken, self._requests = self._requests, []
        return taken


def carry_out(
    tx: Transaction, replica: Replica, requests: Sequence[Request], budget: Budget
) -> tuple[list[SignedRecord], Accepted]:
    """All of them in one composition. Raises when one failed in the middle: then the transaction must be undone, and
    each be carried out in one of its own."""
    composition = replica.compose(tx)
    places = []
    for request in requests:
        before = composition.extent
        try:
            if not request.makes_room:
                budget.check(tx)
            places.append(add_all(composition, request.writes))
        except JarvisError as error:
            if composition.extent != before or isinstance(error, StoreFailed):
                raise
            request.error = error  # it has changed nothing
            places.append([])
    records, accepted = composition.finish()
    for request, taken in zip(requests, places, strict=True):
        request.written = [Written(records[seq], op) for seq, op in taken]
    return list(records.values()), accepted


def add_all(composition: Composition, writes: Sequence[Write]) -> list[tuple[int, int]]:
    """Where each write came to stand that had something to write, in order along the author's chain."""
    places: list[tuple[int, int]] = []
    for document, make in writes:
        place = composition.add(document, make, after=places[-1][0] if places else 0)
        if place is not None:
            places.append(place)
    return places


def own_copy(error: BaseException) -> BaseException:
    """Of an error that many callers get: each adds to its trace."""
    return type(error)(str(error), fix=error.fix) if isinstance(error, JarvisError) else error
