"""config: what the home and its nodes agreed on, and where two rooms set different values."""

from __future__ import annotations

import click

from jarvis_cli.output import note, plain, say, table
from jarvis_cli.state import Group, State

PATH = "/api/v2/config"
SETTINGS = "/api/v2/settings"
_node = click.option("--node", "of", metavar="NODE", help="That node's value: its name, or its id's beginning.")
_local = click.option("--local", is_flag=True, help="On this node only; never replicated.")


@click.group(cls=Group)
def config() -> None:
    """What the home and its nodes agreed on."""


@config.command()
@click.argument("key")
@_node
@click.pass_obj
def get(state: State, key: str, of: str | None) -> None:
    """Show a key's value."""
    entry = state.client().get(_path(key), node=of)
    state.show(entry, lambda: say(plain(entry["value"])))


@config.command("set")
@click.argument("key")
@click.argument("value")
@_node
@_local
@click.pass_obj
def put(state: State, key: str, value: str, of: str | None, local: bool) -> None:
    """Set a key, for the home unless --node or --local says otherwise. Setting also settles a conflict."""
    entry = state.client().put(_path(key), {"value": value, "node": of, "local": local})
    state.show(entry, lambda: say(f"{entry['key']} = {plain(entry['value'])}"))


@config.command()
@click.argument("key")
@_node
@_local
@click.pass_obj
def unset(state: State, key: str, of: str | None, local: bool) -> None:
    """Take a key's value away."""
    entry = state.client().delete(_path(key), node=of, local=local)
    state.show(entry, lambda: say(f"{key} is no longer set."))


@config.command("list")
@_node
@click.pass_obj
def listing(state: State, of: str | None) -> None:
    """List every key with its value, and who set it."""
    rows = state.client().get(PATH, node=of)
    columns = ("key", "value", "source", "set_by", "at")
    state.show(rows, lambda: table(rows, columns, empty="Nothing is set."))
    if problem := state.client().get(SETTINGS)["problem"]:
        note(problem)


@config.command()
@click.pass_obj
def conflicts(state: State) -> None:
    """List keys that several rooms set differently without knowing of each other."""
    found = state.client().get("/api/v2/conflicts")
    rows = [{"key": one["key"], "node": one["node"], **value} for one in found for value in one["values"]]
    columns = ("key", "node", "value", "set_by", "at")
    state.show(found, lambda: table(rows, columns, empty="There is no conflict."))


@config.command()
@click.pass_obj
def reload(state: State) -> None:
    """Read this device's own settings files now; the running node does so by itself within two seconds."""
    found = state.client().post(f"{SETTINGS}/reload", {})
    named = f"environment {found['environment']}: " if found["environment"] else ""
    later = f" From the next start on: {', '.join(found['at_next_start'])}." if found["at_next_start"] else ""
    files = ", ".join(found["files"]) or "there is no jarvis.toml"
    state.show(found, lambda: say(f"In force: {named}{files}.{later}"))


def _path(key: str) -> str:
    from jarvis.api.client import segment
    from jarvis.core.errors import InvalidInput

    if not key:
        raise InvalidInput("A key has at least one letter.", fix="`jarvis config list` shows the keys there are.")
    return f"{PATH}/{segment(key)}"
