"""What befalls a simulated home: a list of steps, drawn from one seed before anything runs, so that it can be printed,
replayed and made shorter. Each seed leaves some kinds of faults out, for what one fault hides another must not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

LENGTH_MS = 40_000
SESSIONS, KEYS, DELETABLE = 4, 4, 6
FOREVER_MS = 10.0**9
"""Until healing."""
CLOCKS_MS = (-3_600_000, 3_600_000, -50_000, 50_000, -56 * 365 * 86_400_000, 0)
"""An hour back or ahead, within the 60 s that a clock may follow and beyond, 1970."""


class Step(NamedTuple):
    at_ms: float
    kind: str
    node: int
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.at_ms:8.1f} ms  {self.kind:<16} node {self.node}  {' '.join(map(str, self.args))}".rstrip()


Draw = Callable[[random.Random, int], tuple[Any, ...]]
"""Arguments of a step, given how many nodes there are."""


def _other(rng: random.Random, nodes: int) -> int:
    """A distance to another node; the step adds it to its own number, modulo the nodes."""
    return rng.randrange(1, nodes)


WRITES: dict[str, Draw] = {
    "put": lambda rng, _: (rng.randrange(KEYS), rng.randrange(10)),
    "unset": lambda rng, _: (rng.randrange(KEYS),),
    "remember": lambda rng, _: (rng.randrange(KEYS), rng.randrange(10)),
    "file": lambda rng, _: (rng.randrange(KEYS), rng.randrange(5)),
    "count": lambda rng, _: (rng.randrange(KEYS), rng.choice([1, 1, 7, -3])),
    "edit": lambda rng, _: (rng.random(), rng.choice(["milk ", "\U0001f95a", "a", "eggs and more"])),
    "log": lambda rng, _: (rng.randrange(1_000),),
    "turn": lambda rng, _: (rng.randrange(SESSIONS), rng.randrange(1_000)),
    "reply": lambda rng, _: (rng.randrange(SESSIONS), rng.randrange(1_000)),
    "add": lambda rng, _: (rng.randrange(DELETABLE),),
    "delete": lambda rng, _: (rng.randrange(DELETABLE),),
    "burst": lambda rng, _: (rng.randrange(2, 9),),
}
FAULTS: dict[str, Draw] = {
    "crash": lambda rng, _: (rng.choice([50.0, 1_000.0, 12_000.0]), rng.random() < 0.5),
    "crash_in_commit": lambda rng, _: (rng.randrange(1, 5), rng.choice(["before", "after"])),
    "disk_full": lambda rng, _: (rng.choice([300.0, 6_000.0]),),
    "disk_slow": lambda rng, _: (rng.choice([10.0, 200.0]),),
    "cut": lambda rng, nodes: (_other(rng, nodes), rng.choice([800.0, 9_000.0, FOREVER_MS])),
    "cut_one_way": lambda rng, nodes: (_other(rng, nodes), rng.choice([800.0, 9_000.0, FOREVER_MS])),
    "isolate": lambda rng, _: (rng.choice([2_000.0, 15_000.0, FOREVER_MS]),),
    "break": lambda rng, nodes: (_other(rng, nodes),),
    "slow_link": lambda rng, nodes: (_other(rng, nodes), rng.choice([20.0, 1_000.0])),
    "repeat": lambda rng, nodes: (_other(rng, nodes), rng.randrange(1, 6)),
    "clock": lambda rng, _: (rng.choice(CLOCKS_MS),),
    "restore": lambda rng, _: (rng.choice([500.0, 8_000.0]),),
    "horizon": lambda rng, _: (rng.random() < 0.4,),
    "clone": lambda rng, _: (rng.choice([3_000.0, 15_000.0]), rng.randrange(0, 4)),
}


LIES = ("fork", "backdate", "invalid", "claim", "forge", "orphan")
"""What a member may tell against the rules; `lies.py` says how."""
ONCE = ("remove", "handover", "recover")
"""In a history, at most."""
ALL_FAULTS = (*FAULTS, *ONCE, "lie")
"""And one member at most lies."""


def draw_history(seed: int, nodes: int, faults: Sequence[str] = ALL_FAULTS) -> list[Step]:
    """The steps of one seed, in order of time. The last node is admitted late in half of them; some node is
    removed, the home handed over, or recovered, in two of five each; a member lies in three of ten."""
    rng = random.Random(f"{seed}/history")  # nosec B311 - a simulation's faults
    chosen = [kind for kind in faults if kind in FAULTS and rng.random() < 0.6]
    steps = [_step(rng, rng.choice(list(WRITES)), WRITES, nodes) for _ in range(rng.randrange(20, 80))]
    if chosen:
        steps += [_step(rng, rng.choice(chosen), FAULTS, nodes) for _ in range(rng.randrange(4, 24))]
    # A restore needs a copy that was made before it.
    steps += [Step(step.at_ms * rng.random(), "copy", step.node) for step in steps if step.kind == "restore"]
    if nodes > 2 and rng.random() < 0.5:
        steps.append(Step(rng.uniform(0, LENGTH_MS), "admit", nodes - 1))
    if nodes > 2 and "remove" in faults and rng.random() < 0.4:
        steps.append(Step(rng.uniform(0, LENGTH_MS), "remove", rng.randrange(1, nodes)))
    if "lie" in faults and rng.random() < 0.3:
        liar = rng.randrange(nodes)
        for _ in range(rng.randrange(1, 7)):
            steps.append(Step(rng.uniform(0, LENGTH_MS), "lie", liar, (rng.choice(LIES), rng.randrange(10**6))))
    return sorted([*steps, *_owners(rng, nodes, faults, steps)])


def _owners(rng: random.Random, nodes: int, faults: Sequence[str], steps: Sequence[Step]) -> list[Step]:
    """Changes of the owner. Never to the node that is removed, which nobody would listen to any more; and no recovery
    where there are horizons, which belong to the branch that would lose."""
    removed = {step.node for step in steps if step.kind == "remove"}
    able = [number for number in range(nodes) if number not in removed]
    kinds = {"handover": nodes > 1, "recover": not any(step.kind == "horizon" for step in steps)}
    return [
        Step(rng.uniform(0, LENGTH_MS), kind, rng.choice(able))
        for kind, possible in kinds.items()
        if kind in faults and possible and rng.random() < 0.4
    ]


def _step(rng: random.Random, kind: str, kinds: dict[str, Draw], nodes: int) -> Step:
    return Step(rng.uniform(0, LENGTH_MS), kind, rng.randrange(nodes), kinds[kind](rng, nodes))
