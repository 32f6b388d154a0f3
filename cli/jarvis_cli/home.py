"""init, home: founding a home, and what it is."""

from __future__ import annotations

import click

from jarvis_cli.output import fields, say
from jarvis_cli.state import Command, Group, State


@click.command(cls=Command)
@click.option("--name", help="What this node is called; default: its room.")
@click.option("--room", help="The room it stands in; default: its name.")
@click.option("--home-name", help="What the home is called.")
@click.pass_obj
def init(state: State, name: str | None, room: str | None, home_name: str | None) -> None:
    """Found a home with this node as its owner, and show the recovery phrase, once."""
    from jarvis.app import init_home
    from jarvis_cli.logs import set_up

    set_up("debug" if state.debug else "error")
    founded = init_home(state.data_dir, name, room, home_name)

    def human() -> None:
        fields(founded, ("name", "room", "node_id", "home_id"))
        say()
        say("The recovery phrase gets the home back when its owner's node is lost. It is shown only now:")
        say(founded["recovery_phrase"], style="bold")
        say()
        say("Start this node with `jarvis run`; let others join with `jarvis node invite`.")

    state.show(founded, human)


@click.group(cls=Group)
def home() -> None:
    """The home itself: what it is, and who owns it."""


@home.command()
@click.pass_obj
def info(state: State) -> None:
    """Show the home, and which node owns it."""
    found = state.client().get("/api/v2/home")
    state.show(found, lambda: fields(found))
