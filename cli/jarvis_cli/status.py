"""status: health of the running node."""

from __future__ import annotations

import click

from jarvis_cli.output import plain, say, table
from jarvis_cli.state import Command, State


@click.command(cls=Command)
@click.pass_obj
def status(state: State) -> None:
    """Health of the running node, part by part."""
    found = state.client().get("/api/v2/health")

    def human() -> None:
        say(f"Health {plain(found['health'])} of 100, up for {_length(found['uptime_s'])}.")
        parts = [{"part": name, **part} for name, part in found["components"].items()]
        table(parts, ("part", "state", "detail"), empty="It has no parts.")

    state.show(found, human)


def _length(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or "0 s"
