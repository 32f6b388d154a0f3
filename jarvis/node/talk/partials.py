"""What is being heard and answered in one room, for the screens of the others: partial transcripts and replies as they
are written. Nothing of it is kept, and losing it harms nothing: it is coalesced, bounded, and left out where a link is
busy. Nothing of what is private may ever be queued here, and the room's own setting is asked again before each send.

It also tells the other rooms that somebody is at it here, so that none of them takes up the conversation meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass
from typing import Any

import structlog

from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes, JarvisError
from jarvis.core.events import EventBus
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.node.events import RemotePartial, RemoteReply

TOPIC = "partial"
MAX_NAME_CHARS = 64
MAX_TEXT_CHARS = 1_000
"""Of each part; a person reads the end of it, and what waited longer for its turn is left out."""
LIMITS = Limits(size_bytes=9_000, depth=1, items=8)
EVERY_S = 0.15
"""Seven a second look like a stream, and a link bears a hundred."""
STILL_S = 4.0
"""While somebody is at it, this is said again."""
BUSY_MS = 10_000.0
"""Who has said nothing for so long is no longer at it: two repetitions may be lost."""
SPEAKING_MS = 120_000.0
"""A reply that is still spoken then has lost its end."""
SAME_MS = 1_500.0
"""Rooms that began to listen so close to each other hear the same person, whom one of them will answer."""
MAX_TURNS = 16
"""At once here, or of one peer: a microphone, files and clients. The oldest is forgotten."""
HEARING, ANSWERING, OVER = 0, 1, 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Partial:
    """One message: what is new of one turn."""

    turn: str
    room: str
    phase: int
    """HEARING, ANSWERING or OVER."""
    heard: str
    """All that was understood so far; "" when that is not new."""
    at: int
    """Where in the reply `reply` stands, in characters: what lies between was left out."""
    reply: str

    def value(self) -> Value:
        return [self.turn, self.room, self.phase, self.heard, self.at, self.reply]


def read(value: Value) -> Partial:
    """Raises InvalidBytes."""
    match value:
        case [str(turn), str(room), int(phase), str(heard), int(at), str(reply)] if bool not in (type(phase), type(at)):
            names, texts = max(len(turn), len(room)), max(len(heard), len(reply))
            if names <= MAX_NAME_CHARS and texts <= MAX_TEXT_CHARS and HEARING <= phase <= OVER and 0 <= at < 2**31:
                return Partial(turn, room, phase, heard, at, reply)
    raise InvalidBytes("A partial transcript does not have its fields.")


@dataclass(slots=True)
class _There:
    """One of another room."""

    room: str
    phase: int
    began_ms: float
    until_ms: float = 0.0
    """When it counts no more."""


@dataclass(slots=True)
class _Turn:
    """One of ours."""

    room: str
    phase: int = HEARING
    heard: str = ""
    at: int = 0
    reply: str = ""
    """Not yet sent."""
    dirty: bool = True
    began_ms: float = 0.0
    until_ms: float = 0.0
    sent_ms: float = -math.inf

    def take(self, name: str) -> Partial:
        partial = Partial(name, self.room, self.phase, self.heard, self.at, self.reply)
        self.at, self.reply, self.heard, self.dirty = self.at + len(self.reply), "", "", False
        return partial


class Partials:
    """`send` hands a message to every peer whose link is not busy; `shared` says whether this room shares;
    `connected` names the peers that are linked."""

    def __init__(
        self,
        send: Callable[[Value], None],
        shared: Callable[[], Awaitable[bool]],
        connected: Callable[[], Container[bytes]],
        events: EventBus,
        clock: Clock,
    ) -> None:
        self._send = send
        self._shared = shared
        self._connected = connected
        self._events = events
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._private: dict[str, None] = {}
        """Turns that turned out to be private, newest last."""
        self._there: dict[tuple[bytes, str], _There] = {}
        """By (peer, turn)."""
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        """Somebody is no longer at it, which the others should know at once."""

    # --- here ---------------------------------------------------------------------------------------------------

    def hearing(self, turn: str, room: str, text: str = "") -> None:
        """Somebody speaks in `room`; `text` is what was understood so far."""
        if turn not in self._private:
            one = self._turn(turn, room)
            one.heard = text[-MAX_TEXT_CHARS:]

    def began(self, turn: str, room: str, text: str, *, private: bool) -> None:
        if private:
            self._turns.pop(turn, None)
            self._private[turn] = None
            while len(self._private) > MAX_TURNS:
                del self._private[next(iter(self._private))]
        else:
            one = self._turn(turn, room)
            one.phase, one.heard = ANSWERING, text[-MAX_TEXT_CHARS:]

    def replied(self, turn: str, text: str) -> None:
        one = self._turns.get(turn)
        if one is not None:
            one.reply += text
            left_out = max(len(one.reply) - MAX_TEXT_CHARS, 0)
            one.at, one.reply = one.at + left_out, one.reply[left_out:]
            self._touch(one)

    def written(self, turn: str, *, spoken: bool) -> None:
        if not spoken:
            self.over(turn)

    def over(self, turn: str) -> None:
        """Nobody listens or speaks any more."""
        one = self._turns.get(turn)
        if one is not None and one.phase != OVER:
            one.phase = OVER
            self._touch(one)
            self._ended.set()

    async def run(self) -> None:
        """Tell the others, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STILL_S if self._turns else None):
                    await self._changed.wait()
            self._changed.clear()
            try:
                shared = await self._shared()
            except JarvisError as error:
                log.warning("whether this room shares is not known", reason=str(error))
                shared = False
            self._ended.clear()
            self.flush(shared)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._ended.wait()

    def flush(self, shared: bool) -> None:
        """Send what is new, and now and then that somebody is still at it; not `shared`, forget it."""
        now_ms = self._clock.mono_ms()
        for name, one in list(self._turns.items()):
            if now_ms > one.until_ms:
                one.phase, one.dirty = OVER, True
            if shared and (one.dirty or now_ms - one.sent_ms >= STILL_S * 1000):
                one.sent_ms = now_ms
                self._send(one.take(name).value())
            if not shared or one.phase == OVER:
                del self._turns[name]

    def _turn(self, turn: str, room: str) -> _Turn:
        one = self._turns.get(turn)
        if one is None:
            while len(self._turns) >= MAX_TURNS:
                del self._turns[next(iter(self._turns))]
            one = self._turns[turn[:MAX_NAME_CHARS]] = _Turn(room[:MAX_NAME_CHARS], began_ms=self._clock.mono_ms())
        self._touch(one)
        return one

    def _touch(self, one: _Turn) -> None:
        one.dirty, one.until_ms = True, self._clock.mono_ms() + SPEAKING_MS
        self._changed.set()

    # --- elsewhere ----------------------------------------------------------------------------------------------

    def delivered(self, peer: bytes, value: Value) -> None:
        """A peer's message. Raises InvalidBytes."""
        partial, now_ms = read(value), self._clock.mono_ms()
        there = self._there.pop((peer, partial.turn), None)
        if partial.phase != OVER:
            of_peer = [key for key in self._there if key[0] == peer]
            for key in of_peer[: max(len(of_peer) - MAX_TURNS + 1, 0)]:
                del self._there[key]
            began_ms = there.began_ms if there else now_ms
            self._there[peer, partial.turn] = _There(partial.room, partial.phase, began_ms, now_ms + BUSY_MS)
        whose: dict[str, Any] = {"at_ms": now_ms, "turn": partial.turn, "node_id": to_text(peer), "room": partial.room}
        if partial.heard:
            self._events.publish(RemotePartial(**whose, text=partial.heard, final=partial.phase != HEARING))
        if partial.reply or partial.phase == OVER:
            over = partial.phase == OVER
            self._events.publish(RemoteReply(**whose, start=partial.at, text=partial.reply, over=over))

    def busy(self, room: str) -> bool:
        """Whether a linked peer says that somebody speaks or is answered in `room` now, other than who speaks here."""
        now_ms, connected = self._clock.mono_ms(), self._connected()
        return any(
            there.room.casefold() == room.casefold()
            and now_ms < there.until_ms
            and peer in connected
            and not self._hears_the_same(there)
            for (peer, _), there in self._there.items()
        )

    def _hears_the_same(self, there: _There) -> bool:
        ours = (one.began_ms for one in self._turns.values())
        return there.phase == HEARING and any(abs(began_ms - there.began_ms) < SAME_MS for began_ms in ours)
