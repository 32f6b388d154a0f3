"""A benchmark's rows, and how they are shown: a table for people, one JSON object for programs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    measure: str
    value: float
    unit: str
    against: str = ""
    """What it is compared with, measured in the same run; "" for a plain figure."""
    ratio: float | None = None
    """value / what it is compared with."""
    aim: str = ""
    """In words, such as `<= 1.3`; "" where there is none."""
    ok: bool | None = None
    """Whether the aim is met; None without one."""


def row(measure: str, value: float, unit: str, *, against: str = "", other: float = 0.0, most: float | None = None,
        least: float | None = None) -> Row:  # fmt: skip
    """A row; with `other`, its ratio to that; with `most` or `least`, whether the ratio (or the value) keeps to it."""
    ratio = value / other if other else None
    judged = value if ratio is None else ratio
    aim, ok = "", None
    if most is not None:
        aim, ok = f"<= {most:g}", judged <= most
    elif least is not None:
        aim, ok = f">= {least:g}", judged >= least
    return Row(measure, round(value, 4), unit, against, None if ratio is None else round(ratio, 3), aim, ok)


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: `share` 0.95 for p95."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"


def commit() -> str:
    """The checkout's commit, with + when the tree differs from it; "unknown" outside a checkout."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        result = {"machine": machine(), "commit": commit(), "rows": [asdict(one) for one in rows]}
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{machine()}, commit {commit()}", title_justify="left")
    table.add_column("measure")
    for name in ("value", "unit", "against", "ratio", "aim", "met"):
        table.add_column(name, justify="right" if name in ("value", "ratio") else "left")
    for one in rows:
        table.add_row(
            one.measure,
            f"{one.value:,.6g}",
            one.unit,
            one.against,
            "" if one.ratio is None else f"{one.ratio:g}",
            one.aim,
            {True: "yes", False: "no", None: ""}[one.ok],
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """As it stands in docs/benchmarks.md."""
    lines = ["| measure | value | against | ratio | aim | met |", "|---|---:|---|---:|---|---|"]
    for one in rows:
        met = {True: "yes", False: "**no**", None: ""}[one.ok]
        aim = one.aim.replace("<", "&lt;").replace(">", "&gt;")
        value = f"{one.value:,.0f}" if one.value >= 999.5 else f"{one.value:.3g}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        lines.append(f"| {one.measure} | {value} {one.unit} | {one.against} | {ratio} | {aim} | {met} |")
    return "\n".join(lines)
