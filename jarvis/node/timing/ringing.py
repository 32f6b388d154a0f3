"""Which node rings which timer, and when: a state machine without I/O. What is known of timers, peers and clocks goes
in, what to do comes out. While nodes are linked exactly one rings; without links whoever is left does: a timer is
rather rung in two places than in none. It never makes a timer longer than it was, whatever a clock says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

from jarvis.core.time import EARLIEST_WALL_MS
from jarvis.node.timing.facts import Timer
from jarvis.node.timing.ring_words import MAX_TOLD, Statement, Told

RING_EVERY_MS = 6_000.0
RING_FOR_MS = 600_000.0
"""Ringing gives up: somebody may be out."""
TURN_MS = 5_000.0
"""Each next node waits so much longer for the ones before it to say that they ring."""
RELINK_MS = 3_000.0
"""So long nobody steps in for a peer that rang a moment ago: when a link is given up for another, what it
said comes again over that."""
SAYS_FIRST_MS = 1_000.0
"""Who rings in another's place says so this long before: of two whose turns came at once only one is heard."""
OVERDUE_MS = 4_000.0
"""Who comes to a timer later than this after it was due, has missed something: another may have rung it."""
SETTLE_MS = 5_000.0
"""A timer of an earlier life of ours waits so long for links, and for what others say of it."""
LATE_MS = 12_000.0
"""And so long when it was due before we heard of it."""
BEHIND_MS = 45_000.0
"""And so long at most for records that a peer has and we lack."""
SILENT_MS = 20_000.0
"""Who rings says so with every ring; after three that were not said it hangs."""
AGAIN_MS = 30_000.0
"""Until an end that was not kept is tried again."""
APART_MS = 1_000.0
"""Counts of one timer may differ by so much before the owner's is taken: it travels in a few milliseconds."""
LOOK_MS = 1_000.0


@dataclass(frozen=True, slots=True)
class Now:
    mono_ms: float
    wall_ms: int
    """The best this node knows; it may be wrong."""
    walls: Mapping[bytes, int | None]
    """The wall clock of each peer that is linked, None where it is not known."""
    others: bool = True
    """The home has other members."""
    behind: bool = False
    """A peer has records that we lack."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Once; it comes again until the ringing ends."""

    timer_id: str
    overdue_ms: float


@dataclass(frozen=True, slots=True)
class Tell:
    peer: bytes | None
    """None for all that are linked."""
    statement: Statement


@dataclass(frozen=True, slots=True)
class End:
    """It has rung long enough: nobody needs it any more."""

    timer_id: str


Effect = Ring | Tell | End


class _Trust(IntEnum):
    """In how far a timer has run."""

    BLIND = 0
    """No clock can tell: counted from when this node heard of it."""
    GUESSED = 1
    """By wall clocks."""
    COUNTED = 2
    """Without a break since somebody set it, here or by a peer that told us."""


@dataclass(slots=True)
class _Watch:
    timer: Timer
    trust: _Trust = _Trust.BLIND
    elapsed_ms: float = 0.0
    since_ms: float = 0.0
    """When it had run for `elapsed_ms`."""
    drift_ms: float = 0.0
    """Between the wall clock and the monotonic clock then."""
    turn_ms: float | None = None
    """When the owner's turn to ring is; the others' come after it. None while it is not due."""
    known_ms: float = 0.0
    changed_ms: float = 0.0
    """When somebody last added or took away time, or let it go on: it was not due before we knew of that."""
    restored: bool = False
    """It was there before we were, or came from a peer."""
    late: bool = False
    """It was due before we could have rung it."""
    began_ms: float | None = None
    """When somebody was first known to ring it."""
    rings: bool = False
    """Here."""
    next_ring_ms: float = 0.0
    over_ms: float | None = None
    """When its end was decided."""


@dataclass(slots=True)
class _Peer:
    statement: Statement
    heard_ms: float


@dataclass(frozen=True, slots=True)
class _Pin:
    n: int
    elapsed_ms: float
    at_ms: float


class Ringing:
    """Call `look` whenever something happened, and after `pause_ms`."""

    def __init__(self, me: bytes) -> None:
        self._me = me
        self.aloud = True
        """This node has a loudspeaker. Of others, those that have one ring first."""
        self._watches: dict[str, _Watch] = {}
        self._peers: dict[bytes, _Peer] = {}
        """Of members only, who alone get a link."""
        self._pins: dict[str, _Pin] = {}
        self._greeted: set[bytes] = set()
        self._said: object = None

    # --- what goes in -------------------------------------------------------------------------------------------

    def know(self, timers: Mapping[str, Timer], now: Now) -> None:
        """All timers there are."""
        for timer_id in self._watches.keys() - timers.keys():
            del self._watches[timer_id]
        self._pins = {
            timer_id: pin
            for timer_id, pin in self._pins.items()
            if timer_id in timers or now.mono_ms - pin.at_ms < AGAIN_MS  # it is being written
        }
        for timer_id, timer in timers.items():
            watch = self._watches.get(timer_id)
            if watch is None:
                watch = self._watches[timer_id] = _Watch(timer, known_ms=now.mono_ms)
                watch.restored = timer_id not in self._pins
                self._count(timer_id, watch, now)
            else:
                known, watch.timer = watch.timer, timer
                watch.changed_ms = now.mono_ms if known != timer else watch.changed_ms
                if known.count != timer.count:
                    watch.trust = _Trust.BLIND
                    self._count(timer_id, watch, now)

    def wrote(self, timer_id: str, n: int, elapsed_ms: float, now: Now) -> None:
        """This node has begun, stopped or resumed a timer itself, and knows how far it has run."""
        self._pins[timer_id] = _Pin(n, elapsed_ms, now.mono_ms)
        if timer_id in self._watches:
            self._count(timer_id, self._watches[timer_id], now)

    def heard(self, peer: bytes, statement: Statement, now: Now) -> None:
        self._peers[peer] = _Peer(statement, now.mono_ms)

    def parted(self, peer: bytes) -> None:
        """A link with it began or ended: nothing it said holds any more, and it must be told everything anew."""
        self._peers.pop(peer, None)
        self._greeted.discard(peer)

    def over(self, timer_ids: Collection[str], now: Now) -> None:
        """Somebody said stop: these ring no more, whatever becomes of writing it down."""
        for timer_id in timer_ids:
            if timer_id in self._watches:
                self._watches[timer_id].over_ms = now.mono_ms

    # --- what comes out -----------------------------------------------------------------------------------------

    def look(self, now: Now) -> list[Effect]:
        self._peers = {peer: one for peer, one in self._peers.items() if peer in now.walls}
        effects: list[Effect] = []
        for timer_id, watch in self._watches.items():
            self._recount(timer_id, watch, now)
            effects += self._turn(timer_id, watch, now)
        return effects + self._tell(now, rang=any(isinstance(effect, Ring) for effect in effects))

    def pause_ms(self, now: Now) -> float | None:
        """Until the next look; None while there is nothing to look at."""
        if not self._watches:
            return None
        pause_ms = LOOK_MS
        for timer_id, watch in self._watches.items():
            if watch.rings:
                pause_ms = min(pause_ms, watch.next_ring_ms - now.mono_ms)
            elif watch.turn_ms is None and watch.timer.count.runs:
                pause_ms = min(pause_ms, self.left_ms(timer_id, now))
        return max(pause_ms, 1.0)

    def elapsed_ms(self, timer_id: str, now: Now) -> float:
        return self._elapsed(self._watches[timer_id], now)

    def left_ms(self, timer_id: str, now: Now) -> float:
        """Negative once it is due."""
        watch = self._watches[timer_id]
        return watch.timer.total_ms - self._elapsed(watch, now)

    def ringing(self, now: Now) -> dict[str, bytes]:
        """Timer id -> the node that rings it, as far as is known here."""
        found = {}
        for timer_id, watch in self._watches.items():
            who = self._me if watch.rings else self._ringer(timer_id, now)
            if who is not None and watch.over_ms is None:
                found[timer_id] = who
        return found

    def due(self, now: Now) -> list[str]:
        """Those that ring somewhere, or are about to."""
        return [
            timer_id
            for timer_id, watch in self._watches.items()
            if watch.over_ms is None and watch.timer.count.runs and self.left_ms(timer_id, now) <= 0
        ]

    # --- how far each has run -----------------------------------------------------------------------------------

    def _elapsed(self, watch: _Watch, now: Now) -> float:
        if not watch.timer.count.runs:
            return watch.timer.count.elapsed_ms
        elapsed_ms = watch.elapsed_ms + now.mono_ms - watch.since_ms
        known = min(now.wall_ms, now.mono_ms + watch.drift_ms) >= EARLIEST_WALL_MS
        if watch.timer.alarm and watch.timer.owner == self._me and known:
            elapsed_ms += now.wall_ms - now.mono_ms - watch.drift_ms  # it was set for a time of day
        return elapsed_ms

    def _count(self, timer_id: str, watch: _Watch, now: Now) -> None:
        """Take the best there is."""
        n = watch.timer.count.n
        pin, told = self._pins.get(timer_id), self._told_of(timer_id, n, watch.timer.owner)
        if pin is not None and pin.n == n:
            self._set(watch, _Trust.COUNTED, pin.elapsed_ms + now.mono_ms - pin.at_ms, now)
        elif told is not None:
            self._set(watch, _Trust.COUNTED, told.elapsed_ms + now.mono_ms - told.at_ms, now)
        else:
            guess = self._guess(watch.timer, now)
            if guess is None:
                self._set(watch, _Trust.BLIND, watch.timer.count.elapsed_ms, now)
            else:
                self._set(watch, _Trust.GUESSED, guess, now)

    def _recount(self, timer_id: str, watch: _Watch, now: Now) -> None:
        """Believe somebody who knows better than we did."""
        owner, own_ms = watch.timer.owner, self._elapsed(watch, now)
        if watch.trust < _Trust.COUNTED or owner != self._me:
            only = owner if watch.trust is _Trust.COUNTED else None
            told = self._told_of(timer_id, watch.timer.count.n, owner, only=only)
            if told is not None:
                told_ms = told.elapsed_ms + now.mono_ms - told.at_ms
                if watch.trust < _Trust.COUNTED or abs(told_ms - own_ms) > APART_MS:
                    self._set(watch, _Trust.COUNTED, told_ms, now)
        if watch.trust is _Trust.BLIND and (guess := self._guess(watch.timer, now)) is not None:
            self._set(watch, _Trust.GUESSED, max(guess, own_ms), now)

    def _set(self, watch: _Watch, trust: _Trust, elapsed_ms: float, now: Now) -> None:
        watch.trust, watch.elapsed_ms, watch.since_ms = trust, max(elapsed_ms, 0.0), now.mono_ms
        watch.drift_ms = now.wall_ms - now.mono_ms

    def _told_of(self, timer_id: str, n: int, owner: bytes, *, only: bytes | None = None) -> _Pin | None:
        """What a linked peer has counted of it, the owner before others."""
        for peer in sorted(self._peers, key=lambda peer: (peer != owner, peer)):
            told = self._peers[peer].statement.timers.get(timer_id)
            if told is not None and told.n == n and told.elapsed_ms >= 0 and only in (None, peer):
                return _Pin(n, told.elapsed_ms, self._peers[peer].heard_ms)
        return None

    def _guess(self, timer: Timer, now: Now) -> float | None:
        """By the wall clock of whoever counted last, as far as we know it, else by ours; a clock that shows less than
        was written down then was set back, or never set."""
        count = timer.count
        clocks = [now.walls.get(count.by), now.wall_ms]
        for wall_ms in clocks:
            if wall_ms is not None and wall_ms >= count.at_ms >= EARLIEST_WALL_MS:
                return float(count.elapsed_ms + wall_ms - count.at_ms)
        return None

    # --- whose turn it is ---------------------------------------------------------------------------------------

    def _turn(self, timer_id: str, watch: _Watch, now: Now) -> list[Effect]:
        left_ms = self.left_ms(timer_id, now)
        if left_ms > 0 or not watch.timer.count.runs:  # also one that rang and was given more time
            watch.turn_ms = watch.began_ms = watch.over_ms = None
            watch.rings = watch.late = False
            return []
        if watch.over_ms is not None:
            watch.rings = False
            if now.mono_ms - watch.over_ms < AGAIN_MS:
                return []
            watch.over_ms = now.mono_ms
            return [End(timer_id)]
        if watch.turn_ms is None:
            watch.turn_ms = self._first_turn_ms(watch, max(now.mono_ms + left_ms, watch.changed_ms), now)
        ringer = self._ringer(timer_id, now)
        if watch.rings:
            return self._go_on(timer_id, watch, ringer, -left_ms, now)
        # Who set it in this life needs nobody's word for ringing it. One that came back does.
        first = watch.timer.owner == self._me and not (watch.restored or watch.late) and watch.began_ms is None
        if ringer is not None and not first:
            watch.turn_ms, watch.late = now.mono_ms + RELINK_MS, False  # our turn comes when it falls silent
            watch.began_ms = now.mono_ms if watch.began_ms is None else watch.began_ms
            return []
        if watch.late and now.behind and now.mono_ms < watch.turn_ms + BEHIND_MS:
            return []  # what we lack may say that it is over
        if now.mono_ms < watch.turn_ms + self._place(watch, self._me, now) * TURN_MS:
            return []
        if watch.began_ms is not None and now.mono_ms - watch.began_ms >= RING_FOR_MS:
            return self._give_up(timer_id, watch, now)
        watch.rings, watch.next_ring_ms = True, now.mono_ms
        watch.began_ms = now.mono_ms if watch.began_ms is None else watch.began_ms
        if not first and now.walls:
            watch.next_ring_ms += SAYS_FIRST_MS
        return self._go_on(timer_id, watch, ringer, -left_ms, now)

    def _first_turn_ms(self, watch: _Watch, due_ms: float, now: Now) -> float:
        """When its owner may ring it: at once, unless somebody else may have done so while we knew nothing."""
        if not now.others:
            return due_ms
        watch.late = now.mono_ms - due_ms > OVERDUE_MS or (watch.restored and due_ms <= watch.known_ms)
        if watch.late:
            return now.mono_ms + LATE_MS
        return max(due_ms, watch.known_ms + SETTLE_MS) if watch.restored else due_ms

    def _go_on(self, timer_id: str, watch: _Watch, ringer: bytes | None, overdue_ms: float, now: Now) -> list[Effect]:
        assert watch.began_ms is not None
        if ringer is not None and self._place(watch, ringer, now) < self._place(watch, self._me, now):
            watch.rings = False
            return []
        if now.mono_ms - watch.began_ms >= RING_FOR_MS:
            return self._give_up(timer_id, watch, now)
        if now.mono_ms < watch.next_ring_ms:
            return []
        watch.next_ring_ms = now.mono_ms + RING_EVERY_MS
        return [Ring(timer_id, overdue_ms)]

    def _give_up(self, timer_id: str, watch: _Watch, now: Now) -> list[Effect]:
        watch.rings, watch.over_ms = False, now.mono_ms
        return [End(timer_id)]

    def _ringer(self, timer_id: str, now: Now) -> bytes | None:
        """The peer that rings it, the one that may before others."""
        watch = self._watches[timer_id]
        found = []
        for peer, one in self._peers.items():
            told = one.statement.timers.get(timer_id)
            if told is not None and told.rings and now.mono_ms - one.heard_ms < SILENT_MS:
                found.append(peer)
        return min(found, key=lambda peer: self._place(watch, peer, now), default=None)

    def _place(self, watch: _Watch, node_id: bytes, now: Now) -> int:
        """0 for the owner, then the nodes within reach: those that can be heard, by their ids."""
        if node_id == watch.timer.owner:
            return 0
        nodes = (now.walls.keys() | {self._me, node_id}) - {watch.timer.owner}
        return 1 + sorted(nodes, key=lambda one: (not self._is_aloud(one), one)).index(node_id)

    def _is_aloud(self, node_id: bytes) -> bool:
        if node_id == self._me:
            return self.aloud
        return node_id not in self._peers or self._peers[node_id].statement.aloud

    # --- what is told -------------------------------------------------------------------------------------------

    def _tell(self, now: Now, *, rang: bool) -> list[Effect]:
        """To everybody when something changed or rings, else to those that have just come."""
        told: dict[str, Told] = {}
        changes: dict[str, object] = {}
        for timer_id, watch in list(self._watches.items())[:MAX_TOLD]:
            n, counted = watch.timer.count.n, watch.trust is _Trust.COUNTED and watch.timer.count.runs
            elapsed_ms = round(self._elapsed(watch, now)) if counted else -1
            told[timer_id] = Told(n, min(elapsed_ms, 2**40 - 1), watch.rings)
            shifted_ms = self._elapsed(watch, now) - (watch.elapsed_ms + now.mono_ms - watch.since_ms)
            changes[timer_id] = (n, counted, watch.rings, round(shifted_ms / (2 * APART_MS)) if counted else 0)
        statement = Statement(self.aloud, told)
        new = now.walls.keys() - self._greeted
        self._greeted = set(now.walls)
        if (changes, self.aloud) != self._said or rang:
            self._said = (changes, self.aloud)
            return [Tell(None, statement)] if now.walls else []
        return [Tell(peer, statement) for peer in sorted(new)]
