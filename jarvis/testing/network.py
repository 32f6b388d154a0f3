"""An in-memory network: the twin of the real transport, with delay, loss, duplication, reordering and partitions, on a
clock and a random source that the caller brings. It passes the same acceptance tests as the real one, so that
simulations exercise the connector and everything above it as they run at home."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from jarvis.core.errors import BadConfiguration, NotAllowed, Unreachable
from jarvis.core.ids import to_text
from jarvis.net.link import (
    SEND_DEADLINE_S,
    SEND_QUEUE_BYTES,
    Accept,
    Answer,
    Elsewhere,
    OwnAddress,
    check_frame,
    tidy_reason,
)
from jarvis.net.settle import Ticket
from jarvis.net.tls import Members

NOTICE_MS = 22_500.0
"""After this long without a way through, both ends give a link up: the real heartbeat's 15 s and half of it."""
DIAL_MS = 8_000.0
WINDOW_BYTES = 512 * 1024
"""What is under way or unread in one direction before a sender waits, as the kernel's buffers do."""


class Schedule(Protocol):
    """The caller's clock."""

    def now_ms(self) -> float: ...

    def call_after(self, delay_ms: float, action: Callable[[], None]) -> None: ...


class LoopSchedule:
    """The running event loop's clock; with `VirtualTimeLoop` a virtual one."""

    def now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def call_after(self, delay_ms: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_ms / 1000, action)


@dataclass(frozen=True)
class Conditions:
    """How one direction between two nodes behaves. The defaults are an ordinary home."""

    delay_ms: tuple[float, float] = (0.2, 2.0)
    """A frame takes a time between these."""
    loss: float = 0.0
    """The chance that a frame never arrives. TCP would not lose it: this is for protocols that should not care."""
    duplicate: float = 0.0
    """The chance that a frame arrives twice."""
    reorder: bool = False
    """Whether frames may overtake one another."""


class Network:
    """All nodes and what lies between them."""

    def __init__(self, rng: random.Random, schedule: Schedule | None = None, conditions: Conditions | None = None):
        self.rng = rng
        self.schedule = schedule or LoopSchedule()
        self.default = conditions or Conditions()
        self.frames = 0
        """Frames sent so far, lost ones included."""
        self._between: dict[tuple[bytes, bytes], Conditions] = {}
        self._cut: dict[tuple[bytes, bytes], float] = {}  # direction -> since when
        self._listening: dict[str, MemoryTransport] = {}
        self._links: dict[MemoryLink, None] = {}  # a set would have another order in every run

    def transport(self, me: bytes, members: Members) -> MemoryTransport:
        return MemoryTransport(self, me, members)

    def conditions(self, source: bytes, target: bytes) -> Conditions:
        return self._between.get((source, target), self.default)

    def set_conditions(self, source: bytes, target: bytes, conditions: Conditions) -> None:
        """For one direction."""
        self._between[source, target] = conditions

    def cut(self, source: bytes, target: bytes, *, one_way: bool = False) -> None:
        """Let nothing through any more. Links notice after NOTICE_MS, as real ones do."""
        for direction in [(source, target)] if one_way else [(source, target), (target, source)]:
            self._cut.setdefault(direction, self.schedule.now_ms())
        self.schedule.call_after(NOTICE_MS, lambda: self._notice(source, target))

    def heal(self, source: bytes | None = None, target: bytes | None = None) -> None:
        """Let everything through again between two nodes, or everywhere."""
        for direction in list(self._cut):
            if source is None or target is None or {source, target} == set(direction):
                del self._cut[direction]

    def is_cut(self, source: bytes, target: bytes) -> bool:
        return (source, target) in self._cut

    def _notice(self, one: bytes, other: bytes) -> None:
        since = [self._cut[way] for way in ((one, other), (other, one)) if way in self._cut]
        # A little slack: the float of "now" may fall just short of the time it was scheduled for.
        if since and self.schedule.now_ms() - min(since) >= NOTICE_MS - 1:
            for link in list(self._links):
                if {link.me, link.peer} == {one, other}:
                    link.lost("the peer stopped answering")

    def carry(self, link: MemoryLink, item: bytes | _Goodbye) -> None:
        """Bring a frame or a goodbye to the other end, or lose it."""
        self.frames += 1
        conditions = self.conditions(link.me, link.peer)
        lost = isinstance(item, bytes) and self.rng.random() < conditions.loss
        copies = 2 if isinstance(item, bytes) and self.rng.random() < conditions.duplicate else 1
        if lost or self.is_cut(link.me, link.peer):
            if isinstance(item, bytes):
                link.other.freed(len(item))
            return
        for copy in range(copies):
            delay_ms = self.rng.uniform(*conditions.delay_ms)
            if conditions.reorder and isinstance(item, bytes):
                self.schedule.call_after(delay_ms, partial(link.other.arrived, item, copy == 0))
                continue
            # In order: each firing brings the oldest, since times that are equal may fire either way round.
            link.last_due_ms = max(self.schedule.now_ms() + delay_ms, link.last_due_ms)
            link.wire.append((item, copy == 0))
            self.schedule.call_after(link.last_due_ms - self.schedule.now_ms(), link.bring_oldest)


@dataclass(frozen=True)
class _Goodbye:
    reason: str


class MemoryLink:
    """See `net.link.Link`."""

    other: MemoryLink

    def __init__(
        self, network: Network, me: bytes, peer: bytes, *, dialled: bool, address: str, mine: Ticket, theirs: Ticket
    ) -> None:
        self.me, self.peer, self.dialled, self.address = me, peer, dialled, address
        self.mine, self.theirs = mine, theirs
        self.last_due_ms = 0.0
        self.wire: deque[tuple[bytes | _Goodbye, bool]] = deque()
        self._network = network
        self._inbox: deque[tuple[bytes | _Goodbye, bool]] = deque()
        self._arrival = asyncio.Event()
        self._outstanding = 0  # bytes of ours under way or unread at the other end
        self._space = asyncio.Event()
        self._order = asyncio.Lock()
        self._waiting_bytes = 0
        self._sent = False
        self._gone = False
        self._reason = ""
        network._links[self] = None

    @property
    def closed_reason(self) -> str:
        return self._reason

    def stalled(self) -> bool:
        return False  # what a cut swallowed is lost here, not sent again

    async def send(self, frame: bytes) -> None:
        check_frame(frame, first=not self._sent)
        self._still_open()
        if self._waiting_bytes + len(frame) > SEND_QUEUE_BYTES:
            await self.close("the peer reads too slowly")
            self._still_open()
        self._sent = True
        self._waiting_bytes += len(frame)
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            self._space.set()

        self._network.schedule.call_after(SEND_DEADLINE_S * 1000, expire)
        try:
            async with self._order:
                while self._outstanding and self._outstanding + len(frame) > WINDOW_BYTES and not self._gone:
                    if late:
                        await self.close("the peer reads too slowly")
                    self._still_open()
                    self._space.clear()
                    await self._space.wait()
                self._still_open()
                self._outstanding += len(frame)
                self._network.carry(self, frame)
        finally:
            self._waiting_bytes -= len(frame)

    async def receive(self) -> bytes | None:
        while not self._reason:
            if not self._inbox:
                self._arrival.clear()
                await self._arrival.wait()
                continue
            item, counted = self._inbox.popleft()
            if isinstance(item, _Goodbye):
                self._finish(tidy_reason(item.reason) or "closed by the peer")
            else:
                if counted:
                    self.freed(len(item))
                return item
        return None

    async def close(self, reason: str) -> None:
        if not self._reason:
            if not self._gone:
                self._network.carry(self, _Goodbye(reason))
            self._finish(reason or "closed")

    def lost(self, reason: str) -> None:
        """The connection ended without a goodbye."""
        self.arrived(_Goodbye(reason), False)

    def arrived(self, item: bytes | _Goodbye, counted: bool) -> None:
        if self._reason:
            return
        if isinstance(item, _Goodbye):
            self._gone = True
            self._space.set()
        self._inbox.append((item, counted))
        self._arrival.set()

    def bring_oldest(self) -> None:
        """The oldest thing on our wire reaches the other end."""
        self.other.arrived(*self.wire.popleft())

    def freed(self, size: int) -> None:
        """The other end may send this much more."""
        self.other._outstanding -= size
        self.other._space.set()

    def _finish(self, reason: str) -> None:
        self._reason = reason
        self._inbox.clear()
        self._arrival.set()
        self._space.set()
        self._network._links.pop(self, None)

    def _still_open(self) -> None:
        if self._reason or self._gone:
            raise Unreachable(f"The link is closed: {self._reason or 'connection lost'}.")


class MemoryTransport:
    """See `net.link.Transport`."""

    def __init__(self, network: Network, me: bytes, members: Members) -> None:
        self.me = me
        self.address = f"{to_text(me)}:1"
        self._network, self._members = network, members
        self._accept: Accept | None = None
        self._answer: Answer | None = None
        self._group: asyncio.TaskGroup | None = None

    async def listen(self, accept: Accept, answer: Answer) -> int:
        if self.address in self._network._listening:
            raise BadConfiguration("Port 1 is taken.", fix="Stop the program that uses it, or choose another port.")
        self._network._listening[self.address] = self
        self._accept, self._answer = accept, answer
        return 1

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    async def dial(self, address: str, ticket: Ticket, peer: bytes) -> MemoryLink:
        target = await self._reach(address)
        if target.me != peer:
            raise Elsewhere(f"Another node answers at {address}.")
        if self.me not in target._members() or target._group is None:
            raise Unreachable(f"The node at {address} hung up; perhaps this node is not a member there.")
        return await target._admit(self, ticket, address)

    async def whose(self, address: str) -> bytes:
        return (await self._reach(address)).me

    async def _reach(self, address: str) -> MemoryTransport:
        """As far as a handshake comes."""
        network, target = self._network, self._network._listening.get(address)
        if target is None or target._group is None:
            await self._after(network.rng.uniform(*network.default.delay_ms))
            raise Unreachable(f"Nobody answers at {address}.")
        if target.me == self.me:
            raise OwnAddress(f"{address} is this node itself.")
        for source, sink in ((self.me, target.me), (target.me, self.me), (self.me, target.me)):
            if network.is_cut(source, sink):
                await self._after(DIAL_MS)
                raise Unreachable(f"Nobody answered at {address} within {DIAL_MS / 1000:.0f} s.")
            await self._after(network.rng.uniform(*network.conditions(source, sink).delay_ms))
        if target.me not in self._members():
            raise NotAllowed(f"Who answers at {address} is not a member of this home.")
        return target

    def members_changed(self) -> None:
        """Every dial asks the members anew."""

    async def close(self) -> None:
        if self._network._listening.get(self.address) is self:
            del self._network._listening[self.address]
        self._group = None

    async def _admit(self, dialler: MemoryTransport, theirs: Ticket, address: str) -> MemoryLink:
        """Make both ends; ours first, as a server answers before the client knows."""
        assert self._group is not None and self._accept is not None and self._answer is not None
        mine = await self._answer(dialler.me, theirs)
        if mine is None:
            raise NotAllowed(f"The node at {address} refused the link.")
        if self._group is None:
            raise Unreachable(f"The node at {address} hung up; it is stopping.")
        near = MemoryLink(
            self._network, self.me, dialler.me, dialled=False, address=dialler.address, mine=mine, theirs=theirs
        )
        far = MemoryLink(self._network, dialler.me, self.me, dialled=True, address=address, mine=theirs, theirs=mine)
        near.other, far.other = far, near
        self._group.create_task(_run(self._accept, near))
        try:
            await self._after(self._network.rng.uniform(*self._network.conditions(self.me, dialler.me).delay_ms))
        except asyncio.CancelledError:  # the dialler has gone before it had its end
            near.lost("connection lost")
            raise
        return far

    async def _after(self, delay_ms: float) -> None:
        done = asyncio.Event()
        self._network.schedule.call_after(delay_ms, done.set)
        await done.wait()


async def _run(accept: Accept, link: MemoryLink) -> None:
    await accept(link)
