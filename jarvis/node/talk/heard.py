"""What was last heard in a room, whichever conversations it belonged to: over the home's sessions, so that any room can
be asked what another heard. Of private conversations it tells only who is in one, and of those that belong to one
client, or were put away, nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jarvis.assistant.types import Heard, PastTurn
from jarvis.core.time import Clock
from jarvis.node.talk.session_views import Summary
from jarvis.node.talk.sessions import ASKED_MS, Sessions, same_room

MAX_SESSIONS = 50
"""The newest, that are looked into: a day has fewer conversations, and each has to be read."""


class HeardInRooms:
    """`shares` says whether what is said in a room is known beyond it."""

    def __init__(self, sessions: Sessions, clock: Clock, shares: Callable[[str], Awaitable[bool]]) -> None:
        self._sessions, self._clock, self._shares = sessions, clock, shares

    async def last(self, room: str, most: int, *, private: bool = False) -> Heard:
        """See assistant.types.Home. `private`: what was said in private on this node counts too."""
        since_ms = self._clock.wall_ms() - ASKED_MS
        open_ = [one for one in await self._sessions.summaries() if _counts(one, private)]
        young = sorted((one for one in open_ if one.last_ms > since_ms), key=lambda one: -one.last_ms)
        found: list[PastTurn] = []
        for one in young[:MAX_SESSIONS]:
            found += [
                PastTurn(turn.text, turn.reply, turn.room, turn.at_ms)
                for turn in await self._sessions.turns(one.session_id)
                # Without a reply it is this very question, or somebody is being answered there.
                if same_room(turn.room, room) and turn.at_ms > since_ms and turn.reply is not None
            ]
        found.sort(key=lambda turn: turn.at_ms)
        before = any(same_room(name, room) for one in open_ for name in one.last_ms_by_room)
        return Heard(
            turns=tuple(found[-most:]),
            count=len(found),
            hours=ASKED_MS // 3_600_000,
            before=before,
            shared=private or await self._shares(room),
        )


def _counts(one: Summary, private: bool) -> bool:
    return not (one.archived or one.apart) and (private or not one.private)
