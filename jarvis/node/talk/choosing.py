"""Which conversation an utterance belongs to, and whether it stays on this node: from what the caller wants, what the
sentence itself says, what is open in the room, and whether the room shares. It writes nothing but ends of private
conversations, and it never lets words of a room that shares nothing into a shared one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from jarvis.assistant.directions import Direction, direction
from jarvis.core.errors import NotAllowed
from jarvis.node.talk.sessions import ASKED_MS, FOLLOW_MS, Sessions

NEW = "new"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An utterance and whose it is."""

    text: str
    room: str
    session: str | None = None
    """An id or its beginning, `new`, or None for the one that an utterance in this room continues."""
    apart: bool = False
    """A session begun for it belongs to its client, and no room continues it by itself."""
    private: bool = False
    """It stays on this node, whatever the room does."""


@dataclass(frozen=True, slots=True)
class Chosen:
    session_id: str | None
    """None for a new one."""
    past: str | None
    """The session whose turns it goes on from."""
    private: bool
    always_private: bool
    """The room shares nothing, whatever is asked."""


class Choosing:
    """`shared` says whether this node's room shares with the home; `rooms` are the home's."""

    def __init__(
        self, sessions: Sessions, *, shared: Callable[[], Awaitable[bool]], rooms: Callable[[], Sequence[str]]
    ) -> None:
        self._sessions = sessions
        self._shared = shared
        self.rooms = rooms

    async def choose(self, wanted: Wanted, assistant_name: str) -> Chosen:
        """Raises NotFound for a session that is not there, NotAllowed for a shared one where nothing is shared."""
        always = not await self._shared()
        asked = direction(wanted.text, assistant_name, wanted.room, self.rooms())
        found = await self._found(wanted, asked, shared=not (always or wanted.private))
        private = always or wanted.private or (found is not None and self._sessions.is_private(found))
        if asked is not None and asked.kind == "private" and not private:
            return Chosen(None, None, True, always)
        if asked is not None and asked.kind == "shared" and private and not (always or wanted.private):
            await self._sessions.end_private(wanted.room)
            return Chosen(None, None, False, always)
        if asked is not None and asked.kind == "anew" and wanted.session is None:
            return Chosen(None, None, private, always)
        if private and found is not None and not self._sessions.is_private(found):
            if wanted.session is not None:
                raise NotAllowed(
                    "That session is shared with the home, and what is said here stays here.",
                    fix="Begin a new one, or run `jarvis config set session.share home`.",
                )
            return Chosen(None, found, True, always)  # it is heard of here, and not added to
        return Chosen(found, found, private, always)

    async def _found(self, wanted: Wanted, asked: Direction | None, *, shared: bool) -> str | None:
        if wanted.session == NEW:
            if shared and not wanted.apart:
                await self._sessions.end_private(wanted.room)
            return None
        if wanted.session is not None:
            return await self._sessions.resolve(wanted.session)
        own = await self._sessions.continued_by(wanted.room, shared=shared)
        if asked is None or asked.kind in ("private", "shared", "anew") or (asked.kind != "take_up" and own):
            return own
        within_ms = FOLLOW_MS if asked.kind == "recall" else ASKED_MS
        return await self._sessions.taken_up(wanted.room, asked.room, within_ms=within_ms) or own
