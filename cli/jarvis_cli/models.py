"""models: the model files, and fetching them. Needs no running node."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import table
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def models() -> None:
    """The model files, and fetching them."""


@models.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the models Jarvis knows, and which are installed."""
    from jarvis.models.cache import listing as rows_of

    _show(state, rows_of())


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--offline", is_flag=True, help="Use no network; say exactly what is missing.")
@click.pass_obj
def pull(state: State, names: tuple[str, ...], offline: bool) -> None:
    """Fetch models, the default ones when none is named. What is whole already is left alone."""
    from jarvis.models.cache import listing as rows_of
    from jarvis_cli import fetching

    fetching.pull(names, offline=offline)
    _show(state, [row for row in rows_of() if row["name"] in names or (not names and row["default"])])


def _show(state: State, rows: list[dict[str, Any]]) -> None:
    def human() -> None:
        shown = [{**row, "size": f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else ""} for row in rows]
        table(shown, ("name", "kind", "installed", "size", "licence", "about"), empty="There is no model.")

    state.show(rows, human)
