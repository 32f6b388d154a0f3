"""timer: timers that run."""

from __future__ import annotations

import click

from jarvis_cli.output import say, table
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def timer() -> None:
    """Timers that run."""


@timer.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the timers."""
    rows = state.client().get("/api/v2/timers")
    columns = ("timer_id", "name", "remaining_s", "rings_at", "node_id")
    state.show(rows, lambda: table(rows, columns, empty="No timer runs."))


@timer.command()
@click.argument("timer_id", metavar="ID")
@click.pass_obj
def cancel(state: State, timer_id: str) -> None:
    """Cancel a timer."""
    from jarvis.api.client import segment

    gone = state.client().delete(f"/api/v2/timers/{segment(timer_id)}")
    state.show(gone, lambda: say("Cancelled."))
