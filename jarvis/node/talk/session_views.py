"""What a conversation looks like from outside: its turns with their replies, and its summary. Pure; where turns lie, in
replicated documents or on this node alone, makes no difference here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jarvis.core.hlc import ms_of
from jarvis.core.ids import to_text
from jarvis.crdt.dots import Dot
from jarvis.crdt.session import ARCHIVED, TITLE, Session
from jarvis.replica.frontier import node_of

TITLE_CHARS = 60
APART = "apart"
"""A register: the session belongs to one client, and no room continues it by itself."""
MOVED = "moved"
"""A register: the room in which somebody said that this goes on."""


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

    @property
    def last_ms(self) -> int:
        return max(self.at_ms, self.reply_at_ms)


@dataclass(frozen=True, slots=True)
class Summary:
    session_id: str
    title: str
    turns: int
    last_room: str
    last_ms: int
    last_ms_by_room: Mapping[str, int]
    """Of the rooms that may go on with it by themselves."""
    pending: tuple[TurnView, ...]
    archived: bool
    apart: bool = False
    private: bool = False
    """It lies on this node alone."""
    ended: bool = False
    """Somebody said that what comes next is another conversation."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is kept of a session beside its turns."""

    title: str | None = None
    marked_ms: int = 0
    """When it was begun or named."""
    archived: bool = False
    apart: bool = False
    private: bool = False
    ended: bool = False
    moved: tuple[str, int] = field(default=("", 0))
    """The room it was moved to, and when."""


def turn_id(turn: Dot) -> str:
    """Unique in the home: the author's node and incarnation, shortened, and the number of the record."""
    return f"{to_text(turn.author[16:26])}{turn.seq:x}.{turn.op}"


def turn_views(state: Session) -> list[TurnView]:
    """Oldest first."""
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


def summarise(session_id: str, state: Session) -> Summary:
    """Of a replicated session."""
    title, moved = state.registers.get(TITLE), state.registers.get(MOVED)
    marks = Marks(
        title=str(title.value) if title else None,
        marked_ms=ms_of(title.at.hlc) if title else 0,
        archived=_is_set(state, ARCHIVED),
        apart=_is_set(state, APART),
        moved=(moved.value, ms_of(moved.at.hlc)) if moved and isinstance(moved.value, str) else ("", 0),
    )
    return summary_of(session_id, turn_views(state), marks)


def summary_of(session_id: str, views: Sequence[TurnView], marks: Marks) -> Summary:
    by_room: dict[str, int] = {}
    for view in views:
        by_room[view.room] = max(view.last_ms, by_room.get(view.room, 0))
    last_ms = max(by_room.values(), default=marks.marked_ms)
    room, moved_ms = marks.moved
    apart = marks.apart and not room
    if room:  # whoever said so is no longer there: what went before counts for nobody's own
        by_room = {one: at_ms for one, at_ms in by_room.items() if at_ms > moved_ms}
        by_room[room] = max(moved_ms, by_room.get(room, 0))
        last_ms = max(last_ms, moved_ms)
    return Summary(
        session_id=session_id,
        title=marks.title if marks.title is not None else (views[0].text[:TITLE_CHARS] if views else ""),
        turns=len(views),
        last_room=views[-1].room if views else "",
        last_ms=last_ms,
        last_ms_by_room={} if apart or marks.ended else by_room,
        pending=tuple(view for view in views if view.reply is None),
        archived=marks.archived,
        apart=apart,
        private=marks.private,
        ended=marks.ended,
    )


def _is_set(state: Session, register: str) -> bool:
    write = state.registers.get(register)
    return write is not None and write.value is True
