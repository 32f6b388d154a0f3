"""scripts/sim --seeds N --nodes M [--seed S] [--faults KIND,...] [--json]

Exit code 0 when every home kept its promise, 1 at the first that did not (with its seed and a shrunk history), 130
when interrupted (with what was done until then)."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from jarvis.testing.history import ALL_FAULTS, draw_history
from jarvis.testing.oracle import CRASHED, DIVERGED, LOST
from jarvis.testing.simulation import Report, shrink, simulate
from sims.arguments import positive, several

CHUNK = 4
"""Seeds that a process takes at once: a second's work."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/sim", description="Run simulated homes under every fault.")
    parser.add_argument("--seeds", type=positive, default=100, help="how many homes")
    parser.add_argument("--nodes", type=several, default=5, help="nodes in each, at least 2")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; one seed replays exactly")
    parser.add_argument("--faults", type=_kinds, default=ALL_FAULTS, help=f"of {','.join(ALL_FAULTS)}; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    sys.exit(Campaign(arguments.nodes, arguments.faults, as_json=arguments.json).run(arguments.seed, arguments.seeds))


class Campaign:
    """Many seeds, on all cores."""

    def __init__(self, nodes: int, faults: Sequence[str], *, as_json: bool) -> None:
        self._nodes = nodes
        self._faults = faults
        self._as_json = as_json
        self._console = Console(stderr=True)
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._failed: Report | None = None
        self._began_s = time.monotonic()

    def run(self, first: int, count: int) -> int:
        interrupted = False
        try:
            with Progress(
                *Progress.get_default_columns()[:2],
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                disable=not self._console.is_terminal,
            ) as progress:
                bar = progress.add_task("homes", total=count)
                for report in self._reports(range(first, first + count)):
                    self._add(report)
                    progress.advance(bar)
                    if report.failure is not None:
                        self._failed = report
                        break
        except KeyboardInterrupt:
            interrupted = True
        self._show()
        return 130 if interrupted else int(self._failed is not None)

    def _reports(self, seeds: Sequence[int]) -> Iterator[Report]:
        work = partial(simulate, nodes=self._nodes, faults=self._faults)
        workers = min(os.cpu_count() or 1, len(seeds))
        if workers == 1:
            yield from map(work, seeds)
            return
        # Ctrl-C is for this process; leaving the block ends the others.
        with multiprocessing.get_context("spawn").Pool(workers, _ignore_interrupts) as pool:
            yield from pool.imap(work, seeds, chunksize=CHUNK if len(seeds) > CHUNK * workers else 1)

    def _add(self, report: Report) -> None:
        self._counts += report.faults
        self._totals.update(seeds=1, writes=report.writes, records=report.records, frames=report.frames)
        self._totals["homes with a fork"] += report.forked > 0
        if report.failure is not None:
            self._totals[report.failure.kind] += 1

    def _show(self) -> None:
        seconds = time.monotonic() - self._began_s
        found = {
            "seeds": self._totals["seeds"],
            "nodes": self._nodes,
            "faults": dict(sorted(self._counts.items())),
            "diverged": self._totals[DIVERGED],
            "lost": self._totals[LOST],
            "crashed": self._totals[CRASHED],
            "writes": self._totals["writes"],
            "records": self._totals["records"],
            "forked": self._totals["homes with a fork"],
            "seconds": round(seconds, 3),
        }
        if self._failed is not None and self._failed.failure is not None:
            found |= {"seed": self._failed.seed, "reason": self._failed.failure.reason}
            self._console.print("It failed; looking for a shorter history.", markup=False)
            found["history"] = [str(step) for step in self._shrunk(self._failed)]
        if self._as_json:
            print(json.dumps(found))
        else:
            _print(found)

    def _shrunk(self, report: Report) -> Sequence[object]:
        steps = draw_history(report.seed, self._nodes, self._faults)
        try:
            return shrink(report.seed, self._nodes, steps)
        except KeyboardInterrupt:
            return steps


def _print(found: dict[str, object]) -> None:
    seeds, seconds = found["seeds"], found["seconds"]
    assert isinstance(seeds, int) and isinstance(seconds, float)
    faults, history = found["faults"], found.get("history")
    print(f"{seeds} homes of {found['nodes']} nodes in {seconds:.1f} s: {seeds / max(seconds, 1e-9):.1f} seeds/s")
    print(f"{found['writes']} writes, {found['records']} records, {found['forked']} homes with a fork")
    assert isinstance(faults, dict)
    for kind, count in faults.items():
        print(f"  {count:>8}  {kind}")
    print(f"diverged {found['diverged']}, lost {found['lost']}, crashed {found['crashed']}")
    if isinstance(history, list):
        print(f"\nseed {found['seed']}: {found['reason']}\n")
        print("\n".join(history))
        print(f"\nAgain: scripts/sim --seeds 1 --nodes {found['nodes']} --seed {found['seed']}")


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(one for one in text.split(",") if one)
    if unknown := set(kinds) - set(ALL_FAULTS):
        raise argparse.ArgumentTypeError(f"there is no fault {sorted(unknown)[0]!r}")
    return kinds


if __name__ == "__main__":
    main()
