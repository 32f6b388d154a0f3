"""One wake word in several simulated rooms, in virtual time: the pure machines of `jarvis.voice.arbitration` over links
that delay, jitter, lose and break, and an oracle that counts who chimed and who answered. All follows from a seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from jarvis.voice.arbitration.claims import Claims
from jarvis.voice.arbitration.messages import Message
from jarvis.voice.arbitration.state import Answers, Chimes, Effect, Send, Settled

REQUEST = "set a timer for ten minutes please"
HEARD_AS = (REQUEST, "set a timer for ten minutes", "set the timer for ten minutes please", "a timer for ten minutes")
"""One request, as several rooms' recognisers write it."""
OTHER_REQUEST = "what did we say about dinner yesterday"
END_MS = 60_000.0
MAX_STEPS = 200_000
"""A trial takes a few hundred; more is a quarrel without end."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one room's ears and engines make of it, in milliseconds from the trial's beginning."""

    hears_ms: float | None = 0.0
    """None: it does not hear the wake word."""
    confirmed_after_ms: float | None = 60.0
    """None: its detector is never sure, and it withdraws after 200 ms."""
    able: bool = True
    engaged: bool = False
    snr_step: int = 6
    text: str | None = REQUEST
    """None: it understands nothing, and withdraws."""
    text_ms: float = 2_500.0
    private: bool = False
    dies_ms: float | None = None
    sleeps_ms: tuple[float, float] | None = None
    """Its machine does nothing from then till then; its timers are late, and come before what waits to be read."""


@dataclass(frozen=True, slots=True)
class Links:
    delay_ms: float = 80.0
    """Each pair of rooms has a delay of its own, up to this."""
    jitter_ms: float = 40.0
    """Each message takes up to so much longer; they may overtake one another."""
    least_ms: float = 0.0
    """Every message takes so long, and what is drawn comes on top."""
    loss: float = 0.0
    cuts: frozenset[frozenset[int]] = frozenset()
    """Pairs of rooms between which there is no link, as both know."""
    notice_ms: float | None = 50.0
    """After a death its peers see their link closed; None: never."""


@dataclass
class Outcome:
    chimed: list[int] = field(default_factory=list)
    """Rooms, in the order in which they did."""
    answered: list[int] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    """Rooms that had a text and stay silent."""
    settled: list[tuple[int, Settled]] = field(default_factory=list)
    waited_ms: dict[int, float] = field(default_factory=dict)
    """From a room's text to the decision about it."""
    chime_ms: dict[int, float] = field(default_factory=dict)
    """From a room's claim to its chime."""
    sent: list[tuple[int, int, Message]] = field(default_factory=list)
    steps: int = 0


Make = Callable[[bytes], Claims]


class Trial:
    """`make` builds each room's machine: the real one, or one with a rule broken."""

    def __init__(self, rooms: Sequence[Room], links: Links, seed: int, make: Make = Claims) -> None:
        self._rooms, self._links, self._random = rooms, links, random.Random(seed)  # nosec B311
        self._machines = [make(_node_id(number)) for number in range(len(rooms))]
        self._delays = {
            pair: self._random.uniform(0, links.delay_ms) for pair in sorted(map(tuple, map(sorted, self._pairs())))
        }
        self._queue: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0
        self._wanted: dict[int, float] = {}
        self.outcome = Outcome()

    def run(self) -> Outcome:
        for one, other in self._delays:
            if frozenset((one, other)) not in self._links.cuts:
                self._machines[one].linked(_node_id(other), 0.0)
                self._machines[other].linked(_node_id(one), 0.0)
        for number, room in enumerate(self._rooms):
            self._script(number, room)
        while self._queue:
            now_ms, _, happen = heapq.heappop(self._queue)
            self.outcome.steps += 1
            if now_ms > END_MS or self.outcome.steps > MAX_STEPS:
                break
            happen(now_ms)
        return self.outcome

    def _script(self, number: int, room: Room) -> None:
        machine, wake = self._machines[number], _wake(number)
        if room.dies_ms is not None:
            self._at(room.dies_ms, lambda now_ms: self._death(number, now_ms))
        if room.hears_ms is None:
            return

        def say(at_ms: float, act: Callable[[float], list[Effect]]) -> None:
            self._at(at_ms, lambda now_ms: self._do(number, now_ms, act))

        say(
            room.hears_ms,
            lambda now_ms: machine.wake(wake, now_ms, able=room.able, engaged=room.engaged, snr_step=room.snr_step),
        )
        if room.confirmed_after_ms is None:
            say(room.hears_ms + 200.0, lambda now_ms: machine.withdraw(wake, now_ms))
            return
        say(room.hears_ms + room.confirmed_after_ms, lambda now_ms: machine.confirm(wake, now_ms))
        if room.text is None:
            say(room.text_ms, lambda now_ms: machine.withdraw(wake, now_ms))
        else:
            text = room.text
            say(room.text_ms, lambda now_ms: machine.understood(wake, text, now_ms, private=room.private))

    def _death(self, number: int, now_ms: float) -> None:
        if self._links.notice_ms is not None:
            for peer in range(len(self._rooms)):
                if peer != number and frozenset((number, peer)) not in self._links.cuts:
                    self._at(now_ms + self._links.notice_ms, self._losing(peer, number))

    def _losing(self, peer: int, number: int) -> Callable[[float], None]:
        lost = self._machines[peer].lost
        return lambda now_ms: self._do(peer, now_ms, lambda at_ms: lost(_node_id(number), at_ms), read=True)

    def _alive(self, number: int, now_ms: float) -> bool:
        dies_ms = self._rooms[number].dies_ms
        return dies_ms is None or now_ms < dies_ms

    def _do(self, number: int, now_ms: float, act: Callable[[float], list[Effect]], *, read: bool = False) -> None:
        """`read` from a link: after a sleep that comes last."""
        begins_ms, ends_ms = self._rooms[number].sleeps_ms or (0.0, 0.0)
        awake_ms = ends_ms + 1.0 + read
        if begins_ms < ends_ms and begins_ms <= now_ms <= awake_ms:
            later_ms = awake_ms + (now_ms - begins_ms + 1.0) * 1e-9  # in their order
            self._at(later_ms, lambda at_ms: self._do(number, at_ms, act))
        elif self._alive(number, now_ms):
            for effect in act(now_ms):
                self._carry_out(number, now_ms, effect)
            due_ms = self._machines[number].due_ms()
            if due_ms is not None and due_ms < self._wanted.get(number, END_MS):
                self._wanted[number] = due_ms
                self._at(max(due_ms, now_ms), lambda at_ms: self._tick(number, at_ms))

    def _tick(self, number: int, now_ms: float) -> None:
        self._wanted.pop(number, None)
        self._do(number, now_ms, self._machines[number].tick)

    def _carry_out(self, number: int, now_ms: float, effect: Effect) -> None:
        outcome, room = self.outcome, self._rooms[number]
        match effect:
            case Send(message, to):
                for peer in range(len(self._rooms)):
                    if peer != number and to in (None, _node_id(peer)):
                        self._send(number, peer, message, now_ms)
            case Chimes(_, True):
                outcome.chimed.append(number)
                outcome.chime_ms[number] = now_ms - (room.hears_ms or 0.0)
            case Answers(_, answers):
                (outcome.answered.append if answers else outcome.refused.add)(number)
                outcome.waited_ms[number] = now_ms - room.text_ms
            case Settled():
                outcome.settled.append((number, effect))

    def _send(self, number: int, peer: int, message: Message, now_ms: float) -> None:
        pair = (min(number, peer), max(number, peer))
        takes_ms = self._links.least_ms + self._delays[pair] + self._random.uniform(0, self._links.jitter_ms)
        lost = self._random.random() < self._links.loss
        self.outcome.sent.append((number, peer, message))
        if not lost and frozenset(pair) not in self._links.cuts:
            machine, me = self._machines[peer], _node_id(number)
            self._at(
                now_ms + takes_ms,
                lambda at_ms: self._do(peer, at_ms, lambda then_ms: machine.received(me, message, then_ms), read=True),
            )

    def _pairs(self) -> Iterable[frozenset[int]]:
        count = len(self._rooms)
        return (frozenset((one, other)) for one in range(count) for other in range(one + 1, count))

    def _at(self, at_ms: float, happen: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at_ms, self._number, happen))


def run_trial(rooms: Sequence[Room], links: Links, seed: int, make: Make = Claims) -> Outcome:
    return Trial(rooms, links, seed, make).run()


def draw_rooms(seed: int, count: int, spread_ms: float = 250.0) -> list[Room]:
    """One person, heard by all: each at its own moment, as loud and as well as it happens."""
    chance = random.Random(seed)  # nosec B311
    spoken_ms = chance.uniform(1_500, 4_000)
    return [
        Room(
            hears_ms=chance.uniform(0, spread_ms),
            confirmed_after_ms=chance.uniform(0, 150),
            snr_step=chance.randrange(0, 10),
            text=chance.choice(HEARD_AS),
            text_ms=spoken_ms + chance.uniform(0, 600),
        )
        for _ in range(count)
    ]


def second_person(rooms: Sequence[Room], seed: int) -> list[Room]:
    """Some of the rooms, never all, hear somebody else say something else."""
    chance = random.Random(seed)  # nosec B311
    near = chance.sample(range(len(rooms)), chance.randint(1, len(rooms) - 1))
    return [replace(room, text=OTHER_REQUEST) if number in near else room for number, room in enumerate(rooms)]


def _node_id(number: int) -> bytes:
    return bytes([number + 1]) * 16


def _wake(number: int) -> bytes:
    return bytes([number + 1]) * 8
