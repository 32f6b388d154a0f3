"""Conversations: which there are, what was said in them, and which one a new utterance continues. A view over the
replicated `sessions` and `session/<id>` documents and, beside them, over those that stay on this node; what is in one
never moves to the other. It holds summaries in memory and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.core.ids import NODE_ID_BYTES, SESSION_ID_BYTES, by_prefix, from_text, to_text
from jarvis.core.time import Clock
from jarvis.crdt.dots import Dot
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.registry import SESSION_PREFIX, SESSIONS
from jarvis.crdt.session import ARCHIVED, TITLE, Session
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.records.writing import Write
from jarvis.node.talk.private import GONE, PrivateSessions
from jarvis.node.talk.session_views import APART, MOVED, Summary, TurnView, summarise, turn_id, turn_views
from jarvis.node.texts import iso_time

__all__ = ["Sessions", "Summary", "TurnView", "same_room", "turn_id"]

FOLLOW_MS = 5 * 60 * 1000
"""How long after its last turn a session is still the one that an utterance continues."""
ASKED_MS = 24 * 3600 * 1000
"""How old it may be when somebody asks for it: "as I said in the kitchen" is about today."""
PENDING_MS = 20_000
"""For so long a turn without a reply means that its room is at it; then something has gone wrong there."""
Rows = list[dict[str, Any]]
MAX_TEXT_CHARS = 8_000
"""Of one utterance or reply: twenty minutes of speech, and well inside a record."""
TurnViews = list[TurnView]
Summaries = list[Summary]
PendingTurns = list[tuple[str, TurnView]]


def same_room(one: str, other: str) -> bool:
    """Whether people mean the same room by both."""
    return _plain(one) == _plain(other)


def _plain(room: str) -> str:
    return " ".join(room.casefold().split()).removeprefix("the ")


class Sessions:
    """`shared` says whether this node's room shares with the home, `busy` whether somebody speaks or listens in a room
    right now, `reachable` whether a node is linked, or is this one."""

    def __init__(
        self,
        journal: Journal,
        audit: Audit,
        clock: Clock,
        private: PrivateSessions | None = None,
        *,
        shared: Callable[[], Awaitable[bool]] | None = None,
        busy: Callable[[str], bool] = lambda room: False,
        reachable: Callable[[bytes], bool] = lambda node_id: False,
    ) -> None:
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self.private = private or PrivateSessions(journal, clock, bytes(NODE_ID_BYTES))
        self._shared = shared
        self._busy = busy
        self._reachable = reachable
        self._summaries: dict[str, Summary] = {}
        self._stale: set[str] | None = None
        """Sessions whose summary must be made anew; None before the first look: all of them."""
        self._looking = asyncio.Lock()
        journal.listen(self._changed)

    # --- for people ---------------------------------------------------------------------------------------------

    async def list(self, *, archived: bool = False) -> Rows:
        """Newest first: those in use, or those that were put away."""
        found = [one for one in (await self._current()).values() if one.archived == archived]
        return [
            {
                "session_id": one.session_id,
                "title": one.title,
                "room": one.last_room,
                "turns": one.turns,
                "updated_at": iso_time(one.last_ms),
                "archived": one.archived,
                "private": one.private,
            }
            for one in sorted(found, key=lambda one: one.last_ms, reverse=True)
        ]

    async def show(self, wanted: str) -> dict[str, Any]:
        session_id = await self.resolve(wanted)
        rows = []
        for turn in await self.turns(session_id):
            row = {"turn_id": turn.turn_id, "status": turn.status}
            rows.append(
                row
                | {"role": "user", "text": turn.text, "room": turn.room}
                | {"node_id": to_text(turn.node_id), "at": iso_time(turn.at_ms)}
            )
            if turn.reply is not None:
                rows.append(
                    row
                    | {"role": "assistant", "text": turn.reply, "room": turn.reply_room}
                    | {"node_id": to_text(turn.reply_node_id), "at": iso_time(turn.reply_at_ms)}
                )
        summary = await self._summary(session_id)
        return _shown(summary) | {"turns": rows}

    async def new(self, title: str | None = None, *, private: bool = False, apart: bool = False) -> dict[str, Any]:
        """`private`: it stays on this node, as it does anyway where the room shares nothing; `apart`: no room continues
        it by itself."""
        if title:
            _check_text(title)
        private = private or (self._shared is not None and not await self._shared())
        if private:
            session_id = await self.private.new(title, apart=apart)
        else:
            session_id = to_text(os.urandom(SESSION_ID_BYTES))
            raw = from_text(session_id)
            marks = ([(TITLE, title)] if title else []) + ([(APART, True)] if apart else [])
            await self._journal.write(
                (SESSIONS, lambda state: [state.add(raw)]),
                (SESSION_PREFIX + session_id, lambda state: [state.registers.put(*mark) for mark in marks]),
            )
        return {"session_id": session_id, "title": title or "", "private": private}

    async def change(self, wanted: str, *, title: str | None = None, archived: bool | None = None) -> dict[str, Any]:
        """Rename it, put it away, or take it out again."""
        session_id = await self.resolve(wanted)
        if title is not None:
            _check_text(title)

        def make(state: Session) -> list[Any]:
            named = [] if title is None else [state.registers.put(TITLE, title)]
            return named + ([] if archived is None else [state.registers.put(ARCHIVED, archived)])

        if session_id in self.private.all():
            await self.private.change(session_id, title=title, archived=archived)
        else:
            await self._journal.write((SESSION_PREFIX + session_id, make))
        return _shown(await self._summary(session_id))

    async def delete(self, wanted: str) -> dict[str, Any]:
        """For good, on every node: its words are erased here when this returns, elsewhere when they hear of it."""
        session_id = await self.resolve(wanted)
        await self.forget([session_id], actor="user")
        return {"session_id": session_id, "deleted": True}

    async def forget(self, session_ids: Sequence[str], *, actor: str) -> None:
        """Delete these: all that the home shares at once. Of a private one the audit, which everybody reads, knows
        nothing."""
        private = [one for one in session_ids if one in self.private.all()]
        for one in private:
            await self.private.delete(one)
        shared = [one for one in session_ids if one not in private]
        ids = [from_text(one) for one in shared]
        if ids:
            await self._journal.write(
                (SESSIONS, lambda state: [state.delete(one) for one in ids if one not in state.deleted]),
                *(self._audit.entry("session.deleted", one, actor=actor) for one in shared),
                makes_room=True,
            )

    async def export(self, wanted: str, form: str) -> str:
        """The whole session as `json` or `md`."""
        shown = await self.show(wanted)
        if form == "json":
            return json.dumps(shown, ensure_ascii=False, indent=2)
        if form != "md":
            raise InvalidInput(f"There is no export format {form!r}.", fix="Use json or md.")
        lines = [f"# {shown['title'] or shown['session_id']}", ""]
        lines += ["(private: it is on this node only)", ""] if shown["private"] else []
        for row in shown["turns"]:
            who = row["room"] if row["role"] == "user" else "Jarvis"
            lines += [f"**{who}** ({row['at']}): {row['text']}", ""]
        return "\n".join(lines)

    async def resolve(self, wanted: str) -> str:
        """A session's id from any unambiguous beginning of it. Raises NotFound."""
        return by_prefix(wanted, await self._current(), "session")

    # --- for the dialogue ---------------------------------------------------------------------------------------

    async def continued_by(self, room: str, *, shared: bool = True) -> str | None:
        """The session that an utterance in `room` continues: the room's own open one, else the newest of another room
        where all is silent. Not `shared`, only a private one of this room, which comes first in any case: the end of an
        interrupted reply may make a shared one look newer. Clocks may differ or be set back, so a session from the
        future counts as young."""
        now_ms = self._clock.wall_ms()
        young = [one for one in (await self._current()).values() if now_ms - one.last_ms < FOLLOW_MS]
        young = [one for one in young if not (one.archived or one.apart or one.ended)]
        mine = [one for one in young if now_ms - one.last_ms_by_room.get(room, -FOLLOW_MS) < FOLLOW_MS]
        private = [one for one in mine if one.private]
        if private or not shared:
            mine = private
        if mine:
            return max(mine, key=lambda one: one.last_ms_by_room[room]).session_id
        others = [one for one in young if shared and not one.private and self._silent(one, now_ms)]
        return max(others, key=lambda one: one.last_ms).session_id if others else None

    async def taken_up(self, room: str, other: str, *, within_ms: int = ASKED_MS) -> str | None:
        """The session that somebody in `room` asks to go on with: the newest that the room `other` had, or with "" the
        newest of any other room, unless this room has an open one of its own."""
        now_ms = self._clock.wall_ms()
        found = [one for one in (await self._current()).values() if now_ms - one.last_ms < within_ms]
        found = [one for one in found if not (one.archived or one.apart or one.private)]
        if other:
            had = [(_last_in(one, other), one.session_id) for one in found]
            return max((pair for pair in had if pair[0]), default=(0, None))[1]
        own = await self.continued_by(room)
        if own is not None:
            return own
        return max(found, key=lambda one: one.last_ms).session_id if found else None

    def is_private(self, session_id: str) -> bool:
        return session_id in self.private.all()

    def private_in(self, room: str) -> bool:
        """Whether an utterance in `room` would continue a private session, as far as can be told at once."""
        now_ms = self._clock.wall_ms()
        return not self.private.known or any(
            now_ms - one.last_ms_by_room.get(room, -FOLLOW_MS) < FOLLOW_MS and not one.archived
            for one in self.private.all().values()
        )

    async def summaries(self) -> Summaries:
        return [*(await self._current()).values()]

    async def turns(self, session_id: str) -> TurnViews:
        """Oldest first."""
        if session_id in await self.private.load():
            return await self.private.turns(session_id)
        return await self._journal.state(SESSION_PREFIX + session_id, turn_views)

    async def pending(self, node_id: bytes) -> PendingTurns:
        """Turns of a node that have no reply yet, with their session's id."""
        found = (await self._current()).values()
        return [(one.session_id, turn) for one in found for turn in one.pending if turn.node_id == node_id]

    async def add_turn(
        self, session_id: str | None, text: str, room: str, *, private: bool = False, apart: bool = False
    ) -> tuple[str, Dot]:
        """Keep what was heard, in a new session if None is given: then `private` and `apart` are as in `new`. Durable
        when this returns."""
        _check_text(text)
        held = await self.private.load()
        if session_id in held or (session_id is None and private):
            return await self.private.add_turn(session_id, text, room, apart=apart)
        chosen = session_id or to_text(os.urandom(SESSION_ID_BYTES))
        raw, marks = from_text(chosen), [(APART, True)] if apart and session_id is None else []
        utterance = {"text": text, "room": room}
        written = await self._journal.write(
            (
                SESSION_PREFIX + chosen,
                lambda state: [state.add_turn(utterance), *(state.registers.put(*mark) for mark in marks)],
            ),
            (SESSIONS, lambda state: [] if raw in state.added else [state.add(raw)]),
        )
        return chosen, written[0].dot

    async def add_reply(self, session_id: str, turn: Dot, reply: dict[str, Any], *said: Write, moved: str = "") -> None:
        """Keep or correct a turn's reply, with what the audit says of it: of a private one, nothing. `moved` is the
        room in which the session goes on. Raises NotFound when the session is deleted."""
        if session_id in await self.private.load():
            await self.private.add_reply(session_id, turn, reply["text"], reply["room"], reply["status"])
            return

        def make(state: Session) -> list[Any]:
            return [state.add_reply(turn, reply), *([state.registers.put(MOVED, moved)] if moved else [])]

        await self._journal.write((SESSION_PREFIX + session_id, make), *said)

    async def end_private(self, room: str) -> None:
        """What is said in `room` from now on is another conversation."""
        for one in self.private.all().values():
            if room in one.last_ms_by_room:
                await self.private.change(one.session_id, ended=True)

    def _silent(self, one: Summary, now_ms: int) -> bool:
        """Whether nobody is at it where it was last."""
        at_it = any(now_ms - turn.at_ms < PENDING_MS and self._reachable(turn.node_id) for turn in one.pending)
        return not at_it and not any(self._busy(room) for room in {one.last_room, *one.last_ms_by_room})

    # --- summaries ----------------------------------------------------------------------------------------------

    def _changed(self, commit: Commit) -> None:
        if self._stale is not None:
            changed = {
                name.removeprefix(SESSION_PREFIX) for name in commit.documents if name.startswith(SESSION_PREFIX)
            }
            self._stale |= changed
            for session_id in changed:  # it may have been deleted: no word of it stays until somebody looks again
                self._summaries.pop(session_id, None)
            if SESSIONS in commit.documents:
                self._stale.add("")

    async def _current(self) -> dict[str, Summary]:
        """Summaries of all living sessions; only those that changed are made anew. Whoever comes meanwhile waits for
        them too."""
        private = await self.private.load()
        async with self._looking:
            stale, self._stale = self._stale, set()  # first: what changes while we look makes it stale again
            if stale is None or stale:
                try:
                    await self._look_at(stale)
                except BaseException:
                    self._stale = None  # whoever asked may have left in the middle: look at all of them again
                    raise
            return self._summaries | private

    async def _look_at(self, stale: set[str] | None) -> None:
        living = await self._journal.state(SESSIONS, _living)
        wanted = living if stale is None else living & (stale | (living - set(self._summaries)))
        for session_id in wanted:
            view = partial(summarise, session_id)
            self._summaries[session_id] = await self._journal.state(SESSION_PREFIX + session_id, view)
        for gone in set(self._summaries) - living:
            del self._summaries[gone]

    async def _summary(self, session_id: str) -> Summary:
        summary = (await self._current()).get(session_id)
        if summary is None:
            raise NotFound(GONE)
        return summary


def _living(state: Lifecycle) -> set[str]:
    return {to_text(one) for one in state.living()}


def _last_in(one: Summary, room: str) -> int:
    """When something was last said there in it; 0 for never."""
    times: Iterable[int] = (at_ms for name, at_ms in one.last_ms_by_room.items() if same_room(name, room))
    return max(times, default=0)


def _shown(one: Summary) -> dict[str, Any]:
    return {"session_id": one.session_id, "title": one.title, "archived": one.archived, "private": one.private}


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidInput("There is nothing to say in an empty text.", fix="Give some words.")
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidInput(
            f"A text may have {MAX_TEXT_CHARS} characters, this one has {len(text)}.", fix="Say it in several parts."
        )
