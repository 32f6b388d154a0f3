"""timer: timers and alarms of the home."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import say, table
from jarvis_cli.state import Group, State

PATH = "/api/v2/timers"


@click.group(cls=Group)
def timer() -> None:
    """Timers and alarms of the home."""


@timer.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the timers."""
    rows = state.client().get(PATH)
    columns = ("timer_id", "name", "remaining_s", "rings_at", "room", "kind", "state", "every")
    shown = [{**row, "every": " ".join(row.get("every", []))} for row in rows]
    state.show(rows, lambda: table(shown, columns, empty="No timer runs."))


@timer.command("set")
@click.argument("length", nargs=-1)
@click.option("--at", metavar="TIME", help="An alarm instead: 7:30, tomorrow at noon, every weekday at 6:45.")
@click.option("--name", default="", help="What it is for.")
@click.pass_obj
def make(state: State, length: tuple[str, ...], at: str | None, name: str) -> None:
    """Set a timer for LENGTH, such as 10m, 1h30 or an hour and a half. It rings in this node's room."""
    if bool(length) == bool(at):
        raise click.UsageError("Give a length of time, or --at a time of day.", click.get_current_context())
    made = state.client().post(PATH, {"length": " ".join(length) or None, "at": at, "name": name})
    state.show(made, lambda: say(f"{_kind(made)} {made['timer_id']} is set: {_left(made)}."))


@timer.command(context_settings={"ignore_unknown_options": True})  # "-5m" is no option
@click.argument("timer_id", metavar="ID")
@click.argument("length", nargs=-1, required=True)
@click.pass_obj
def add(state: State, timer_id: str, length: tuple[str, ...]) -> None:
    """Add LENGTH to a timer; -5m takes it away."""
    _change(state, timer_id, {"add": " ".join(length)})


@timer.command()
@click.argument("timer_id", metavar="ID")
@click.pass_obj
def pause(state: State, timer_id: str) -> None:
    """Stop a timer for a while."""
    _change(state, timer_id, {"paused": True})


@timer.command()
@click.argument("timer_id", metavar="ID")
@click.pass_obj
def resume(state: State, timer_id: str) -> None:
    """Let a timer that was paused go on."""
    _change(state, timer_id, {"paused": False})


@timer.command()
@click.pass_obj
def stop(state: State) -> None:
    """Stop whatever rings, in every room."""
    stopped = state.client().post(PATH + "/stop", {})
    count = len(stopped["stopped"])
    state.show(stopped, lambda: say(f"Stopped {count}." if count else "Nothing rings."))


@timer.command()
@click.argument("timer_id", metavar="ID")
@click.pass_obj
def cancel(state: State, timer_id: str) -> None:
    """Cancel a timer."""
    gone = state.client().delete(_path(timer_id))
    state.show(gone, lambda: say("Cancelled."))


def _change(state: State, timer_id: str, change: dict[str, Any]) -> None:
    row = state.client().call("PATCH", _path(timer_id), body=change)
    state.show(row, lambda: say(f"{_kind(row)} {row['timer_id']}: {_left(row)}."))


def _kind(row: dict[str, Any]) -> str:
    return str(row["kind"]).capitalize()


def _left(row: dict[str, Any]) -> str:
    minutes, seconds = divmod(round(row["remaining_s"]), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left{', paused' if row['state'] == 'paused' else ''}"


def _path(timer_id: str) -> str:
    from jarvis.api.client import segment

    return f"{PATH}/{segment(timer_id)}"
