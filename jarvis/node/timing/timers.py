"""The home's timers: kept in the replicated document `timers`, counted and rung on every node as `ringing` decides. It
reads clocks, writes the document and makes sound; it decides nothing about whose turn it is."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from jarvis.assistant.types import TimerInfo
from jarvis.assistant.wording.durations import say_duration
from jarvis.assistant.wording.recurring import Recurrence
from jarvis.core.codec import Value, unpack
from jarvis.core.errors import InvalidInput, JarvisError, NotFound, Overloaded
from jarvis.core.ids import by_prefix, to_text
from jarvis.core.time import Clock
from jarvis.crdt.mvmap import MVMap
from jarvis.crdt.registry import TIMERS
from jarvis.node.links.topics import Topics
from jarvis.node.records.journal import Commit, Journal
from jarvis.node.timing import ring_words
from jarvis.node.timing.facts import (
    ADDED_ID_BYTES,
    MAX_ADDED,
    MAX_ALARM_MS,
    MAX_MS,
    MAX_NAME_CHARS,
    Count,
    Timer,
    timer_at,
    timers_of,
)
from jarvis.node.timing.facts import encode as encode_timer
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.ringing import RING_FOR_MS, End, Now, Ring, Ringing, Tell
from jarvis.store.protocol import Transaction

MAX_TIMERS = 100
"""Of a home. Rooms that cannot hear each other may each set so many."""
MAX_SECONDS = MAX_MS // 1000
ATTEND_MS = 4_000.0
"""Longer than between two looks: while something rings, everybody listens for "stop"."""
SAME_MS = 2_000
"""Clocks of a home differ by so much without anybody minding."""
_LEGACY_PREFIX = "timer/"
"""Where an earlier version kept each node's own."""

TimerIds = list[str]
Rounds = dict[str, int | None]
"""Timer id -> which of its rounds, for alarms that come again; None for all of them."""
Infos = list[TimerInfo]
Operations = list[Value]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Around:
    """What is around the timers of a node; each is asked whenever it is needed."""

    room_of: Callable[[bytes], str] = lambda _: ""
    others: Callable[[], bool] = lambda: False
    """The home has other members."""
    behind: Callable[[], bool] = lambda: False
    """A linked peer has records that we lack."""
    aloud: Callable[[], bool] = lambda: True
    """There is a loudspeaker."""
    attend: Callable[[float], None] = lambda _: None
    """Listen for "stop" for so many milliseconds."""


def _wall_to_ms(at: datetime) -> int:
    """When clocks on the wall show `at` here, whatever its zone."""
    return round(at.replace(tzinfo=None).astimezone().timestamp() * 1000)


def words_of(timer: TimerInfo, here: str) -> str:
    """What a ring says."""
    if len(timer.name.split()) > (1 if timer.alarm else 2):  # "remind me to call mum"
        return f"Reminder: {timer.name}."
    where = f" in the {timer.room}" if timer.room and timer.room != here else ""
    what = f"{timer.name + ' ' if timer.name else ''}{'alarm' if timer.alarm else 'timer'}{where}"
    if timer.overdue_s > RING_FOR_MS / 1000:  # the home was dark
        return f"Your {what} was due {say_duration(timer.overdue_s // 60 * 60)} ago."
    return f"Your {what} is {'ringing' if timer.alarm else 'done'}."


class Timers:
    """`ring` sounds once: it is called again and again until somebody says stop, or ten minutes have passed."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        time: KnownTime,
        node_id: bytes,
        topics: Topics,
        ring: Callable[[TimerInfo], Awaitable[None]],
        around: Around = Around(),
    ) -> None:
        self._journal, self._clock, self._time = journal, clock, time
        self._node_id = node_id
        self._topics = topics
        self._ring = ring
        self._around = around
        self._ringing = Ringing(node_id)
        self._timers: dict[str, Timer] = {}
        self._stale = True
        self._changed = asyncio.Event()
        self._ending: Rounds = {}
        """To be taken out of the document; at most as many as there are."""
        self._sounding: dict[str, None] = {}
        """To be sounded, each once."""
        self._sound = asyncio.Event()
        topics.serve(ring_words.TOPIC, self._heard, ring_words.LIMITS)
        journal.listen(self._committed)

    async def load(self) -> None:
        """What runs already. An earlier version's own timers become the home's."""
        try:
            await self._take_over_legacy()
        except JarvisError as error:
            log.warning("timers of an earlier version stay where they are", reason=str(error))
        await self._refresh()

    # --- what people do -----------------------------------------------------------------------------------------

    async def set(self, seconds: int, name: str, *, alarm: bool = False, again: Recurrence | None = None) -> TimerInfo:
        """`alarm`: it is for a time of day, so many seconds from now, and comes `again`. Raises InvalidInput,
        Overloaded."""
        if alarm and seconds > MAX_ALARM_MS // 1000:
            raise InvalidInput("An alarm can be set for a year ahead.")
        if not alarm and not 1 <= seconds <= MAX_SECONDS:
            raise InvalidInput("A timer can run from one second to seven days.")
        timer_id = to_text(os.urandom(5))
        count = Count(0, 0, self._wall_ms(), self._node_id)
        timer = Timer(name[:MAX_NAME_CHARS], self._node_id, seconds * 1000, count, alarm, again=again)

        def put(state: MVMap) -> list[Value]:
            if len(state.keys()) >= MAX_TIMERS:
                raise Overloaded(f"{MAX_TIMERS} timers are running already.", fix="Cancel one first.")
            return [state.put(timer_id, encode_timer(timer))]

        self._ringing.wrote(timer_id, 0, 0.0, self._now())
        await self._write(put)
        return self.info(timer_id)

    async def set_alarm(self, at: datetime, name: str, every: Sequence[str] = ()) -> TimerInfo:
        """For when clocks on the wall show `at`, whatever its zone, and again at that time on the days `every`. Raises
        InvalidInput when this node does not know the time."""
        at_ms = _wall_to_ms(at)
        again = Recurrence(at.hour, at.minute, tuple(every)) if every else None
        seconds = math.ceil((at_ms - self._time.known_ms()) / 1000)  # rather within the second than before it
        return await self.set(max(1, seconds), name, alarm=True, again=again)

    async def add(self, timer_id: str, seconds: int) -> TimerInfo:
        """So much more time, or less when negative. One that rings already goes on for so long from now. Raises
        NotFound, InvalidInput, Overloaded."""
        if not 1 <= abs(seconds) <= MAX_SECONDS:
            raise InvalidInput("A timer can be changed by one second to seven days.")
        left_ms = self._left_ms(timer_id)
        ms = max(seconds * 1000, -round(left_ms)) if seconds < 0 else seconds * 1000 + max(0, -round(left_ms))
        added_id = os.urandom(ADDED_ID_BYTES)

        def change(timer: Timer) -> Timer:
            if len(timer.added) >= MAX_ADDED:
                raise Overloaded("That timer was changed too often.", fix="Cancel it, and set another one.")
            return timer.with_added(added_id, min(ms, MAX_MS))

        return await self._change(timer_id, change)

    async def pause(self, timer_id: str, paused: bool) -> TimerInfo:
        """Or let it go on. Raises NotFound, InvalidInput."""
        if self._timer(timer_id).alarm:
            raise InvalidInput("An alarm can't be paused.", fix="Cancel it instead.")
        elapsed_ms = round(self._ringing.elapsed_ms(timer_id, self._now()))
        wall_ms, made = self._wall_ms(), 0

        def change(timer: Timer) -> Timer:
            nonlocal made
            if timer.count.runs == paused:
                timer = timer.counting(elapsed_ms, wall_ms, self._node_id, runs=not paused)
            made = timer.count.n
            return timer

        began = self._now()
        info = await self._change(timer_id, change)
        if self._timers[timer_id].count == Count(made, elapsed_ms, wall_ms, self._node_id, not paused):
            self._ringing.wrote(timer_id, made, elapsed_ms, began)
            self._changed.set()
        return info

    async def remove(self, timer_id: str) -> bool:
        """Whether it was there."""
        return bool(await self._end({timer_id: None}))

    def find(self, wanted: str) -> str:
        """A timer's id by its beginning. Raises NotFound."""
        return by_prefix(wanted, self._timers, "timer")

    def infos(self) -> list[TimerInfo]:
        """The next to ring first."""
        now = self._now()
        by_left = sorted(self._timers, key=lambda timer_id: (self._ringing.left_ms(timer_id, now), timer_id))
        return [self.info(timer_id) for timer_id in by_left]

    def silence(self) -> None:
        """What rings here has rung enough; other rooms ring on."""
        rings = [one for one, who in self._ringing.ringing(self._now()).items() if who == self._node_id]
        self._over(rings)
        self._ending.update(self._rounds(rings))

    async def stop_ringing(self) -> Infos:
        """Whatever rings or is about to, in any room that we hear of, has rung enough: what that was."""
        rings = list(dict.fromkeys([*self._ringing.ringing(self._now()), *self._ringing.due(self._now())]))
        infos = [self.info(timer_id) for timer_id in rings]
        self._over(rings)
        await self._end(self._rounds(rings))
        return infos

    def _over(self, timer_ids: Collection[str]) -> None:
        self._ringing.over(timer_ids, self._now())
        for timer_id in timer_ids:
            self._sounding.pop(timer_id, None)
        self._changed.set()

    # --- what happens -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Count and ring until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sound_all(), name="ringing")
            while True:
                self._changed.clear()
                await self._look()
                pause_ms = self._ringing.pause_ms(self._now())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if pause_ms is None else pause_ms / 1000):
                        await self._changed.wait()

    def linked(self, peer: bytes) -> None:
        """A link with a peer began or ended."""
        self._ringing.parted(peer)
        self._changed.set()

    async def _look(self) -> None:
        try:
            if self._stale:
                await self._refresh()
            ending, self._ending = self._ending, {}
            await self._end(ending)
        except JarvisError as error:
            log.warning("timers could not be read or ended", reason=str(error))
        self._ringing.aloud = self._around.aloud()
        now = self._now()
        for effect in self._ringing.look(now):
            match effect:
                case Ring(timer_id):
                    self._sounding[timer_id] = None
                    self._sound.set()
                case End(timer_id):
                    self._ending.update(self._rounds([timer_id]))
                    self._changed.set()
                case Tell(None, statement):
                    self._topics.broadcast(ring_words.TOPIC, ring_words.encode(statement))
                case Tell(peer, statement) if peer is not None:
                    self._topics.tell(peer, ring_words.TOPIC, ring_words.encode(statement))
        if self._ringing.ringing(now):
            self._around.attend(ATTEND_MS)

    async def _sound_all(self) -> None:
        """One after another; one that has not had its turn when it is to ring again, does not ring twice."""
        while True:
            await self._sound.wait()
            self._sound.clear()
            while self._sounding:
                timer_id = next(iter(self._sounding))
                del self._sounding[timer_id]
                if timer_id in self._timers:
                    await self._ring(self.info(timer_id))

    def _heard(self, peer: bytes, value: Value) -> None:
        self._ringing.heard(peer, ring_words.decode(value), self._now())
        self._changed.set()

    def _committed(self, commit: Commit) -> None:
        if TIMERS in commit.documents:
            self._stale = True
            self._changed.set()

    # --- within -------------------------------------------------------------------------------------------------

    def _now(self) -> Now:
        return Now(
            self._clock.mono_ms(),
            self._wall_ms(),
            self._time.walls(),
            others=self._around.others(),
            behind=self._around.behind(),
        )

    def _wall_ms(self) -> int:
        known_ms = self._time.wall_ms()
        return max(0, self._clock.wall_ms()) if known_ms is None else known_ms

    async def _refresh(self) -> None:
        self._stale = False  # first: what is written while we read makes it stale again
        try:
            self._timers = await self._journal.state(TIMERS, timers_of)
        except BaseException:
            self._stale = True
            raise
        self._ringing.know(self._timers, self._now())
        self._changed.set()

    async def _write(self, make: Callable[[MVMap], Operations]) -> None:
        await self._journal.write((TIMERS, make))
        await self._refresh()

    async def _change(self, timer_id: str, change: Callable[[Timer], Timer]) -> TimerInfo:
        def put(state: MVMap) -> Operations:
            timer = timer_at(state, timer_id)
            if timer is None:
                raise NotFound("That timer is over.")
            return [state.put(timer_id, encode_timer(change(timer)))]

        await self._write(put)
        return self.info(timer_id)

    def _rounds(self, timer_ids: Collection[str]) -> Rounds:
        return {timer_id: self._timers[timer_id].count.n for timer_id in timer_ids if timer_id in self._timers}

    async def _end(self, timer_ids: Rounds) -> TimerIds:
        """Take them out of the document: those that were there. An alarm that comes again stays in it for its next
        round, unless it is ended for good: its round is None then. One whose round is over already, stays too."""
        ended: TimerIds = []

        def delete(state: MVMap) -> Operations:
            made: Operations = []
            for timer_id, n in timer_ids.items():
                timer = timer_at(state, timer_id)
                if timer is None or timer.again is None or n is None:
                    made += [state.delete(timer_id)] if state.get(timer_id) is not None else []
                elif timer.count.n == n:
                    made.append(state.put(timer_id, encode_timer(self._next_round(timer, timer.again))))
                else:
                    continue
                ended.append(timer_id)
            return made

        if timer_ids:
            await self._journal.write((TIMERS, delete), makes_room=True)
            await self._refresh()
        return ended

    def _next_round(self, timer: Timer, again: Recurrence) -> Timer:
        now_ms = self._wall_ms()  # any member may have written any time
        last = datetime.fromtimestamp(min(max(timer.due_ms, now_ms), now_ms + MAX_ALARM_MS) / 1000)
        return timer.next_round(_wall_to_ms(again.after(last)))

    async def _take_over_legacy(self) -> None:
        kept = await self._journal.read(lambda tx, _: {name: tx.get(name) or b"" for name in tx.keys(_LEGACY_PREFIX)})
        if not kept:
            return

        def put(state: MVMap) -> Operations:
            made = []
            for key, data in kept.items():
                name, seconds, due_wall_ms = unpack(data)
                timer_id = key.removeprefix(_LEGACY_PREFIX)
                count = Count(0, 0, max(0, due_wall_ms - seconds * 1000), self._node_id)
                if state.get(timer_id) is None:
                    timer = Timer(name, self._node_id, seconds * 1000, count)
                    made.append(state.put(timer_id, encode_timer(timer)))
            return made

        await self._journal.write((TIMERS, put))

        def forget(tx: Transaction) -> None:
            for name in kept:
                tx.delete(name)

        await self._journal.change_local(forget)

    def _timer(self, timer_id: str) -> Timer:
        try:
            return self._timers[timer_id]
        except KeyError:
            raise NotFound("That timer is over.") from None

    def _left_ms(self, timer_id: str) -> float:
        self._timer(timer_id)
        return self._ringing.left_ms(timer_id, self._now())

    def info(self, timer_id: str) -> TimerInfo:
        timer, left_ms = self._timer(timer_id), self._left_ms(timer_id)
        return TimerInfo(
            timer_id,
            timer.name,
            timer.length_ms // 1000,
            max(0.0, left_ms / 1000),
            node_id=to_text(timer.owner),
            room=self._around.room_of(timer.owner),
            alarm=timer.alarm,
            paused=not timer.count.runs,
            rings=timer_id in self._ringing.ringing(self._now()),
            overdue_s=max(0.0, -left_ms / 1000),
            due_ms=self._due_ms(timer, left_ms),
            every=timer.again.days if timer.again is not None else (),
        )

    def _due_ms(self, timer: Timer, left_ms: float) -> int | None:
        """As everybody reads it in the document, unless our clock tells another story."""
        now_ms, count = self._time.wall_ms(), timer.count
        if now_ms is None or not count.runs:
            return None
        written_ms, own_ms = timer.due_ms, round(now_ms + left_ms)
        return written_ms if abs(written_ms - own_ms) < SAME_MS else own_ms
