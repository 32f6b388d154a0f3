"""A proxy for a small board: one core, a quarter of its time, by a control group where one can be made, else by
stopping the processes three quarters of each 40 ms. The core is still a fast one with its caches: a proxy, no board."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from jarvis.testing.processes import descendants

QUOTA = 0.25
PERIOD_S = 0.04
GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def quarter_of_a_core(pid: int) -> Iterator[str]:
    """The process and all below it, also those it starts meanwhile. Gives how it is done, for the label."""
    for one in {pid, *descendants(pid)}:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(one, {0})
    group = _group()
    if group is None:
        with _duty_cycle(pid):
            yield "stopped three quarters of the time"
        return
    try:
        for one in {pid, *descendants(pid)}:
            with contextlib.suppress(OSError):
                (group / "cgroup.procs").write_text(str(one))
        yield "control group"
    finally:
        parent = group.parent / "cgroup.procs"
        for name in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                parent.write_text(name)
        for one in {pid, *descendants(pid)}:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(one, range(os.cpu_count() or 1))
        group.rmdir()


def _group() -> Path | None:
    """A new control group with the quota; None where that is not ours to make."""
    period_us = 50_000
    for folder, name, text in (
        (GROUPS / "cpu", "cpu.cfs_quota_us", str(int(QUOTA * period_us))),
        (GROUPS, "cpu.max", f"{int(QUOTA * period_us)} {period_us}"),
    ):
        group = folder / f"jarvis-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if name == "cpu.cfs_quota_us":
                (group / "cpu.cfs_period_us").write_text(str(period_us))
            (group / name).write_text(text)
            return group
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
    return None


@contextlib.contextmanager
def _duty_cycle(pid: int) -> Iterator[None]:
    over = threading.Event()

    def tell(number: signal.Signals) -> None:
        for one in {pid, *descendants(pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    def run() -> None:
        while not over.is_set():
            tell(signal.SIGSTOP)
            time.sleep(PERIOD_S * (1 - QUOTA))
            tell(signal.SIGCONT)
            time.sleep(PERIOD_S * QUOTA)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        tell(signal.SIGCONT)
