"""engine: the models at work, each in its own process."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import say, table
from jarvis_cli.state import Group, State

LOADING_S = 120.0
"""A model may take a minute to load, and somebody else's call may have to end first."""


@click.group(cls=Group)
def engine() -> None:
    """The models at work: how they are, and starting one again."""


@engine.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the engines, what they hold and how they are."""
    rows = state.client().get("/api/v2/engines")
    columns = ("name", "kind", "state", "pid", "memory", "restarts", "breaker", "detail")
    state.show(rows, lambda: table([row | {"memory": _megabytes(row)} for row in rows], columns, empty="None."))


@engine.command()
@click.argument("name")
@click.pass_obj
def restart(state: State, name: str) -> None:
    """End an engine, whatever it is doing, and load it again."""
    from jarvis.api.client import segment

    row = state.client().post(f"/api/v2/engines/{segment(name)}/restart", deadline_s=LOADING_S)
    state.show(row, lambda: say(f"{row['name']} is {row['state']} again, in process {row['pid']}."))


def _megabytes(row: dict[str, Any]) -> str:
    return f"{row['rss_bytes'] / 1e6:.0f} MB" if row["rss_bytes"] else ""
