"""`sync status --watch`: the same question every second, as a table that stays in place or as a JSON line each time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jarvis_cli.output import console, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY_S = 1.0
_COLUMNS = ("name", "rtt ms", "lag ms", "behind", "ahead", "unacked", "waiting", "sent/s", "received/s")


def watch(ask: Callable[[], dict[str, Any]], *, as_json: bool) -> NoReturn:
    """Until Ctrl-C, or until the node is gone, which raises Unreachable."""
    if as_json:
        while True:
            click.echo(json.dumps(ask()))
            time.sleep(EVERY_S)
    from rich.live import Live

    before: dict[str, Any] = {}
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            found = ask()
            live.update(_drawn(found, before), refresh=True)
            if not sys.stdout.isatty():  # nothing stays in place in a pipe: one table after another
                console().print(_drawn(found, before))
            before = {peer["node_id"]: peer for peer in found["peers"]}
            time.sleep(EVERY_S)


def _drawn(found: dict[str, Any], before: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        drawn.add_column(column, justify="left" if column == "name" else "right")
    for peer in found["peers"]:
        drawn.add_row(*(Text(one) for one in _cells(peer, before.get(peer["node_id"], peer))))
    return Group(drawn, Text(f"{found['records']} records, {found['documents']} documents. Commits: {commits(found)}."))


def _cells(peer: dict[str, Any], before: dict[str, Any]) -> list[str]:
    if not peer["connected"]:
        return [plain(peer["name"]), "not connected"]
    rates = [_size(peer[field] - before[field]) for field in ("bytes_sent", "bytes_received")]
    waiting = f"{peer['outbox_frames']} out, {peer['store_jobs']} in"
    unacked = f"{peer['unacked_records']} ({_size(peer['unacked_bytes'])})"
    figures = [plain(peer[field]) for field in ("rtt_ms", "lag_ms", "behind", "ahead")]
    return [plain(peer["name"]), *figures, unacked, waiting, *rates]


def commits(found: dict[str, Any]) -> str:
    """A status's commit latency and rates, in words."""
    took, rate = found["commit"], found["records_per_s"]
    latency = f"p50 {plain(took['p50_ms'])} ms, p99 {plain(took['p99_ms'])} ms" if took["count"] else "none yet"
    return f"{latency}; {plain(rate['written'])} records/s written, {plain(rate['accepted'])} accepted"


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1024:.1f} KiB" if size_bytes >= 1024 else f"{size_bytes:.0f} B"
