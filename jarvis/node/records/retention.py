"""What the home no longer wants to keep: conversations that nobody continued for `sessions.keep_days`, and months of
the audit older than `audit.keep_months`. Deleting is for good and on every node, so a clock that may be wrong deletes
nothing; what was put away is kept, and so is what was said before clocks were set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

import structlog

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import JarvisError
from jarvis.core.time import EARLIEST_WALL_MS, Clock
from jarvis.crdt.registry import AUDIT_PREFIX, AUDITS, governed
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.sessions import Sessions

SESSION_DAYS, AUDIT_MONTHS = "sessions.keep_days", "audit.keep_months"
FIRST_S, APART_S = 60.0, 20.0
"""After the start: until links are there and peers have caught up; and between two nodes of a home, so that one deletes
and the others hear of it, instead of all of them deleting the same."""
DAY_S, DAY_MS = 86_400.0, 86_400_000
AWAY_MS = 40 * DAY_MS
"""A node may have been off for so long. A clock that stands further ahead has a day to be noticed."""
JUMP_MS = 3_600_000
"""Between two looks a clock may be set right by so much."""
AT_ONCE = 128
"""Conversations deleted in one transaction."""
_LOOKED = "retention/looked"

log = structlog.get_logger()


class Retention:
    """`value` reads a key of the configuration; `offsets` says how far the clocks of connected peers are ahead of ours;
    `place` is this node's among the home's."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        audit: Audit,
        clock: Clock,
        *,
        value: Callable[[str], Awaitable[str]],
        offsets: Callable[[], Iterable[int | None]],
        place: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._audit = audit
        self._clock = clock
        self._value = value
        self._offsets = offsets
        self._place = place
        self._drift_ms: float | None = None
        """Between wall clock and monotonic clock at the last look of this life."""

    async def run(self) -> None:
        """Look soon after the start and then every day, until cancelled."""
        await asyncio.sleep(FIRST_S + APART_S * self._place())
        while True:
            try:
                await self.look()
            except JarvisError as error:
                log.warning("retention failed", reason=str(error))
            await asyncio.sleep(DAY_S)

    async def look(self) -> None:
        """Delete what is overdue, unless our clock may be wrong."""
        doubt = await self._doubt()
        if doubt:
            log.warning("nothing is deleted for its age", reason=doubt)
            return
        days, months = await self._whole(SESSION_DAYS), await self._whole(AUDIT_MONTHS)
        if days:
            await self._delete_sessions(self._clock.wall_ms() - days * DAY_MS)
        if months:
            await self._delete_months(months)

    async def _doubt(self) -> str:
        """Why our clock is not believed; empty when it is."""
        now_ms = self._clock.wall_ms()
        drift_ms, before_ms = now_ms - self._clock.mono_ms(), self._drift_ms
        self._drift_ms = drift_ms
        if now_ms < EARLIEST_WALL_MS:
            return "the clock was never set"
        raw = await self._journal.read(lambda tx, _: tx.get(_LOOKED))
        await self._journal.change_local(lambda tx: tx.put(_LOOKED, pack(now_ms)))
        looked_ms = int(unpack(raw)) if raw else now_ms
        if looked_ms > now_ms + DAY_MS or now_ms > looked_ms + AWAY_MS:
            return "the clock has jumped, or the node was off for long"
        if before_ms is not None and abs(drift_ms - before_ms) > JUMP_MS:
            return "the clock was set"
        if any(abs(offset_ms or 0) > DAY_MS for offset_ms in self._offsets()):
            return "the clock differs from another node's"
        return ""

    async def _whole(self, key: str) -> int:
        """A number of the configuration. What is none, as a device's own file may say, keeps everything."""
        text = await self._value(key)
        return int(text) if text.isascii() and text.isdigit() else 0

    async def _delete_sessions(self, before_ms: int) -> None:
        overdue = [
            one.session_id
            for one in await self._sessions.summaries()
            if EARLIEST_WALL_MS <= one.last_ms < before_ms and not one.archived
        ]
        for at in range(0, len(overdue), AT_ONCE):
            await self._sessions.forget(overdue[at : at + AT_ONCE], actor="retention")
        if overdue:
            log.info("old conversations were deleted", count=len(overdue))

    async def _delete_months(self, months: int) -> None:
        held = await self._journal.read(lambda tx, _: tx.documents(AUDIT_PREFIX))
        last = _months_before(self._clock.wall_ms(), months)
        first = _month(EARLIEST_WALL_MS)
        overdue = [name.removeprefix(AUDIT_PREFIX) for name in held]
        overdue = [one for one in overdue if governed(AUDITS, one.encode()) and first <= one < last]
        if overdue:
            await self._journal.write(
                (AUDITS, lambda state: [state.delete(one.encode()) for one in overdue]),
                *(self._audit.entry("audit.deleted", one, actor="retention") for one in overdue),
                makes_room=True,
            )
            log.info("old months of the audit were deleted", count=len(overdue))


def _month(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m")


def _months_before(now_ms: int, months: int) -> str:
    """The first month that is kept: this one and `months` before it."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    years, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return f"{max(years, 0):04}-{month + 1:02}"
