"""What rooms tell of their timers, what members write of them, and announcements, as targets for `fuzzing`: what is
understood goes on into the machine, which must bear whatever a peer says whenever it says it."""

from __future__ import annotations

from jarvis.assistant.wording.recurring import Recurrence
from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.node.timing import facts as timer_facts
from jarvis.node.timing import ring_words
from jarvis.node.timing.facts import Count, Timer
from jarvis.node.timing.ring_words import Statement, Told
from jarvis.node.timing.ringing import Now, Ringing
from jarvis.testing.fuzzing import Target

ME, PEER = b"m" * 16, b"p" * 16
WALL_MS = 1_800_000_000_000
STEP_MS = 1_000.0
PASTA = Timer(
    "pasta", PEER, 480_000, Count(1, 60_000, WALL_MS, PEER), added={b"12345678": 300_000, b"87654321": -1_000}
)
ALARM = Timer("", ME, 3_600_000, Count(0, 0, WALL_MS, ME, runs=False), alarm=True)
WEEKLY = Timer("bins", PEER, 3_600_000, Count(3, 0, WALL_MS, PEER), alarm=True, again=Recurrence(7, 30, ("tue", "fri")))


class _Machine:
    """Timers that some peer counts and rings, at another moment with every input."""

    def __init__(self) -> None:
        self._ringing = Ringing(ME)
        self._count = 0

    def __call__(self, data: bytes) -> None:
        statement = ring_words.decode(unpack(data, ring_words.LIMITS))
        assert ring_words.decode(unpack(pack(ring_words.encode(statement)), ring_words.LIMITS)) == statement
        self._count += 1
        now = Now(self._count * STEP_MS, WALL_MS + self._count * 1_000, {PEER: WALL_MS})
        self._ringing.know({"pasta": PASTA, "seven": ALARM}, now)
        self._ringing.heard(PEER, statement, now)
        assert len(self._ringing.look(now)) <= 4, "a ring or an end of each, and what is told"
        pause_ms = self._ringing.pause_ms(now)
        assert pause_ms is not None and 0 < pause_ms <= STEP_MS


def _timer(data: bytes) -> None:
    timer = timer_facts.decode(unpack(data))
    if timer is None:
        raise InvalidBytes("not a timer")
    assert timer_facts.decode(unpack(pack(timer_facts.encode(timer)))) == timer
    for other in (PASTA, WEEKLY):
        assert timer_facts.join([timer, other]) == timer_facts.join([timer, timer, other])
    if timer.again is not None:
        following = timer.next_round(timer.due_ms + 86_400_000)
        assert timer_facts.join([timer, following]) == following == timer_facts.join([following, timer])


def timer_targets() -> list[Target]:
    """Stateful ones are new with every call."""
    statements = [
        Statement(True),
        Statement(False, {"pasta": Told(1, 61_000, False), "other": Told(0, -1, False)}),
        Statement(True, {"pasta": Told(1, 900_000, True), "seven": Told(0, -1, True)}),
    ]
    return [
        Target("ring", _Machine(), lambda: [pack(ring_words.encode(one)) for one in statements]),
        Target("timer", _timer, lambda: [pack(timer_facts.encode(one)) for one in (PASTA, ALARM, WEEKLY)]),
    ]
