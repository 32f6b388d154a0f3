"""Engines lent between rooms: whose own hears, speaks or thinks no more asks a connected member that can. Only what may
leave this room is asked of another, a lender's own people come first, and both sides note it in the audit.

Over requests, not over messages that may be lost: a question is useless with a piece missing. A request's handler must
not wait for a peer or a model, so a question is only taken in, and its answer is brought by requests the other way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from jarvis.core.codec import Value
from jarvis.core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidBytes,
    JarvisError,
    NotAllowed,
    NotFound,
    Overloaded,
    Unreachable,
)
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.node.begun import Begun
from jarvis.node.hearing.lending_messages import (
    JOB_BYTES,
    MAX_ASKED_BYTES,
    MAX_GIVEN_BYTES,
    Asked,
    Whole,
    pieces,
    read_asked,
    read_given,
    read_offer,
    read_piece,
    write_asked,
    write_given,
    write_offer,
    write_refused,
)
from jarvis.node.membership.allowances import Allowances
from jarvis.node.membership.requests import Requests
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal

OFFER, ASK, GIVE = "lend.offer", "lend.ask", "lend.give"
MAX_LENT = 2
"""Jobs at once, for all peers: the machine belongs to the room it stands in."""
BURST, PER_S = 40.0, 1.0
"""Jobs a peer may ask for at once, and one more each second: a turn is a few judgements and a dozen sentences."""
MAX_ASKED = 8
"""Peers asked what they would lend, all at once."""
MAX_TRIED = 3
"""Peers asked one after another; a person waits."""
WITHIN_S = 15.0
"""For the whole loan. Longer than any sentence takes, shorter than anybody waits twice."""
PIECE_S = 3.0
OFFER_S = 1.5
OFFERED_S = 15.0
"""How long an offer is believed."""
STALE_S = 10.0
"""A question whose pieces stopped coming is forgotten."""
AUDIT_EVERY_S = 600.0
"""One entry for each peer and kind: a broken voice borrows every sentence."""
MAX_WRITTEN_CHARS = 4_000
"""Of a lent language model's answer; it writes a hundred tokens."""

log = structlog.get_logger()


class Lent(Protocol):
    """What is used of `engines.Engine`."""

    @property
    def kind(self) -> str: ...
    @property
    def lendable(self) -> bool: ...
    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...
    def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]: ...


@dataclass(slots=True)
class _Loan:
    """One question of ours that a peer works on."""

    peer: bytes
    answer: asyncio.Future[Value]
    whole: Whole = field(default_factory=lambda: Whole(MAX_GIVEN_BYTES))


class Lending:
    """`near` gives connected members, the nearest first; `may_leave` says whether what is said here may leave this
    node; `engines` are this node's own, by kind."""

    def __init__(
        self,
        requests: Requests,
        journal: Journal,
        audit: Audit,
        clock: Clock,
        *,
        engines: Mapping[str, Lent],
        near: Callable[[], Sequence[bytes]],
        room_of: Callable[[bytes], str],
        may_leave: Callable[[], bool],
    ) -> None:
        self._requests, self._journal, self._audit, self._clock = requests, journal, audit, clock
        self._engines, self._near, self._room_of, self._may_leave = engines, near, room_of, may_leave
        self._loans: dict[bytes, _Loan] = {}
        """By job; as many as this node's own engines are asked at once."""
        self._offers: dict[bytes, tuple[float, frozenset[str]]] = {}
        """By member, with when it was said."""
        self._taken: dict[tuple[bytes, bytes], Whole] = {}
        """Questions of (peer, job) that are still coming in, at most MAX_LENT."""
        self._working = 0
        self._allowances = Allowances(clock, BURST, PER_S)
        self._noted: dict[tuple[str, bytes, str], float] = {}
        """When (what, member, kind) was audited last."""
        self._begun = Begun()
        self.run = self._begun.run
        """Lend until cancelled."""
        requests.serve(OFFER, self._offered)
        requests.serve(ASK, self._asked)
        requests.serve(GIVE, self._given)

    # --- borrowing ------------------------------------------------------------------------------------------------

    @property
    def possible(self) -> bool:
        """Whether there is anybody to ask, and asking is allowed."""
        return self._may_leave() and bool(self._near())

    async def lenders(self, kind: str) -> list[bytes]:
        """Connected members that would lend one now. Raises NotAllowed where nothing may leave the room, Unreachable
        when there is none."""
        self._must_be_open()
        near = self._near()[:MAX_ASKED]
        offers = await asyncio.gather(*map(self._offers_of, near))
        found = [peer for peer, kinds in zip(near, offers, strict=True) if kind in kinds]
        if not found:
            raise Unreachable(f"No other room can lend its {kind} engine.")
        return found[:MAX_TRIED]

    async def borrow(self, kind: str, method: str, *args: Value, deadline_s: float) -> tuple[str, Value]:
        """The room that helped, and what its engine answered. Raises what `lenders` raises, DeadlineExceeded, or
        EngineFailed with what the last of those that were asked said."""
        try:
            async with asyncio.timeout(min(deadline_s, WITHIN_S)):
                said = ""
                for peer in await self.lenders(kind):
                    self._must_be_open()  # it may have been closed meanwhile
                    try:
                        value = await self._borrow_from(peer, kind, method, args, min(deadline_s, WITHIN_S))
                    except JarvisError as error:
                        self._offers.pop(peer, None)
                        said = str(error)
                        continue
                    await self._note("engine.borrowed", peer, kind)
                    return self._room_of(peer), value
                raise EngineFailed(f"No other room's {kind} engine could help: {said}")
        except TimeoutError:
            raise DeadlineExceeded(f"No other room's {kind} engine answered in time.") from None

    def _must_be_open(self) -> None:
        if not self._may_leave():
            raise NotAllowed("What is said in this room does not leave it.")

    async def _borrow_from(
        self, peer: bytes, kind: str, method: str, args: tuple[Value, ...], within_s: float
    ) -> Value:
        whole = write_asked(Asked(kind, method, args, int(within_s * 1000)))
        job = os.urandom(JOB_BYTES)
        loan = self._loans[job] = _Loan(peer, asyncio.get_running_loop().create_future())
        try:
            for body in pieces(job, whole):
                await self._requests.ask(peer, ASK, body, within_s=PIECE_S)
            return await self._until_gone(peer, loan.answer)
        finally:
            del self._loans[job]
            if not loan.answer.cancel() and not loan.answer.cancelled():
                loan.answer.exception()  # seen, whoever left before

    async def _until_gone(self, peer: bytes, answer: asyncio.Future[Value]) -> Value:
        """The answer, or Unreachable soon after the peer's link has ended: nobody else would tell."""
        while True:
            done, _ = await asyncio.wait({answer}, timeout=0.25)
            if done:
                return answer.result()
            if peer not in self._near():
                raise Unreachable("The room that helped is gone.")

    async def _offers_of(self, peer: bytes) -> frozenset[str]:
        now = self._clock.mono_ms()
        said_ms, kinds = self._offers.get(peer, (float("-inf"), frozenset()))
        if now - said_ms < OFFERED_S * 1000:
            return kinds
        try:
            kinds = read_offer(await self._requests.ask(peer, OFFER, b"", within_s=OFFER_S))
        except DeadlineExceeded:
            return frozenset()  # busy now; what it lends is another question
        except JarvisError:
            kinds = frozenset()
        self._offers[peer] = now, kinds
        return kinds

    async def _given(self, peer: bytes, body: bytes) -> bytes:
        piece = read_piece(body)
        loan = self._loans.get(piece.job)
        if loan is None or loan.peer != peer or loan.answer.done():
            raise NotFound("Nobody waits for that any more.")
        try:
            whole = loan.whole.add(piece)
            if whole is not None:
                loan.answer.set_result(read_given(whole))
        except JarvisError as error:
            loan.answer.set_exception(error)
        return b""

    # --- lending --------------------------------------------------------------------------------------------------

    async def _offered(self, peer: bytes, body: bytes) -> bytes:
        return write_offer([kind for kind, engine in self._engines.items() if engine.lendable])

    async def _asked(self, peer: bytes, body: bytes) -> bytes:
        piece = read_piece(body)
        key = (peer, piece.job)
        if piece.index == 0:
            self._admit(peer, key)
        whole = self._taken.get(key)
        if whole is None:
            raise NotFound("That question was given up.")
        try:
            asked = whole.add(piece)
        except InvalidBytes:
            del self._taken[key]
            raise
        if asked is not None:
            del self._taken[key]
            self._begin(peer, piece.job, read_asked(asked))
        return b""

    def _admit(self, peer: bytes, key: tuple[bytes, bytes]) -> None:
        now = self._clock.mono_ms()
        for stale in [one for one, whole in self._taken.items() if now - whole.at_ms > STALE_S * 1000]:
            del self._taken[stale]
        if not self._allowances.has(peer):
            log.warning("too much asked of our engines", peer=to_text(peer))
            raise Overloaded("That room has helped often enough for now.")
        if len(self._taken) + self._working >= MAX_LENT:
            raise Overloaded("That room helps others already.")
        self._allowances.take(peer)
        self._taken[key] = Whole(MAX_ASKED_BYTES, now)

    def _begin(self, peer: bytes, job: bytes, asked: Asked) -> None:
        engine = self._engines.get(asked.kind)
        if (
            engine is None
            or not engine.lendable
            or not self._begun.begin(self._work(peer, job, asked, engine), "lent engine")
        ):
            raise Overloaded(f"That room cannot lend its {asked.kind} engine now.")
        self._working += 1

    async def _work(self, peer: bytes, job: bytes, asked: Asked, engine: Lent) -> None:
        try:
            try:
                whole = write_given(await _answer(engine, asked))
            except JarvisError as error:
                whole = write_refused(str(error))
            with contextlib.suppress(JarvisError):  # it hung up, or does not wait any more
                for body in pieces(job, whole):
                    await self._requests.ask(peer, GIVE, body, within_s=PIECE_S)
                await self._note("engine.lent", peer, asked.kind)
        finally:
            self._working -= 1

    async def _note(self, action: str, peer: bytes, kind: str) -> None:
        """Into the audit, now and then: who helped whom with what, never what was said."""
        now, key = self._clock.mono_ms(), (action, peer, kind)
        if now - self._noted.get(key, float("-inf")) < AUDIT_EVERY_S * 1000:
            return
        self._noted[key] = now
        try:
            await self._journal.write(self._audit.entry(action, to_text(peer), engine=kind))
        except JarvisError as error:
            log.warning("a loan was not audited", reason=str(error))


async def _answer(engine: Lent, asked: Asked) -> Value:
    within_s = min(asked.deadline_ms / 1000, WITHIN_S)
    if asked.kind != "llm":
        return await engine.call(asked.method, *asked.args, deadline_s=within_s)
    written = ""
    stream = engine.stream(asked.method, *asked.args, deadline_s=within_s, idle_s=within_s)
    try:
        async for piece in stream:
            written += str(piece)
            if len(written) > MAX_WRITTEN_CHARS:
                break
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return written


class PeersEngine:
    """Other rooms' engines of one kind, as a rank of `engines.Ranked`."""

    def __init__(self, lending: Lending, kind: str) -> None:
        self._lending, self._kind = lending, kind
        self.name = f"other rooms' {kind} engine"
        """After a call: whose it was."""

    async def start(self) -> None:
        """Raises what `Lending.lenders` raises."""
        await self._lending.lenders(self._kind)

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        room, value = await self._lending.borrow(self._kind, method, *args, deadline_s=deadline_s)
        self.name = f"{room}'s {self._kind} engine"
        return value

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        """All at once: a loan is not streamed."""
        yield await self.call(method, *args, deadline_s=deadline_s)
