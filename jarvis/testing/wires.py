"""The simulated wires of a simulation: connections as TCP gives them. A frame arrives whole and in order or its
connection ends; different connections overtake one another freely. What a cut holds back arrives when the cut heals in
time, as retransmission brings it, or is lost with the connection. A newer connection to a peer replaces the older one,
and one end may still believe in a connection that the other has forgotten."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from jarvis.testing.network import NOTICE_MS
from jarvis.testing.timeline import Timeline

DELAY_MS = (0.2, 4.0)
DIAL_EVERY_MS = (400.0, 2_500.0)
"""How often a pair without a connection tries again."""


class Machine(Protocol):
    """What a wire ends at."""

    number: int
    up: bool

    @property
    def node_id(self) -> bytes: ...

    def welcomes(self, node_id: bytes) -> bool: ...

    def linked(self, peer: bytes) -> None: ...

    def unlinked(self, peer: bytes) -> None: ...

    def receive(self, peer: bytes, frame: bytes) -> None: ...


class Wire:
    """One connection; side 0 dialled."""

    def __init__(self, machines: tuple[Machine, Machine]) -> None:
        self.machines = machines
        self.open = [True, True]
        self.under_way: tuple[deque[bytes | None], deque[bytes | None]] = (deque(), deque())
        """By sending side; None says goodbye."""
        self.due_ms = [0.0, 0.0]
        self.sent = [0, 0]


class Wires:
    """All connections among `machines`, which may grow."""

    def __init__(self, timeline: Timeline, seed: str, machines: Sequence[Machine]) -> None:
        self._timeline = timeline
        self._seed = seed
        self._machines = machines
        self._ends: dict[tuple[int, bytes], tuple[Wire, int]] = {}
        """(machine, peer's node id) -> its connection and the side it is on."""
        self._cuts: Counter[tuple[int, int]] = Counter()
        self._slowness: dict[tuple[int, int], float] = {}
        self._repeats: Counter[tuple[int, int]] = Counter()
        self._rngs: dict[tuple[int, int], random.Random] = {}
        self.frames = 0

    # --- what the machines do -----------------------------------------------------------------------------------

    def joined(self, machine: Machine) -> None:
        """A machine is there from now on: it and all others try to reach each other until the end."""
        for other in self._machines:
            if other.number < machine.number and other.node_id != machine.node_id:
                self._dial_later(other, machine)

    def post(self, machine: Machine, peer: bytes, frame: bytes) -> None:
        end = self._ends.get((machine.number, peer))
        if end is None:
            return
        wire, side = end
        pair = (machine.number, wire.machines[1 - side].number)
        # A first frame is never repeated: it is part of setting up a connection.
        copies = 1
        if wire.sent[side] and self._repeats[pair]:
            self._repeats[pair] -= 1
            copies = 2
        for _ in range(copies):
            self._send(wire, side, frame)

    def hang_up(self, machine: Machine, peer: bytes) -> None:
        """Close this machine's connection to a peer; the peer hears of it."""
        end = self._ends.get((machine.number, peer))
        if end is not None:
            self._close(*end)
            self._send(*end, None)

    def lost_power(self, machine: Machine, *, said_goodbye: bool) -> None:
        """A machine has stopped: peers notice at once when its kernel could still say so, else after a while."""
        for (number, _), (wire, side) in list(self._ends.items()):
            if number == machine.number:
                wire.open[side] = False
                del self._ends[number, wire.machines[1 - side].node_id]
                if said_goodbye:
                    self._send(wire, side, None)
                else:
                    self._timeline.call_after(NOTICE_MS, lambda wire=wire, side=side: self._close(wire, 1 - side))  # type: ignore[misc]

    # --- faults -------------------------------------------------------------------------------------------------

    def break_link(self, a: Machine, b: Machine) -> bool:
        """End their connection at both ends, if there is one; what was under way is lost."""
        end = self._ends.get((a.number, b.node_id))
        if end is None:
            return False
        wire, side = end
        for queue in wire.under_way:
            queue.clear()
        self._close(wire, side)
        self._close(wire, 1 - side)
        return True

    def cut(self, a: int, b: int, for_ms: float) -> None:
        """Nothing gets from a to b for a while."""
        self._cuts[a, b] += 1
        self._timeline.call_after(for_ms, lambda: self._heal(a, b))
        for wire, side in list(self._ends.values()):
            if {one.number for one in wire.machines} == {a, b} and side == 0:
                self._timeline.call_after(NOTICE_MS, lambda wire=wire: self._notice(wire, a, b))  # type: ignore[misc]

    def slow_down(self, a: int, b: int, factor: float) -> None:
        """From a to b; 1 is as usual."""
        self._slowness[a, b] = factor

    def repeat(self, a: int, b: int, frames: int) -> None:
        """The next frames from a to b arrive twice."""
        self._repeats[a, b] += frames

    def heal(self) -> None:
        """No fault of the wires any more."""
        self._slowness.clear()
        self._repeats.clear()
        for a, b in list(self._cuts):
            self._cuts[a, b] = 0
            self._flush(a, b)

    # --- within -------------------------------------------------------------------------------------------------

    def _rng(self, a: int, b: int) -> random.Random:
        """Each direction draws from its own source: dropping a step elsewhere does not change its delays."""
        if (a, b) not in self._rngs:
            self._rngs[a, b] = random.Random(f"{self._seed}/wire/{a}/{b}")  # nosec B311 - a simulation's delays
        return self._rngs[a, b]

    def _send(self, wire: Wire, side: int, frame: bytes | None) -> None:
        pair = (wire.machines[side].number, wire.machines[1 - side].number)
        delay_ms = self._rng(*pair).uniform(*DELAY_MS) * self._slowness.get(pair, 1.0)
        wire.due_ms[side] = max(self._timeline.now_ms + delay_ms, wire.due_ms[side])
        wire.under_way[side].append(frame)
        wire.sent[side] += 1
        self.frames += 1
        self._timeline.call_after(wire.due_ms[side] - self._timeline.now_ms, lambda: self._arrive(wire, side))

    def _arrive(self, wire: Wire, side: int) -> None:
        """The oldest frame under way arrives, unless a cut holds it back."""
        sender, receiver = wire.machines[side], wire.machines[1 - side]
        if not wire.under_way[side] or self._cuts[sender.number, receiver.number] > 0:
            return
        frame = wire.under_way[side].popleft()
        if not wire.open[1 - side]:
            return
        if frame is None:
            self._close(wire, 1 - side)
        else:
            receiver.receive(sender.node_id, frame)

    def _close(self, wire: Wire, side: int) -> None:
        """This side gives the connection up."""
        if not wire.open[side]:
            return
        wire.open[side] = False
        machine, peer = wire.machines[side], wire.machines[1 - side].node_id
        if self._ends.get((machine.number, peer)) == (wire, side):
            del self._ends[machine.number, peer]
            machine.unlinked(peer)

    def _notice(self, wire: Wire, a: int, b: int) -> None:
        if self._cuts[a, b] > 0:
            self._close(wire, 0)
            self._close(wire, 1)

    def _heal(self, a: int, b: int) -> None:
        if self._cuts[a, b] > 0:
            self._cuts[a, b] -= 1
            if not self._cuts[a, b]:
                self._flush(a, b)

    def _flush(self, a: int, b: int) -> None:
        """What a cut held back is sent again and arrives."""
        for wire, side in list(self._ends.values()):
            if (wire.machines[side].number, wire.machines[1 - side].number) == (a, b):
                for _ in wire.under_way[side]:
                    self._timeline.call_after(1.0, lambda wire=wire, side=side: self._arrive(wire, side))  # type: ignore[misc]

    def _dial_later(self, a: Machine, b: Machine) -> None:
        self._timeline.call_after(self._rng(a.number, b.number).uniform(*DIAL_EVERY_MS), lambda: self._dial(a, b))

    def _dial(self, a: Machine, b: Machine) -> None:
        """One of the two dials when it has no connection."""
        self._dial_later(a, b)
        missing = [(one.number, other.node_id) not in self._ends for one, other in ((a, b), (b, a))]
        cut = self._cuts[a.number, b.number] > 0 or self._cuts[b.number, a.number] > 0
        if not any(missing) or cut or not (a.up and b.up and a.welcomes(b.node_id) and b.welcomes(a.node_id)):
            return
        wire = Wire((a, b) if missing[0] else (b, a))
        for side, machine in enumerate(wire.machines):
            peer = wire.machines[1 - side].node_id
            older = self._ends.pop((machine.number, peer), None)
            if older is not None:
                older[0].open[older[1]] = False
                self._send(*older, None)
                machine.unlinked(peer)
            self._ends[machine.number, peer] = (wire, side)
        for side, machine in enumerate(wire.machines):
            machine.linked(wire.machines[1 - side].node_id)
