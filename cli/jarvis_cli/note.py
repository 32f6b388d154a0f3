"""note: notes and lists, edited together."""

from __future__ import annotations

import click

from jarvis_cli.output import plain, say, table
from jarvis_cli.state import Group, State

PATH = "/api/v2/notes"


@click.group(cls=Group)
def note() -> None:
    """Notes and lists, edited together."""


@note.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the notes."""
    rows = state.client().get(PATH)
    columns = ("note_id", "title", "updated_at")
    state.show(rows, lambda: table(rows, columns, empty="There is no note yet."))


@note.command()
@click.argument("note_id", metavar="ID")
@click.pass_obj
def show(state: State, note_id: str) -> None:
    """Show a note."""
    found = state.client().get(_path(note_id))
    state.show(found, lambda: click.echo(plain(found["text"])))


@note.command()
@click.argument("note_id", metavar="ID")
@click.argument("text")
@click.pass_obj
def add(state: State, note_id: str, text: str) -> None:
    """Add a line to a note, or begin it."""
    made = state.client().post(_path(note_id), {"text": text})
    state.show(made, lambda: say(f"Added to {made['note_id']}."))


@note.command()
@click.argument("note_id", metavar="ID")
@click.pass_obj
def edit(state: State, note_id: str) -> None:
    """Edit a note with $EDITOR. What others change meanwhile stays."""
    from jarvis.api.client import segment
    from jarvis.node.kept.differences import changes

    client = state.client()
    found = client.get(_path(note_id))
    base = found["text"]
    edited = _edited(base)
    made = changes(base, edited)
    if made:
        body = {"base": base, "edits": [one._asdict() for one in made]}
        found = client.post(f"{PATH}/{segment(found['note_id'])}/edits", body)
    state.show(found, lambda: say(f"Changed {found['note_id']}." if made else "Nothing was changed."))


def _edited(base: str) -> str:
    """What the editor leaves. Raises InvalidInput when it fails."""
    from jarvis.core.errors import InvalidInput

    try:
        edited = click.edit(base, extension=".txt")
    except click.ClickException as error:
        raise InvalidInput(error.format_message(), fix="Set EDITOR to an editor that runs here.") from None
    if edited is None:
        return base
    # Editors end a file with a line break; the note had none, so it was not meant.
    return edited if base.endswith("\n") else edited.removesuffix("\n")


def _path(note_id: str) -> str:
    from jarvis.api.client import segment
    from jarvis.core.errors import InvalidInput

    if not note_id:
        raise InvalidInput("A note's id has at least one letter.", fix="`jarvis note list` shows the notes there are.")
    return f"{PATH}/{segment(note_id)}"
