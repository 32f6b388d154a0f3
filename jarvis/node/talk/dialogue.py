"""One turn of a conversation, spoken or typed: choose which conversation it belongs to, keep what was heard, let the
assistant decide, keep what was replied. Save, then send: the utterance is durable before anything is decided, an
intent's reply before it is given out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.model import closing
from jarvis.assistant.types import Home, PastTurn, Reply, Request
from jarvis.core.errors import JarvisError, NotFound
from jarvis.core.events import EventBus
from jarvis.core.time import Clock
from jarvis.crdt.dots import Dot
from jarvis.node.events import Decided, HeardText, ReplyText, TurnCommitted
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.choosing import NEW, Choosing, Chosen, Wanted
from jarvis.node.talk.private_skills import PrivateSkills
from jarvis.node.talk.sessions import MAX_TEXT_CHARS, Sessions, same_room, turn_id

MAX_PAST_TURNS = 50
"""Given to the assistant; the prompt takes what fits the model's context."""
DELETED = "deleted"
GONE = "This conversation was deleted while I was answering, so I kept nothing of it."

__all__ = ["NEW", "Dialogue", "OngoingTurn"]

log = structlog.get_logger()


class Told(Protocol):
    """Who hears of turns as they happen, such as the other rooms; `turn` is as in the events."""

    def began(self, turn: str, room: str, text: str, *, private: bool) -> None: ...

    def replied(self, turn: str, text: str) -> None:
        """The next piece of the reply."""

    def written(self, turn: str, *, spoken: bool) -> None:
        """The reply is whole; `spoken` when it is still being said."""


class _Nobody:
    def began(self, turn: str, room: str, text: str, *, private: bool) -> None: ...
    def replied(self, turn: str, text: str) -> None: ...
    def written(self, turn: str, *, spoken: bool) -> None: ...


@dataclass
class OngoingTurn:
    """A turn whose utterance is kept and whose reply is being made. Iterate `pieces()` once; closing it early keeps
    what was given out until then, as interrupted."""

    session_id: str
    turn: Dot
    text: str
    room: str
    reply: Reply
    began_ms: float
    keep: Callable[[OngoingTurn, str], Awaitable[str]]
    """Called with the turn and its status; gives the status that it is kept with."""
    private: bool = False
    """It stays on this node."""
    say: Callable[[str], None] = lambda piece: None
    """Told of each piece as it is given out."""
    end: Callable[[], None] = lambda: None
    """Told when no more will come."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    status: str = "pending"

    @property
    def turn_id(self) -> str:
        return turn_id(self.turn)

    async def pieces(self) -> AsyncGenerator[str, None]:
        try:
            async with contextlib.aclosing(self._pieces()) as pieces:
                async for piece in pieces:
                    self.say(piece)
                    yield piece
        finally:
            self.end()

    async def _pieces(self) -> AsyncGenerator[str, None]:
        streamed = self.reply.source == "llm"
        held: list[str] = []
        try:
            async with closing(self.reply.pieces) as pieces:  # a model that nobody listens to any more stops at once
                async for piece in pieces:
                    if streamed:
                        yield piece
                    else:
                        held.append(piece)
        except (GeneratorExit, asyncio.CancelledError):
            await self._finish("interrupted")
            raise
        except JarvisError as error:
            log.warning("reply failed", error=type(error).__name__)
            self.reply.ok = False
            held = ["Sorry, something went wrong with my answer."]
            self.reply.said += held
        await self._finish("answered" if self.reply.ok else "failed")
        if self.status == DELETED:
            held = [GONE]
        for piece in held:
            yield piece

    async def cut_short(self, spoken: str) -> None:
        """Somebody interrupted the reply while it was said aloud: what counts is what they heard of it."""
        self.status, self.reply.said = "interrupted", [spoken]
        try:
            await self.keep(self, self.status)
        except JarvisError as error:
            log.warning("an interrupted reply is kept whole", reason=str(error))

    async def _finish(self, status: str) -> None:
        if self.status == "pending":
            self.status = status
            self.status = await self.keep(self, status)


class Dialogue:
    """`assistant_name`, and whether the small model `guesses`, are asked for at each turn, so that a change holds at
    once."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        audit: Audit,
        assistant: Assistant,
        home: Home,
        events: EventBus,
        clock: Clock,
        *,
        room: Callable[[], Awaitable[str]],
        assistant_name: Callable[[], Awaitable[str]],
        closes: Callable[[], None],
        guesses: Callable[[], Awaitable[bool]] | None = None,
        choosing: Choosing | None = None,
        told: Told | None = None,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._audit = audit
        self._assistant = assistant
        self._home = home
        self.private_home = PrivateSkills(home)
        self._events = events
        self._clock = clock
        self._room = room
        self._assistant_name = assistant_name
        self._closes = closes
        self._guesses = guesses or _never
        self._choosing = choosing or Choosing(sessions, shared=_always, rooms=tuple)
        self._told = told or _Nobody()

    async def begin(
        self,
        text: str,
        *,
        session: str | None = None,
        event_turn: str = "",
        room: str | None = None,
        apart: bool = False,
        private: bool = False,
        aloud: bool = False,
    ) -> OngoingTurn:
        """Keep what was heard and decide. `room` is where it was said, this node's by default; `aloud` says that the
        reply goes on to be spoken once it is written; the rest is as in `Wanted`. Raises
        InvalidInput, NotFound, NotAllowed, StoreFailed: then nothing was kept."""
        began_ms = self._clock.mono_ms()
        room, assistant_name = self._as_written(room or await self._room()), await self._assistant_name()
        chosen = await self._choosing.choose(Wanted(text, room, session, apart, private), assistant_name)
        past = await self._past(chosen.past)
        try:
            session_id, turn = await self._keep_heard(chosen, text, room, apart)
        except NotFound:
            if session not in (None, NEW):
                raise
            past = ()  # the one that this would have continued has just been deleted
            chosen = replace(chosen, session_id=None)
            session_id, turn = await self._keep_heard(chosen, text, room, apart)
        kept_ms = self._clock.mono_ms()
        name = event_turn or turn_id(turn)
        self._told.began(name, room, text, private=chosen.private)
        request = Request(
            text,
            room,
            assistant_name,
            past,
            rooms=tuple(self._choosing.rooms()),
            private=chosen.private,
            always_private=chosen.always_private,
            session=session_id,
            guesses=await self._guesses(),
        )
        try:
            self._events.publish(HeardText(at_ms=kept_ms, turn=name, session_id=session_id, room=room, text=text))
            reply = await self._assistant.answer(request, self.private_home if chosen.private else self._home)
        except BaseException as error:  # also whoever asked hung up
            self._told.written(name, spoken=False)
            await self._leave(session_id, turn, room, "failed" if isinstance(error, Exception) else "interrupted")
            raise
        decided_ms = self._clock.mono_ms()
        if reply.closes:
            self._closes()
        ongoing = OngoingTurn(session_id, turn, text, room, reply, began_ms, self._keep_reply, chosen.private)

        def say(piece: str) -> None:
            self._told.replied(name, piece)
            self._events.publish(
                ReplyText(at_ms=self._clock.mono_ms(), turn=name, session_id=session_id, room=room, text=piece)
            )

        ongoing.say, ongoing.end = say, lambda: self._told.written(name, spoken=aloud)
        ongoing.timings_ms |= {"keep": round(kept_ms - began_ms, 2), "decide": round(decided_ms - kept_ms, 2)}
        self._events.publish(
            Decided(
                at_ms=decided_ms,
                turn=name,
                source=reply.source,
                provider=reply.provider,
                intent=reply.intent,
            )
        )
        return ongoing

    def _as_written(self, room: str) -> str:
        """A room as the home writes it, since conversations are found by it."""
        return next((one for one in self._choosing.rooms() if same_room(one, room)), room)

    async def check(self, session: str | None) -> None:
        """Raises NotFound when there is no such session."""
        if session is not None:
            await self._sessions.resolve(session)

    async def close_left(self, node_id: bytes) -> None:
        """Turns of this node whose reply ended with an earlier process: they are pending no more."""
        for session_id, turn in await self._sessions.pending(node_id):
            await self._leave(session_id, turn.turn, turn.room, "interrupted")

    async def _keep_heard(self, chosen: Chosen, text: str, room: str, apart: bool) -> tuple[str, Dot]:
        keeping = asyncio.ensure_future(
            self._sessions.add_turn(chosen.session_id, text, room, private=chosen.private, apart=apart)
        )
        try:
            return await asyncio.shield(keeping)
        except asyncio.CancelledError:
            with contextlib.suppress(JarvisError):  # then nothing was kept
                await self._leave(*await keeping, room, "interrupted")
            raise

    async def _leave(self, session_id: str, turn: Dot, room: str, status: str) -> None:
        """No reply will come."""
        value = {"text": "", "room": room, "status": status, "source": "", "provider": ""}
        try:
            said = self._audit.entry("turn", session_id, outcome=status)
            await self._sessions.add_reply(session_id, turn, value, said)
        except JarvisError as error:
            log.warning("a turn stays without a reply", reason=str(error))

    async def _past(self, session_id: str | None) -> tuple[PastTurn, ...]:
        if session_id is None:
            return ()
        turns = await self._sessions.turns(session_id)
        return tuple(PastTurn(one.text, one.reply or "", one.room, one.at_ms) for one in turns[-MAX_PAST_TURNS:])

    async def _keep_reply(self, ongoing: OngoingTurn, status: str) -> str:
        """A session that was deleted meanwhile keeps nothing, which the audit says."""
        reply = ongoing.reply
        took_ms = round(self._clock.mono_ms() - ongoing.began_ms, 1)
        value: dict[str, Any] = {
            "text": "".join(reply.said).strip()[:MAX_TEXT_CHARS],
            "room": ongoing.room,
            "status": status,
            "source": reply.source,
            "provider": reply.provider,
        }
        how = {"source": reply.source, "provider": reply.provider, "intent": reply.intent or ""}
        try:
            said = self._audit.entry("turn", ongoing.session_id, outcome=status, ms=took_ms, **how)
            await self._sessions.add_reply(ongoing.session_id, ongoing.turn, value, said, moved=reply.moves_to)
        except NotFound:
            status = DELETED
            if not ongoing.private:
                await self._journal.write(
                    self._audit.entry("turn", ongoing.session_id, outcome=status, ms=took_ms, **how)
                )
        ongoing.timings_ms["total"] = took_ms
        self._events.publish(
            TurnCommitted(
                at_ms=self._clock.mono_ms(), turn=ongoing.turn_id, session_id=ongoing.session_id, status=status
            )
        )
        return status


async def _always() -> bool:
    return True


async def _never() -> bool:
    return False
