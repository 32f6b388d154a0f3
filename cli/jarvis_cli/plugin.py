"""plugin: what others have added to this node."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import fields, say, table
from jarvis_cli.state import Group, State

LOADING_S = 60.0
"""A plugin may take twenty seconds to load, and another may be loading."""


@click.group(cls=Group)
def plugin() -> None:
    """What others have added to this node: look, and switch on and off."""


@plugin.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the plugins: those that are built in, installed, or in the node's own folder."""
    rows = state.client().get("/api/v2/plugins")
    columns = ("name", "version", "source", "state", "summary", "problem")
    state.show(rows, lambda: table(rows, columns, empty="There are no plugins."))


@plugin.command()
@click.argument("name")
@click.pass_obj
def info(state: State, name: str) -> None:
    """Show one plugin: what it is, where it lies, what it gives, and what is wrong with it."""
    row = state.client().get(_path(name))
    state.show(row, lambda: fields(row))


@plugin.command()
@click.argument("name")
@click.pass_obj
def enable(state: State, name: str) -> None:
    """Run a plugin's code in this node, now and at every start."""
    row = _switch(state, name, True)
    given = "; ".join(f"{kind} {', '.join(names)}" for kind, names in row["gives"].items())
    state.show(row, lambda: say(f"{row['name']} is {row['state']}. It gives {given or 'nothing'}."))


@plugin.command()
@click.argument("name")
@click.pass_obj
def disable(state: State, name: str) -> None:
    """Use nothing more of a plugin, now and at every start."""
    row = _switch(state, name, False)
    state.show(row, lambda: say(f"{row['name']} is off."))


def _switch(state: State, name: str, enabled: bool) -> dict[str, Any]:
    row = state.client().put(_path(name), {"enabled": enabled}, deadline_s=LOADING_S)
    assert isinstance(row, dict)
    return row


def _path(name: str) -> str:
    from jarvis.api.client import segment

    return f"/api/v2/plugins/{segment(name)}"
