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
@click.option("--archived", is_flag=True, help="Those that were put away.")
@click.pass_obj
def listing(state: State, archived: bool) -> None:
    """List the sessions."""
    rows = state.client().get(PATH, archived=archived)
    columns = ("session_id", "title", "room", "turns", "updated_at", "private")
    shown = [{**row, "private": "on this node only" if row.get("private") else ""} for row in rows]
    state.show(rows, lambda: table(shown, columns, empty="Nobody has said anything yet."))


@session.command()
@click.argument("session_id", metavar="ID")
@click.pass_obj
def show(state: State, session_id: str) -> None:
    """Show a session's turns."""
    found = state.client().get(_path(session_id))

    def human() -> None:
        say(found["title"] + (" (private: on this node only)" if found.get("private") else ""), style="bold")
        for turn in found["turns"]:
            say(f"{when(turn['at'])}  {turn['room']}  {turn['role']}: {turn['text']}")

    state.show(found, human)


@session.command()
@click.option("--title", help="What it is called.")
@click.option("--private", is_flag=True, help="It never leaves this node.")
@click.pass_obj
def new(state: State, title: str | None, private: bool) -> None:
    """Begin a session."""
    made = state.client().post(PATH, {"title": title, "private": private})
    state.show(made, lambda: say(made["session_id"]))


@session.command()
@click.argument("session_id", metavar="ID")
@click.argument("title")
@click.pass_obj
def rename(state: State, session_id: str, title: str) -> None:
    """Call a session something else."""
    changed = state.client().patch(_path(session_id), {"title": title})
    state.show(changed, lambda: say(f"The session {changed['session_id'][:8]} is called {changed['title']}."))


@session.command()
@click.argument("session_id", metavar="ID")
@click.pass_obj
def archive(state: State, session_id: str) -> None:
    """Put a session away: nothing continues it by itself, and it is kept however old it becomes."""
    changed = state.client().patch(_path(session_id), {"archived": True})
    state.show(changed, lambda: say(f"Put away: {changed['title']}. `jarvis session list --archived` shows it."))


@session.command()
@click.argument("session_id", metavar="ID")
@click.pass_obj
def unarchive(state: State, session_id: str) -> None:
    """Take a session out again that was put away."""
    changed = state.client().patch(_path(session_id), {"archived": False})
    state.show(changed, lambda: say(f"Back in the list: {changed['title']}."))


@session.command()
@click.argument("session_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(state: State, session_id: str, yes: bool) -> None:
    """Delete a session for good: its words are erased on every node."""
    client = state.client()
    if not yes and not state.as_json:
        found = client.get(_path(session_id))
        title = plain(found["title"]) or found["session_id"]
        state.make_sure(f"Delete {title!r} for good, on every node?", yes=yes)
    gone = client.delete(_path(session_id))
    state.show(gone, lambda: say("Deleted. Nodes that are not connected erase it when they are again."))


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
