"""mute: whether this node may hear."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import say
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def mute() -> None:
    """Whether this node may hear."""


@mute.command()
@click.pass_obj
def on(state: State) -> None:
    """Close this node's microphone until it is unmuted, across restarts."""
    _show(state, state.client().put("/api/v2/mute", {"muted": True}))


@mute.command()
@click.pass_obj
def off(state: State) -> None:
    """Let this node hear again."""
    _show(state, state.client().put("/api/v2/mute", {"muted": False}))


@mute.command()
@click.pass_obj
def status(state: State) -> None:
    """Show whether this node is muted, and whether its microphone is open."""
    _show(state, state.client().get("/api/v2/mute"))


def _show(state: State, found: dict[str, Any]) -> None:
    sentence = "Muted" if found["muted"] else "Not muted"
    state.show(found, lambda: say(f"{sentence}: the microphone is {found['microphone']}."))
