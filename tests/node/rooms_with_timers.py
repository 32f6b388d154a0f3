"""Rooms whose timers are the real ones, joined by the real merge, with everything else made up: one clock for the
world, links that take their time and can be cut, nodes that die with all they had not kept, and wall clocks set to
anything."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from jarvis.assistant.wording.recurring import Recurrence
from jarvis.core.codec import Value
from jarvis.crdt.dots import Dot
from jarvis.crdt.mvmap import MVMap, MVMapKind
from jarvis.node.timing.facts import Count, Timer, timer_at, timers_of
from jarvis.node.timing.facts import encode as encode_timer
from jarvis.node.timing.ring_words import Statement, decode, encode
from jarvis.node.timing.ringing import End, Now, Ring, Ringing, Tell

WALL_MS = 1_800_000_000_000
STEP_MS = 250.0
EVERY_MS = 1_200_000
RELINK_MS = 1_000.0
KIND = MVMapKind()


@dataclass
class Room:
    node_id: bytes
    wall_off_ms: float = 0.0
    ops: dict[Dot, tuple[Value, int]] = field(default_factory=dict)
    """What it has kept; it survives death."""
    state: MVMap = field(default_factory=MVMap)
    ringing: Ringing | None = None
    """None while it is dead."""
    born_ms: float = 0.0
    links: dict[bytes, float] = field(default_factory=dict)
    """Peer -> since when."""
    offsets: dict[bytes, float] = field(default_factory=dict)
    frozen: bool = False
    """It lives and keeps its links, and does nothing."""

    @property
    def alive(self) -> bool:
        return self.ringing is not None


class Rooms:
    def __init__(self, count: int, seed: int = 0, *, delay_ms: float = 300.0, link_ms: float = 4_000.0) -> None:
        self.random = random.Random(seed)
        self.now_ms = 1_000_000.0
        self.delay_ms, self.link_ms = delay_ms, link_ms
        self.rooms = [Room(bytes([65 + number]) * 16) for number in range(count)]
        self.by_id = {room.node_id: room for room in self.rooms}
        self.cut: set[frozenset[bytes]] = set()
        self._links_at: dict[frozenset[bytes], float] = {}
        self.rings: list[tuple[float, int, str]] = []
        self.deaths: list[tuple[float, int]] = []
        self._flying: list[tuple[float, int, bytes, bytes, Value]] = []
        self._sent = 0
        self._seq = 0
        for number in range(count):
            self.start(number)

    # --- what happens to rooms ----------------------------------------------------------------------------------

    def start(self, number: int) -> None:
        room = self.rooms[number]
        if not room.alive:
            room.ringing, room.born_ms = Ringing(room.node_id), self.now_ms
            self._know(room)

    def kill(self, number: int) -> None:
        room = self.rooms[number]
        if room.alive:
            room.ringing = None
            self.deaths.append((self.now_ms, number))
            for peer in list(room.links):
                self._unlink(room, self.by_id[peer])

    def split(self, *groups: Collection[int]) -> None:
        """Only rooms of one group reach one another."""
        place = {self.rooms[number].node_id: at for at, group in enumerate(groups) for number in group}
        ids = list(place)
        self.cut = {frozenset((a, b)) for a in ids for b in ids if place[a] != place[b]}

    def relink(self, number: int, other: int) -> None:
        """Their link breaks, and another stands within a second: of two that were dialled at once one is given up."""
        a, b = self.rooms[number], self.rooms[other]
        if b.node_id in a.links:
            self._unlink(a, b)
            self._links_at[frozenset((a.node_id, b.node_id))] = self.now_ms + self.random.uniform(0.0, RELINK_MS)

    def set_clock(self, number: int, off_ms: float) -> None:
        """From now on its wall clock is wrong by so much; peers hear of it with the next hello."""
        self.rooms[number].wall_off_ms = off_ms

    # --- what people do -----------------------------------------------------------------------------------------

    def set_timer(
        self, number: int, seconds: float, timer_id: str = "pasta", *, alarm: bool = False, again: bool = False
    ) -> None:
        """`again`: it comes again every EVERY_MS."""
        room = self.rooms[number]
        count = Count(0, 0, self._wall(room), room.node_id)
        comes = Recurrence(0, 0, ("mon",)) if again else None
        timer = Timer(timer_id, room.node_id, int(seconds * 1000), count, alarm, again=comes)
        assert room.ringing is not None
        room.ringing.wrote(timer_id, 0, 0.0, self._now(room))
        self._put(room, timer_id, timer)

    def add(self, number: int, seconds: float, timer_id: str = "pasta") -> None:
        room = self.rooms[number]
        timer = timer_at(room.state, timer_id)
        if timer is not None and room.alive:
            self._put(room, timer_id, timer.with_added(self.random.randbytes(8), int(seconds * 1000)))

    def pause(self, number: int, runs: bool, timer_id: str = "pasta") -> None:
        room = self.rooms[number]
        timer = timer_at(room.state, timer_id)
        if timer is None or room.ringing is None:
            return
        now = self._now(room)
        elapsed_ms = int(room.ringing.elapsed_ms(timer_id, now))
        timer = timer.counting(elapsed_ms, self._wall(room), room.node_id, runs=runs)
        room.ringing.wrote(timer_id, timer.count.n, elapsed_ms, now)
        self._put(room, timer_id, timer)

    def stop(self, number: int) -> list[str]:
        """ "Stop", said in this room: what ended."""
        room = self.rooms[number]
        if room.ringing is None:
            return []
        rings = list(room.ringing.ringing(self._now(room)))
        room.ringing.over(rings, self._now(room))
        for timer_id in rings:
            self.end(number, timer_id)
        return rings

    def end(self, number: int, timer_id: str = "pasta") -> None:
        room = self.rooms[number]
        timer = timer_at(room.state, timer_id)
        if timer is not None and timer.again is not None:
            rounds = max(0, self._wall(room) - timer.due_ms) // EVERY_MS + 1
            self._put(room, timer_id, timer.next_round(timer.due_ms + rounds * EVERY_MS))
        elif room.state.get(timer_id) is not None:
            self._write(room, room.state.delete(timer_id))

    # --- time ---------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        until_ms = self.now_ms + seconds * 1000
        while self.now_ms < until_ms:
            self.now_ms += STEP_MS
            self._link()
            self._fly()
            for room in self.rooms:
                if room.ringing is not None and not room.frozen:
                    self._look(room, room.ringing)

    def who_rang(self, timer_id: str = "pasta", since_ms: float = 0.0) -> set[int]:
        return {number for at_ms, number, one in self.rings if one == timer_id and at_ms > since_ms}

    def first_ring_s(self, since_ms: float, timer_id: str = "pasta") -> float:
        return (
            min(at_ms for at_ms, _, one in self.rings if one == timer_id and at_ms > since_ms) / 1000 - since_ms / 1000
        )

    def left_s(self, number: int, timer_id: str = "pasta") -> float:
        room = self.rooms[number]
        assert room.ringing is not None
        return room.ringing.left_ms(timer_id, self._now(room)) / 1000

    # --- within -------------------------------------------------------------------------------------------------

    def _wall(self, room: Room) -> int:
        return max(0, int(WALL_MS + self.now_ms + room.wall_off_ms))

    def _now(self, room: Room) -> Now:
        wall_ms = self._wall(room)
        walls = {peer: int(wall_ms + room.offsets[peer]) for peer in room.links}
        return Now(self.now_ms - room.born_ms, wall_ms, walls, others=len(self.rooms) > 1)

    def _look(self, room: Room, ringing: Ringing) -> None:
        number = self.rooms.index(room)
        for effect in ringing.look(self._now(room)):
            match effect:
                case Ring(timer_id):
                    self.rings.append((self.now_ms, number, timer_id))
                case End(timer_id):
                    self.end(number, timer_id)
                case Tell(peer, statement):
                    for one in [peer] if peer else list(room.links):
                        self._send(room.node_id, one, ["ring", encode(statement)])

    def _know(self, room: Room) -> None:
        room.state = MVMap()
        for dot, (operation, hlc) in room.ops.items():
            KIND.absorb(room.state, KIND.delta(operation, dot, hlc))
        assert room.ringing is not None
        room.ringing.know(timers_of(room.state), self._now(room))

    def _put(self, room: Room, timer_id: str, timer: Timer) -> None:
        self._write(room, room.state.put(timer_id, encode_timer(timer)))

    def _write(self, room: Room, operation: Value) -> None:
        self._seq += 1
        dot = Dot(room.node_id * 2, self._seq, 0)
        self._take(room, {dot: (operation, self._seq)})
        for peer in room.links:
            self._send(room.node_id, peer, ["ops", {dot: (operation, self._seq)}])

    def _take(self, room: Room, ops: dict[Dot, tuple[Value, int]]) -> None:
        room.ops.update(ops)
        self._know(room)

    def _link(self) -> None:
        for a in self.rooms:
            for b in self.rooms:
                if a.node_id >= b.node_id:
                    continue
                reach = a.alive and b.alive and frozenset((a.node_id, b.node_id)) not in self.cut
                linked = b.node_id in a.links
                pair = frozenset((a.node_id, b.node_id))
                links_ms = self._links_at.setdefault(pair, self.now_ms + self.random.uniform(0.1, 1) * self.link_ms)
                if not reach:
                    del self._links_at[pair]
                if reach and not linked and self.now_ms >= links_ms:
                    for one, other in ((a, b), (b, a)):
                        one.links[other.node_id] = self.now_ms
                        one.offsets[other.node_id] = self._wall(other) - self._wall(one)
                        self._send(one.node_id, other.node_id, ["ops", dict(one.ops)])
                elif linked and not reach:
                    self._unlink(a, b)

    def _unlink(self, a: Room, b: Room) -> None:
        a.links.pop(b.node_id, None)
        b.links.pop(a.node_id, None)
        for one, other in ((a, b), (b, a)):
            if one.ringing is not None:
                one.ringing.parted(other.node_id)
        pair = {a.node_id, b.node_id}
        self._flying = [one for one in self._flying if {one[2], one[3]} != pair]

    def _send(self, source: bytes, target: bytes, what: Value) -> None:
        self._sent += 1
        lands_ms = self.now_ms + self.random.uniform(0.1, 1.0) * self.delay_ms
        before = [one[0] for one in self._flying if one[2:4] == (source, target)]
        self._flying.append((max([lands_ms, *before]), self._sent, source, target, what))  # in order, as links are

    def _fly(self) -> None:
        landed = sorted(one for one in ((*each[:2], each) for each in self._flying) if one[0] <= self.now_ms)
        done = {one[1] for one in landed}
        self._flying = [one for one in self._flying if one[1] not in done]
        for _, _, (_, _, source, target, (kind, what)) in landed:
            room = self.by_id[target]
            if room.ringing is None or room.frozen:
                continue
            if kind == "ops":
                self._take(room, what)
            else:
                statement: Statement = decode(what)
                room.ringing.heard(source, statement, self._now(room))


def after(rooms: Rooms, *steps: tuple[float, Callable[[], object]]) -> None:
    """Each step at its second."""
    began_ms = rooms.now_ms
    for at_s, step in steps:
        rooms.run(at_s - (rooms.now_ms - began_ms) / 1000)
        step()
