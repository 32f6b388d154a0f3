"""A home of whole nodes on simulated disks and wires, in virtual time, from one seed:

    report = simulate(seed=7, nodes=5)          a history drawn from the seed
    report = replay(seed=7, nodes=5, steps)     these steps instead
    steps = shrink(7, 5, steps)                 fewer of them that still fail

The same seed and steps give the same report in every process, to the last frame.
"""

from __future__ import annotations

import hashlib
import random
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.store.memory import MemoryStore
from jarvis.testing.history import ALL_FAULTS, LENGTH_MS, Step, draw_history
from jarvis.testing.home import OWNER_SEED, RECOVERY_SEED, START_MS
from jarvis.testing.lies import LIES, Liar
from jarvis.testing.machine import Machine
from jarvis.testing.oracle import CRASHED, DIVERGED, Failure, Witness, judge
from jarvis.testing.owners import Owners
from jarvis.testing.timeline import Timeline
from jarvis.testing.wires import Wires
from jarvis.testing.writers import WRITERS

SETTLE_MS, SETTLE_STEP_MS = 180_000.0, 500.0
"""How long a healed home may take: links are noticed dead after 22.5 s, and a peer rests 16 s at most."""
LINGER_MS, QUIET_MS = 5_000.0, 20_000.0
"""What was under way when the home settled may still arrive; a peer that brings nothing is asked again within 16 s."""
MAX_TRIES = 400
"""Of the shrinker."""


@dataclass(frozen=True, slots=True)
class Report:
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    """Those that took effect, by kind."""
    writes: int = 0
    frames: int = 0
    records: int = 0
    forked: int = 0
    """Authors that wrote two histories, as a restored or cloned disk may."""
    failure: Failure | None = None
    trace: str = ""
    """Equal where every frame arrived at the same time in the same order."""


class Simulation:
    """One home. `apply` a step, `run` for a while, at last `heal` and ask `judge`. With `late`, the last node is not a
    member until an `admit` step."""

    def __init__(self, seed: int, nodes: int, *, late: bool = False) -> None:
        assert nodes >= 2
        self.nodes = nodes
        self.timeline = Timeline()
        self.faults: Counter[str] = Counter()
        self.writes = 0
        self.machines: list[Machine] = []
        self.witness = Witness(self.machines)
        self._seed = str(seed)
        self._wires = Wires(self.timeline, self._seed, self.machines)
        self._copies: dict[int, MemoryStore] = {}
        self._clones: list[Machine] = []
        owner, recovery = SigningKey(OWNER_SEED), SigningKey(RECOVERY_SEED)
        self._owners = Owners(self._seed, recovery)
        for number in range(nodes):
            self._make(_key(number))
        chain = Chain.found(
            owner,
            recovery.public,
            self.machines[0].certificate,
            nonce=hashlib.sha256(self._seed.encode()).digest()[:16],
            at_ms=START_MS,
        )
        founders = self.machines[:-1] if late else self.machines
        for machine in founders[1:]:
            chain = chain.admit(owner, machine.certificate, at_ms=START_MS)
        for machine in founders:
            self._join(machine, chain)
        self._owners.found(self.machines[0], owner)

    def _make(self, key: SigningKey) -> Machine:
        machine = Machine(len(self.machines), key, self.timeline, self._seed, self._wires, self._count)
        self.machines.append(machine)
        machine.watched = self.witness.look_at
        return machine

    def _join(self, machine: Machine, chain: Chain) -> None:
        machine.store.transact(lambda tx: machine.replica.found(tx, chain))
        machine.boot()
        self._wires.joined(machine)

    def _count(self, kind: str) -> None:
        self.faults[kind] += 1

    # --- time ---------------------------------------------------------------------------------------------------

    def run(self, ms: float) -> None:
        self.timeline.run_until(self.timeline.now_ms + ms)

    def heal(self) -> bool:
        """End all faults and let the home settle; whether it did."""
        self._wires.heal()
        for clone in self._clones:
            self._end(clone)
        for machine in self.machines[: self.nodes]:
            machine.disk.full, machine.disk.slowness = False, 1.0
            machine.disk.disarm()
            if machine.is_member:
                machine.boot()
        deadline_ms = self.timeline.now_ms + SETTLE_MS
        while self.timeline.now_ms < deadline_ms:
            self.run(SETTLE_STEP_MS)
            living = self.living()
            known = living[0].known()
            if all(machine.known() == known and not machine.disk.waiting for machine in living):
                return True
        return False

    def is_quiet(self) -> bool:
        """Whether a home that has settled stops asking for records that nobody lacks."""
        self.run(LINGER_MS)
        before = sum(machine.records_sent for machine in self.living())
        self.run(QUIET_MS)
        return sum(machine.records_sent for machine in self.living()) == before

    def living(self) -> list[Machine]:
        """Members that are there once all is healed, dark or not now: of the chain that stands against all others. Who
        was admitted by a disk that is older again since, before anybody else heard of it, is a stranger to them all."""
        holding = [one for one in self.machines[: self.nodes] if one.is_member]
        joined = [one for one in holding if any(other.welcomes(one.node_id) for other in holding if other is not one)]
        chain = joined[0].bounds().chain
        for one in joined:
            theirs = one.bounds().chain
            chain = theirs if theirs.supersedes(chain) else chain
        return [one for one in joined if one.node_id in chain.members]

    def judge(self) -> Failure | None:
        return judge(self.witness, self.living())

    # --- steps --------------------------------------------------------------------------------------------------

    def apply(self, kind: str, number: int, args: tuple[Any, ...] = ()) -> None:
        """One step at this moment; without effect where it has none, as a write on a dark node."""
        machine = self.machines[number]
        write = WRITERS.get(kind)
        if write is not None:
            if machine.up:
                self.writes += 1
                write(machine, *args)
        elif getattr(self, f"_do_{kind}")(machine, *args) and kind in ALL_FAULTS:
            self._count(kind)

    def _peer(self, machine: Machine, distance: int) -> Machine:
        return self.machines[(machine.number + distance) % self.nodes]

    def _do_crash(self, machine: Machine, down_ms: float, said_goodbye: bool) -> bool:
        was_up = machine.up
        machine.crash(down_ms, said_goodbye=said_goodbye)
        return was_up

    def _do_crash_in_commit(self, machine: Machine, commits: int, where: str) -> bool:
        machine.disk.arm(commits, where)
        return False  # counted when it strikes

    def _do_disk_full(self, machine: Machine, for_ms: float) -> bool:
        machine.disk.full = True
        self.timeline.call_after(for_ms, lambda: setattr(machine.disk, "full", False))
        return True

    def _do_disk_slow(self, machine: Machine, factor: float) -> bool:
        machine.disk.slowness = factor
        return True

    def _do_cut(self, machine: Machine, distance: int, for_ms: float) -> bool:
        peer = self._peer(machine, distance)
        self._wires.cut(machine.number, peer.number, for_ms)
        self._wires.cut(peer.number, machine.number, for_ms)
        return True

    def _do_cut_one_way(self, machine: Machine, distance: int, for_ms: float) -> bool:
        self._wires.cut(machine.number, self._peer(machine, distance).number, for_ms)
        return True

    def _do_isolate(self, machine: Machine, for_ms: float) -> bool:
        for distance in range(1, self.nodes):
            self._do_cut(machine, distance, for_ms)
        return True

    def _do_break(self, machine: Machine, distance: int) -> bool:
        return self._wires.break_link(machine, self._peer(machine, distance))

    def _do_slow_link(self, machine: Machine, distance: int, factor: float) -> bool:
        peer = self._peer(machine, distance)
        self._wires.slow_down(machine.number, peer.number, factor)
        self._wires.slow_down(peer.number, machine.number, factor)
        return True

    def _do_repeat(self, machine: Machine, distance: int, frames: int) -> bool:
        self._wires.repeat(machine.number, self._peer(machine, distance).number, frames)
        return True

    def _do_clock(self, machine: Machine, skew_ms: int) -> bool:
        machine.skew_ms = skew_ms
        return True

    def _do_copy(self, machine: Machine) -> bool:
        if machine.up:
            self._copies[machine.number] = machine.store.copy()
        return machine.up

    def _do_restore(self, machine: Machine, down_ms: float) -> bool:
        if not machine.up or machine.number not in self._copies:
            return False
        self.witness.look()
        machine.crash(down_ms)
        machine.restore(self._copies[machine.number])
        return True

    def _do_clone(self, machine: Machine, for_ms: float, writes: int) -> bool:
        """Run a copy of its disk beside it, with the same key."""
        if not machine.up:
            return False
        clone = self._make(machine.key)
        self._clones.append(clone)
        clone.restore(machine.store)
        clone.boot()
        self._wires.joined(clone)
        for count in range(writes):
            self.timeline.call_after(
                for_ms * (count + 1) / (writes + 1),
                lambda count=count: self.apply("log", clone.number, (count,)),  # type: ignore[misc]
            )
        self.timeline.call_after(for_ms, lambda: self._end(clone))
        return True

    def _end(self, clone: Machine) -> None:
        """Clone and disk are thrown away."""
        if clone.up:
            self.witness.look()
        clone.crash(float("inf"))
        clone.acknowledged.clear()

    def _do_admit(self, machine: Machine) -> bool:
        """The owner's node signs the admission; nothing happens while it is dark."""
        found = self._signer()
        if found is None or machine.is_member:
            return False
        owner, key = found

        def admitted(chain: Chain) -> None:
            if not machine.is_member:
                self.faults["admitted_late"] += 1
                self._join(machine, chain)

        owner.admit(key, machine.certificate, admitted)
        return True

    def _do_remove(self, machine: Machine) -> bool:
        found = self._signer()
        if found is not None and machine is not found[0] and found[0].welcomes(machine.node_id):
            found[0].remove(found[1], machine.node_id, lambda _: self._removed())
        return False  # counted when it is signed

    def _removed(self) -> None:
        self.witness.removed = True
        self._count("remove")

    def _do_lie(self, machine: Machine, name: str, salt: int) -> bool:
        if not machine.up:
            return False
        liar = Liar(machine, random.Random(f"{self._seed}/lie/{salt}"))  # nosec B311 - a simulation's lies
        if liar.peers:
            self.witness.lies[name] = machine.node_id
            LIES[name](liar)
        return bool(liar.peers)

    def _do_handover(self, machine: Machine) -> bool:
        found = self._signer()
        if found is not None:
            self._owners.hand_over(*found, machine, lambda _: self._count("handover"))
        return False  # counted when it is signed

    def _do_recover(self, machine: Machine) -> bool:
        if machine.up and machine.welcomes(machine.node_id):
            self._owners.recover(machine, lambda _: self._count("recover"))
        return False  # counted when it is signed

    def _signer(self) -> tuple[Machine, SigningKey] | None:
        """Who signs for the home, also with an older disk put back: another branch of the chain."""
        return self._owners.signer(self.machines[: self.nodes], replaced=True)

    def _do_horizon(self, machine: Machine, patient: bool) -> bool:
        """The owner's node proposes what all hold whom it is linked to; who is not linked is stale, unless it waits for
        them."""
        found = self._signer()
        if found is not None and found[0].sync is not None:
            owner, key = found
            assert owner.sync is not None
            linked = {name for name, peer in owner.sync.peers.items() if peer.ready}
            others = owner.bounds().chain.members.keys() - {owner.node_id}
            stale = set() if patient else others - linked
            owner.propose_horizon(key, stale, lambda: self._count("horizon"))
        return False  # counted when it is declared


def _key(number: int) -> SigningKey:
    return SigningKey(hashlib.sha256(f"node {number} of a simulated home".encode()).digest())


# --- whole histories --------------------------------------------------------------------------------------------


def simulate(seed: int, nodes: int, faults: Sequence[str] = ALL_FAULTS) -> Report:
    """The history that `seed` draws."""
    return replay(seed, nodes, draw_history(seed, nodes, faults))


def replay(seed: int, nodes: int, steps: Sequence[Step]) -> Report:
    """These steps, then healing, then judgement."""
    kinds = {step.kind for step in steps}
    simulation = Simulation(seed, nodes, late="admit" in kinds)
    try:
        for step in steps:
            simulation.timeline.run_until(step.at_ms)
            simulation.apply(step.kind, step.node, step.args)
        simulation.timeline.run_until(LENGTH_MS)
        settled = simulation.heal()
        failure = simulation.judge()
        if failure is None and not settled:
            failure = Failure(DIVERGED, "the home did not settle")
        if failure is None and not simulation.is_quiet():
            failure = Failure(DIVERGED, "a home that agrees goes on sending records")
    except Exception:  # whatever it is, it is what was looked for
        failure = Failure(CRASHED, traceback.format_exc(limit=-6))
    return _report(seed, simulation, failure)


def _report(seed: int, simulation: Simulation, failure: Failure | None) -> Report:
    unsynced = sum(machine.unsynced for machine in simulation.machines)
    if unsynced:
        simulation.faults["unsynced_lost"] = unsynced
    trace = hashlib.sha256(b"".join(machine.traced.digest() for machine in simulation.machines)).hexdigest()
    return Report(
        seed,
        simulation.faults,
        simulation.writes,
        simulation._wires.frames,
        len(simulation.witness.seen),
        len(simulation.witness.forked()),
        failure,
        trace,
    )


def shrink(seed: int, nodes: int, steps: Sequence[Step]) -> list[Step]:
    """Fewer steps that fail in the same way: drops ever smaller pieces for as long as that works. At most MAX_TRIES
    replays."""
    kept, tries = list(steps), 0
    first = replay(seed, nodes, kept).failure
    assert first is not None, "only a failing history can be shrunk"
    size = max(1, len(kept) // 2)
    while tries < MAX_TRIES:
        at, dropped = 0, False
        while at < len(kept) and tries < MAX_TRIES:
            fewer = kept[:at] + kept[at + size :]
            tries += 1
            failure = replay(seed, nodes, fewer).failure
            if failure is not None and failure.kind == first.kind:
                kept, dropped = fewer, True
            else:
                at += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2)
    return kept
