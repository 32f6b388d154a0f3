"""Conversations: which there are, what was said in them, and which one a new utterance continues. A view over the
replicated `sessions` and `session/<id>` documents; it holds summaries in memory and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jarvis.core.errors import InvalidInput, NotFound
from jarvis.core.hlc import ms_of
from jarvis.core.ids import SESSION_ID_BYTES, by_prefix, from_text, to_text
from jarvis.core.time import Clock
from jarvis.crdt.dots import Dot
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.registry import SESSION_PREFIX, SESSIONS
from jarvis.crdt.session import ARCHIVED, TITLE, Session
from jarvis.node.audit import Audit
from jarvis.node.journal import Commit, Journal
from jarvis.node.texts import iso_time
from jarvis.replica.frontier import node_of

FOLLOW_MS = 5 * 60 * 1000
"""How long after its last turn a session is still the one that an utterance continues."""
TITLE_CHARS = 60
Rows = list[dict[str, Any]]
MAX_TEXT_CHARS = 8_000
"""Of one utterance or reply: twenty minutes of speech, and well inside a record."""


@dataclass(frozen=True, slots=True)
class TurnView:
    turn: Dot
    text: str
    room: str
    node_id: bytes
    at_ms: int
    reply: str | None
    """None while it is being made."""
    reply_room: str
    reply_node_id: bytes
    reply_at_ms: int
    status: str

    @property
    def turn_id(self) -> str:
        return turn_id(self.turn)


@dataclass(frozen=True, slots=True)
class Summary:
    session_id: str
    title: str
    turns: int
    last_room: str
    last_ms: int
    last_ms_by_room: dict[str, int]
    pending: tuple[TurnView, ...]
    archived: bool


TurnViews = list[TurnView]
Summaries = list[Summary]
PendingTurns = list[tuple[str, TurnView]]


def turn_id(turn: Dot) -> str:
    """Unique in the home: the author's node and incarnation, shortened, and the number of the record."""
    return f"{to_text(turn.author[16:26])}{turn.seq:x}.{turn.op}"


class Sessions:
    def __init__(self, journal: Journal, audit: Audit, clock: Clock) -> None:
        self._journal = journal
        self._audit = audit
        self._clock = clock
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
        summary = (await self._current()).get(session_id)
        if summary is None:
            raise NotFound("That session was just deleted.")
        return {"session_id": session_id, "title": summary.title, "archived": summary.archived, "turns": rows}

    async def new(self, title: str | None = None) -> dict[str, Any]:
        session_id = to_text(os.urandom(SESSION_ID_BYTES))
        raw = from_text(session_id)
        writes = [(SESSIONS, lambda state: [state.add(raw)])]
        if title:
            _check_text(title)
            writes.append((SESSION_PREFIX + session_id, lambda state: [state.registers.put(TITLE, title)]))
        await self._journal.write(*writes)
        return {"session_id": session_id, "title": title or ""}

    async def change(self, wanted: str, *, title: str | None = None, archived: bool | None = None) -> dict[str, Any]:
        """Rename it, put it away, or take it out again."""
        session_id = await self.resolve(wanted)
        if title is not None:
            _check_text(title)

        def make(state: Session) -> list[Any]:
            named = [] if title is None else [state.registers.put(TITLE, title)]
            return named + ([] if archived is None else [state.registers.put(ARCHIVED, archived)])

        await self._journal.write((SESSION_PREFIX + session_id, make))
        summary = (await self._current()).get(session_id)
        if summary is None:
            raise NotFound("That session was just deleted.")
        return {"session_id": session_id, "title": summary.title, "archived": summary.archived}

    async def delete(self, wanted: str) -> dict[str, Any]:
        """For good, on every node: its words are erased here when this returns, elsewhere when they hear of it."""
        session_id = await self.resolve(wanted)
        await self.forget([session_id], actor="user")
        return {"session_id": session_id, "deleted": True}

    async def forget(self, session_ids: Sequence[str], *, actor: str) -> None:
        """Delete these, all at once."""
        ids = [from_text(one) for one in session_ids]
        await self._journal.write(
            (SESSIONS, lambda state: [state.delete(one) for one in ids if one not in state.deleted]),
            *(self._audit.entry("session.deleted", one, actor=actor) for one in session_ids),
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
        for row in shown["turns"]:
            who = row["room"] if row["role"] == "user" else "Jarvis"
            lines += [f"**{who}** ({row['at']}): {row['text']}", ""]
        return "\n".join(lines)

    async def resolve(self, wanted: str) -> str:
        """A session's id from any unambiguous beginning of it. Raises NotFound."""
        return by_prefix(wanted, await self._current(), "session")

    # --- for the dialogue ---------------------------------------------------------------------------------------

    async def continued_by(self, room: str) -> str | None:
        """The session that an utterance in `room` continues: the room's own open one, else another room's. Clocks may
        differ or be set back, so a session from the future counts as young."""
        now_ms = self._clock.wall_ms()
        found = (await self._current()).values()
        young = [one for one in found if now_ms - one.last_ms < FOLLOW_MS and not one.archived]
        mine = [one for one in young if now_ms - one.last_ms_by_room.get(room, -FOLLOW_MS) < FOLLOW_MS]
        candidates = mine or young
        if not candidates:
            return None
        return max(candidates, key=lambda one: one.last_ms_by_room.get(room, 0) if mine else one.last_ms).session_id

    async def summaries(self) -> Summaries:
        return [*(await self._current()).values()]

    async def turns(self, session_id: str) -> TurnViews:
        """Oldest first."""
        return await self._journal.state(SESSION_PREFIX + session_id, _turn_views)

    async def pending(self, node_id: bytes) -> PendingTurns:
        """Turns of a node that have no reply yet, with their session's id."""
        found = (await self._current()).values()
        return [(one.session_id, turn) for one in found for turn in one.pending if turn.node_id == node_id]

    async def add_turn(self, session_id: str | None, text: str, room: str) -> tuple[str, Dot]:
        """Keep what was heard, in a new session if None is given. Durable when this returns."""
        _check_text(text)
        chosen = session_id or to_text(os.urandom(SESSION_ID_BYTES))
        raw = from_text(chosen)
        utterance = {"text": text, "room": room}
        written = await self._journal.write(
            (SESSION_PREFIX + chosen, lambda state: [state.add_turn(utterance)]),
            (SESSIONS, lambda state: [] if raw in state.added else [state.add(raw)]),
        )
        return chosen, written[0].dot

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
        async with self._looking:
            stale, self._stale = self._stale, set()  # first: what changes while we look makes it stale again
            if stale is None or stale:
                try:
                    await self._look_at(stale)
                except BaseException:
                    self._stale = None  # whoever asked may have left in the middle: look at all of them again
                    raise
            return dict(self._summaries)

    async def _look_at(self, stale: set[str] | None) -> None:
        living = await self._journal.state(SESSIONS, _living)
        wanted = living if stale is None else living & (stale | (living - set(self._summaries)))
        for session_id in wanted:
            summary = await self._journal.state(SESSION_PREFIX + session_id, _summarise)
            self._summaries[session_id] = replace(summary, session_id=session_id)
        for gone in set(self._summaries) - living:
            del self._summaries[gone]


def _living(state: Lifecycle) -> set[str]:
    return {to_text(one) for one in state.living()}


def _turn_views(state: Session) -> list[TurnView]:
    result = []
    for turn in state.in_order():
        reply = state.reply(turn.at.dot)
        said = reply.value if reply and isinstance(reply.value, dict) else {}
        result.append(
            TurnView(
                turn=turn.at.dot,
                text=str(turn.utterance.get("text", "")),
                room=str(turn.utterance.get("room", "")),
                node_id=node_of(turn.at.author),
                at_ms=ms_of(turn.at.hlc),
                reply=str(said.get("text", "")) if reply else None,
                reply_room=str(said.get("room", "")),
                reply_node_id=node_of(reply.at.author) if reply else b"",
                reply_at_ms=ms_of(reply.at.hlc) if reply else 0,
                status=str(said.get("status", "answered")) if reply else "pending",
            )
        )
    return result


def _summarise(state: Session) -> Summary:
    views = _turn_views(state)
    title = state.registers.get(TITLE)
    last_ms_by_room: dict[str, int] = {}
    for view in views:
        last_ms_by_room[view.room] = max(view.at_ms, view.reply_at_ms, last_ms_by_room.get(view.room, 0))
    shown = str(title.value) if title else (views[0].text[:TITLE_CHARS] if views else "")
    last_ms = max(last_ms_by_room.values(), default=ms_of(title.at.hlc) if title else 0)
    pending = tuple(view for view in views if view.reply is None)
    put_away = state.registers.get(ARCHIVED)
    archived = put_away is not None and put_away.value is True
    return Summary("", shown, len(views), views[-1].room if views else "", last_ms, last_ms_by_room, pending, archived)


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidInput("There is nothing to say in an empty text.", fix="Give some words.")
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidInput(
            f"A text may have {MAX_TEXT_CHARS} characters, this one has {len(text)}.", fix="Say it in several parts."
        )
