"""session: conversations, from every room."""

from __future__ import annotations

import click

from jarvis_cli.output import plain, say, table, when
from jarvis_cli.state import Group, State

PATH = "/api/v2/sessions"


@click.group(cls=Group)
def session() -> None:
    """Conversations, from every room."""


@session.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the sessions."""
    rows = state.client().get(PATH)
    columns = ("session_id", "title", "room", "turns", "updated_at")
    state.show(rows, lambda: table(rows, columns, empty="Nobody has said anything yet."))


@session.command()
@click.argument("session_id", metavar="ID")
@click.pass_obj
def show(state: State, session_id: str) -> None:
    """Show a session's turns."""
    found = state.client().get(_path(session_id))

    def human() -> None:
        say(found["title"], style="bold")
        for turn in found["turns"]:
            say(f"{when(turn['at'])}  {turn['room']}  {turn['role']}: {turn['text']}")

    state.show(found, human)


@session.command()
@click.option("--title", help="What it is called.")
@click.pass_obj
def new(state: State, title: str | None) -> None:
    """Begin a session."""
    made = state.client().post(PATH, {"title": title})
    state.show(made, lambda: say(made["session_id"]))


@session.command()
@click.argument("session_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["json", "md"]), default="json", show_default=True)
@click.pass_obj
def export(state: State, session_id: str, form: str) -> None:
    """Print a session as JSON or Markdown."""
    exported = state.client().get(_path(session_id) + "/export", format=form)
    if form == "json":
        click.echo(exported["text"])
    else:
        state.show(exported, lambda: click.echo(plain(exported["text"])))


def _path(session_id: str) -> str:
    from jarvis.api.client import segment

    return f"{PATH}/{segment(session_id)}"
