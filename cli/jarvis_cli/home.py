"""init, home: founding a home, and what it is."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import SHORT_ID, fields, say
from jarvis_cli.state import Command, Group, State

PATH = "/api/v2/home"
PHRASE_CHARS = 500


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
    found = state.client().get(PATH)
    horizon = found.get("horizon")
    shown = {**found, "horizon": _horizon_line(horizon) if horizon else "none yet"}
    state.show(found, lambda: fields(shown))


def _horizon_line(horizon: dict[str, Any]) -> str:
    """Up to where history was laid down, in a line."""
    stale = f"; not waited for: {', '.join(horizon['stale'])}" if horizon["stale"] else ""
    taken = "taken here" if horizon["taken"] else "being taken here"
    return f"{horizon['root'][:SHORT_ID]}, {taken}{stale}"


@home.command()
@click.argument("wanted", metavar="NODE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def handover(state: State, wanted: str, yes: bool) -> None:
    """Make another node the owner's, by its name or id. Run it on the owner's node."""
    state.make_sure(f"Hand the home over to {wanted}? Then only that node admits and removes.", yes=yes)
    done = state.client().post(PATH + "/handover", {"node": wanted})
    state.show(done, lambda: say(f"{done['owner_name']} is the owner's node now. The recovery phrase stays the same."))


@home.command()
@click.option("--stale", multiple=True, metavar="NODE", help="Do not wait for this node; may be given again.")
@click.pass_obj
def compact(state: State, stale: tuple[str, ...]) -> None:
    """Delete records that every node has, once all have agreed on what they came to. Run it on the owner's node."""
    done = state.client().post(PATH + "/horizon", {"stale": list(stale)})

    def human() -> None:
        if done["declared"]:
            say(f"{done['records_below']} records lie below the horizon, and are deleted on every node.")
            return
        say("The horizon is declared once these nodes have agreed; they are asked whenever they are linked:")
        for one in done["missing"]:
            say(f"  {one['name']}" + (f" ({one['reason']})" if one["reason"] else ""))
        say("A node that is gone for long need not be waited for: `jarvis home compact --stale NODE`.")

    state.show(done, human)


@home.command()
@click.argument("phrase", nargs=-1)
@click.pass_obj
def recover(state: State, phrase: tuple[str, ...]) -> None:
    """Make this node the owner's by the recovery phrase, when the owner's node is lost.

    It asks for the words when they are not given: on the command line they stay in the shell's history."""
    words = " ".join(phrase) or _asked()
    done = state.client().post(PATH + "/recovery", {"phrase": words})

    def human() -> None:
        say("This node is the owner's now. The old recovery phrase is void; the new one is shown only now:")
        say(done["recovery_phrase"], style="bold")
        say()
        say("The old owner's node is still a member: take it out with `jarvis node remove` if it is lost.")

    state.show(done, human)


def _asked() -> str:
    """From a person, or the first line of what is piped in."""
    import sys

    if sys.stdin.isatty():
        return str(click.prompt("The recovery phrase's twelve words", hide_input=True, err=True))
    return sys.stdin.readline(PHRASE_CHARS).strip()
