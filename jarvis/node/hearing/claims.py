"""This node's part in which room answers: it carries the machine of `jarvis.voice.arbitration` over the links, gives it
the time, and writes each decision into the audit. It decides nothing itself, and no private room's text passes it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from jarvis.assistant.directions import asks_privacy
from jarvis.core.codec import Value
from jarvis.core.errors import JarvisError
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.node.hearing.claim_account import ACTION, detail_of
from jarvis.node.hearing.echo import Echo
from jarvis.node.links.topics import Topics
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.voice.arbitration.arbiter import WakeClaim
from jarvis.voice.arbitration.claims import Claims
from jarvis.voice.arbitration.messages import LIMITS, TOPIC, WAKE_ID_BYTES, from_value, snr_step, to_value
from jarvis.voice.arbitration.state import Answers, Chimes, Effect, Send, Settled

MAX_WAITING = 64
"""Decisions that wait to be written: the disk is far behind then, and the home forgets rather than waits."""
AFTER_S = 1.0
"""From a decision to writing it down: the answer needs the disk, the links and the cores first."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is asked about this node and its home before it claims."""

    peers: Callable[[], frozenset[bytes]]
    """Linked now."""
    others: Callable[[], frozenset[bytes]]
    """All other members of the home."""
    able: Callable[[], bool]
    """Engines healthy, not muted."""
    private: Callable[[], bool]
    """What is said here stays here."""


class RoomClaims:
    """The arbiter of a home's node. `links_changed` is called when a link came or went; `run` writes the audit."""

    def __init__(
        self, node_id: bytes, topics: Topics, journal: Journal, audit: Audit, clock: Clock, around: Surroundings
    ) -> None:
        self._node_id, self._topics, self._around, self._clock = node_id, topics, around, clock
        self._journal, self._audit = journal, audit
        self._machine = Claims(node_id)
        self._echo = Echo(topics, clock, around.private)
        self._bids: dict[bytes, _RoomBid] = {}
        self._settled: asyncio.Queue[Settled] = asyncio.Queue(MAX_WAITING)
        self._timer: asyncio.TimerHandle | None = None
        topics.serve(TOPIC, self.delivered, LIMITS)

    # --- the arbiter's face -------------------------------------------------------------------------------------

    def bid(self, claim: WakeClaim) -> _RoomBid:
        self.links_changed()
        bid = _RoomBid(os.urandom(WAKE_ID_BYTES), self)
        self._bids[bid.wake] = bid
        self.act(
            self._machine.wake(
                bid.wake,
                self._clock.mono_ms(),
                able=self._around.able(),
                engaged=claim.engaged or claim.speaking,
                snr_step=snr_step(claim.snr_db),
            )
        )
        return bid

    def deaf(self) -> bool:
        return self._echo.deaf()

    def echo(self, text: str) -> bool:
        return self._echo.echo(text)

    def saying(self, text: str, ms: float) -> None:
        self._echo.saying(text, ms)

    # --- what a bid asks ----------------------------------------------------------------------------------------

    def confirm(self, wake: bytes) -> None:
        self.act(self._machine.confirm(wake, self._clock.mono_ms()))

    def withdraw(self, wake: bytes) -> None:
        self.act(self._machine.withdraw(wake, self._clock.mono_ms()))

    def understood(self, wake: bytes, text: str) -> None:
        private = self._around.private() or asks_privacy(text)  # what begins a private conversation is part of it
        self.act(self._machine.understood(wake, text, self._clock.mono_ms(), private=private))

    # --- what comes in ------------------------------------------------------------------------------------------

    def delivered(self, peer: bytes, value: Value) -> None:
        message = from_value(value)
        self.links_changed()
        self.act(self._machine.received(peer, message, self._clock.mono_ms()))

    def links_changed(self) -> None:
        now_ms, peers = self._clock.mono_ms(), self._around.peers()
        for peer in self._machine.peers - peers:
            self.act(self._machine.lost(peer, now_ms))
        for peer in peers - self._machine.peers:
            self.act(self._machine.linked(peer, now_ms))

    async def run(self) -> None:
        """Write down what was decided, until cancelled; then what is left."""
        settled: Settled | None = None
        try:
            while True:
                settled = await self._settled.get()
                await asyncio.sleep(AFTER_S)
                await self._write(settled)
                settled = None
        finally:
            left = [] if settled is None else [settled]
            while not self._settled.empty():
                left.append(self._settled.get_nowait())
            for one in left:
                await self._write(one)

    async def _write(self, settled: Settled) -> None:
        unreachable = self._around.others() - self._machine.peers
        entry = self._audit.entry(
            ACTION, to_text(self._node_id), outcome=settled.outcome, **detail_of(settled, unreachable)
        )
        try:
            await self._journal.write(entry)
        except JarvisError as error:
            log.warning("why this room answered was not written", reason=str(error))

    # --- what follows -------------------------------------------------------------------------------------------

    def act(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message, None):
                    self._topics.broadcast(TOPIC, to_value(message))
                case Send(message, bytes(peer)):
                    self._topics.tell(peer, TOPIC, to_value(message))
                case Chimes(wake, chimes) if wake in self._bids:
                    self._bids[wake].chimes(chimes)
                case Answers(wake, answers) if wake in self._bids:
                    self._bids.pop(wake).decided(answers)
                case Settled():
                    self._note(effect)
        self._wait()

    def _note(self, settled: Settled) -> None:
        if not self._around.others():
            return  # a home of one node decides nothing
        if self._settled.full():
            log.warning("why this room answered was not written", reason="too many decisions wait")
        else:
            self._settled.put_nowait(settled)

    def _wait(self) -> None:
        """Tick when the machine wants it. At most one timer, and none while nothing is claimed."""
        if self._timer is not None:
            self._timer.cancel()
        due_ms = self._machine.due_ms()
        if due_ms is None:
            self._timer = None
        else:
            delay_s = max(due_ms - self._clock.mono_ms(), 0.0) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.act(self._machine.tick(self._clock.mono_ms()))


class _RoomBid:
    """One wake word of this room. Its waits end: the machine decides every bid within its life."""

    def __init__(self, wake: bytes, claims: RoomClaims) -> None:
        self.wake, self._claims = wake, claims
        self._chimes: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def confirm(self) -> None:
        self._claims.confirm(self.wake)

    def withdraw(self, why: str) -> None:
        self._claims.withdraw(self.wake)

    async def wins(self) -> bool:
        return await asyncio.shield(self._chimes)

    async def answers(self, text: str) -> bool:
        if not self._answers.done():
            self._claims.understood(self.wake, text)
        try:
            return await asyncio.shield(self._answers)
        except asyncio.CancelledError:
            self.withdraw("interrupted")
            raise

    def chimes(self, chimes: bool) -> None:
        if not self._chimes.done():
            self._chimes.set_result(chimes)

    def decided(self, answers: bool) -> None:
        self.chimes(False)
        if not self._answers.done():
            self._answers.set_result(answers)
