"""quarantine: what is kept and does not count, and why."""

from __future__ import annotations

import textwrap

import click

from jarvis_cli.output import table
from jarvis_cli.state import Command, State

CONTENT_CHARS = 80
"""Of a table's line; --json shows more."""


@click.command(cls=Command)
@click.pass_obj
def quarantine(state: State) -> None:
    """What is kept and does not count, and why: set aside, not valid, or of a newer Jarvis."""
    rows = state.client().get("/api/v2/quarantine")
    columns = ("node_id", "seq", "document", "reason", "content")
    shown = [{**row, "content": textwrap.shorten(row["content"], CONTENT_CHARS, placeholder=" ...")} for row in rows]
    state.show(rows, lambda: table(shown, columns, empty="Nothing was set aside."))
