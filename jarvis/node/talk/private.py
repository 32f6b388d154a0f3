"""Conversations that never leave this node: of a room whose `session.share` is `room`, or single ones that somebody
asked to keep private. They lie in the same encrypted store as this node's own values, which are no records: nothing
here may be written through the journal's records, nor told to a peer, nor put into a backup."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from jarvis.core.codec import Value, pack, unpack
from jarvis.core.errors import NotFound
from jarvis.core.ids import SESSION_ID_BYTES, from_text, to_text
from jarvis.core.time import Clock
from jarvis.crdt.dots import AUTHOR_BYTES, Dot
from jarvis.node.records.journal import Journal
from jarvis.node.talk.session_views import Marks, Summary, TurnView, summary_of
from jarvis.store.protocol import Transaction

PREFIX = "private/"
"""`private/ID` holds a session's marks, `private/ID/NUMBER` one turn."""
GONE = "That session was just deleted."


class PrivateSessions:
    """`node_id` is this node's: every turn here was said to it."""

    def __init__(self, journal: Journal, clock: Clock, node_id: bytes) -> None:
        self._journal = journal
        self._clock = clock
        self._node_id = node_id
        self._summaries: dict[str, Summary] | None = None
        """None before the first look."""

    @property
    def known(self) -> bool:
        """Whether `all` can be believed: it was looked at in this life."""
        return self._summaries is not None

    def all(self) -> dict[str, Summary]:
        """As of the last change, which only this node makes."""
        return dict(self._summaries or {})

    async def load(self) -> dict[str, Summary]:
        if self._summaries is None:
            found = await self._journal.read(lambda tx, _: self._look(tx))
            if self._summaries is None:  # else somebody wrote meanwhile and knows more
                self._summaries = found
        return self.all()

    async def new(self, title: str | None, *, apart: bool = False) -> str:
        session_id = to_text(os.urandom(SESSION_ID_BYTES))
        marks = Marks(title, self._clock.wall_ms(), apart=apart)
        await self._change(session_id, lambda tx: _put_marks(tx, session_id, marks), room_for=True)
        return session_id

    async def add_turn(self, session_id: str | None, text: str, room: str, *, apart: bool = False) -> tuple[str, Dot]:
        """Keep what was heard, in a new session if None is given. Durable when this returns. Raises NotFound for one
        that is deleted, StoreFull."""
        chosen, now_ms = session_id or to_text(os.urandom(SESSION_ID_BYTES)), self._clock.wall_ms()

        def work(tx: Transaction) -> Dot:
            if session_id is None:
                _put_marks(tx, chosen, Marks(None, now_ms, apart=apart))
            _marks(tx, chosen)
            numbers = [_number(key) for key in tx.keys(_turns(chosen))]
            turn = self._dot(chosen, max(numbers, default=0) + 1)
            tx.put(_key(turn, chosen), pack([text, room, now_ms, None, "", 0, "pending"]))
            return turn

        return chosen, await self._change(chosen, work, room_for=True)

    async def add_reply(self, session_id: str, turn: Dot, text: str, room: str, status: str) -> None:
        """Raises NotFound when the session is deleted."""
        now_ms = self._clock.wall_ms()

        def work(tx: Transaction) -> None:
            raw = tx.get(_key(turn, session_id))
            if raw is None:
                raise NotFound(GONE)
            heard, heard_room, at_ms, *_ = unpack(raw)
            tx.put(_key(turn, session_id), pack([heard, heard_room, at_ms, text, room, now_ms, status]))

        await self._change(session_id, work)

    async def change(
        self, session_id: str, *, title: str | None = None, archived: bool | None = None, ended: bool | None = None
    ) -> None:
        """Raises NotFound when it is deleted."""
        given = {"title": title, "archived": archived, "ended": ended}
        new = {name: value for name, value in given.items() if value is not None}

        def work(tx: Transaction) -> None:
            _put_marks(tx, session_id, replace(_marks(tx, session_id), **new))  # type: ignore[arg-type]

        await self._change(session_id, work)

    async def delete(self, session_id: str) -> None:
        """Its words are gone from the disk when this returns."""

        def work(tx: Transaction) -> None:
            for key in (PREFIX + session_id, *tx.keys(_turns(session_id))):
                tx.delete(key)

        await self._change(session_id, work)

    async def turns(self, session_id: str) -> list[TurnView]:
        """Oldest first."""
        return await self._journal.read(lambda tx, _: self._views(tx, session_id))

    async def _change(self, session_id: str, work: Callable[[Transaction], object], *, room_for: bool = False) -> Dot:
        """Change one session and know its new summary as soon as that is durable, whoever has left meanwhile."""
        await self.load()

        def change(tx: Transaction) -> tuple[object, Summary | None]:
            if room_for:
                self._journal.budget.check(tx)
            done = work(tx)
            raw = tx.get(PREFIX + session_id)
            return done, None if raw is None else self._summary(tx, session_id)

        def known(done: tuple[object, Summary | None]) -> None:
            assert self._summaries is not None
            if done[1] is None:
                self._summaries.pop(session_id, None)
            else:
                self._summaries[session_id] = done[1]

        return (await self._journal.change_local(change, known))[0]  # type: ignore[return-value]

    def _look(self, tx: Transaction) -> dict[str, Summary]:
        ids = {key.removeprefix(PREFIX) for key in tx.keys(PREFIX)}
        return {one: self._summary(tx, one) for one in ids if "/" not in one}

    def _summary(self, tx: Transaction, session_id: str) -> Summary:
        return summary_of(session_id, self._views(tx, session_id), _marks(tx, session_id))

    def _views(self, tx: Transaction, session_id: str) -> list[TurnView]:
        views = []
        for key in tx.keys(_turns(session_id)):
            text, room, at_ms, reply, reply_room, reply_at_ms, status = unpack(tx.get(key) or b"")
            turn, replied_by = self._dot(session_id, _number(key)), self._node_id if reply is not None else b""
            views.append(
                TurnView(turn, text, room, self._node_id, at_ms, reply, reply_room, replied_by, reply_at_ms, status)
            )
        return views

    def _dot(self, session_id: str, number: int) -> Dot:
        """Named like any other turn; the session's id stands where an author's incarnation would."""
        return Dot((self._node_id + from_text(session_id)).ljust(AUTHOR_BYTES, b"\0"), number, 0)


def _turns(session_id: str) -> str:
    return f"{PREFIX}{session_id}/"


def _key(turn: Dot, session_id: str) -> str:
    return f"{_turns(session_id)}{turn.seq:08}"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2])


def _put_marks(tx: Transaction, session_id: str, marks: Marks) -> None:
    fields: list[Value] = [marks.title, marks.marked_ms, marks.archived, marks.apart, marks.ended]
    tx.put(PREFIX + session_id, pack(fields))


def _marks(tx: Transaction, session_id: str) -> Marks:
    raw = tx.get(PREFIX + session_id)
    if raw is None:
        raise NotFound(GONE)
    title, marked_ms, archived, apart, ended = unpack(raw)
    return Marks(title, marked_ms, archived, apart, private=True, ended=ended)
