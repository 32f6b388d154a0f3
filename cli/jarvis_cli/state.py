"""What every command shares: --json, --data-dir and --debug, taken before or after the command's name, and what
follows from them. Commands and groups of this program are made with the two classes here, which carry the options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from jarvis.api.client import Client


@dataclass
class State:
    as_json: bool = False
    debug: bool = False
    chosen_dir: Path | None = None

    @property
    def data_dir(self) -> Path:
        """Flag, then JARVIS_DATA_DIR, then the platform's place."""
        if self.chosen_dir is None and not os.environ.get("JARVIS_DATA_DIR"):
            from jarvis.core.paths import default_data_dir

            return default_data_dir()
        return Path(self.chosen_dir or os.environ["JARVIS_DATA_DIR"]).expanduser().absolute()

    def client(self) -> Client:
        """Raises Unreachable when the node does not run."""
        from jarvis.api.client import Client

        return Client(self.data_dir)

    def show(self, data: Any, human: Callable[[], None]) -> None:
        """The answer of a command: JSON, or what `human` prints."""
        if self.as_json:
            import json

            click.echo(json.dumps(data))
        else:
            human()

    def make_sure(self, question: str, *, yes: bool) -> None:
        """Before what cannot be taken back: ask, unless `yes` was given or a program is asking, which cannot answer.
        Raises click.Abort for a no, InvalidInput when nobody is there to answer."""
        if yes or self.as_json:
            return
        try:
            agreed = click.confirm(question, err=True)
        except click.Abort:  # the end of the input, or Ctrl-C
            if sys.stdin.isatty():
                raise
            from jarvis.core.errors import InvalidInput

            raise InvalidInput("Nobody answered, so nothing was done.", fix="Give --yes to do it unasked.") from None
        if not agreed:
            raise click.Abort


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    state = ctx.ensure_object(State)
    if value and parameter.name:
        setattr(state, parameter.name, value)


def _shared() -> list[click.Parameter]:
    directory = click.Path(file_okay=False, path_type=Path)
    return [
        click.Option(["--json", "as_json"], is_flag=True, expose_value=False, callback=_keep, help="Data on stdout."),
        click.Option(
            ["--data-dir", "chosen_dir"],
            type=directory,
            metavar="DIR",
            expose_value=False,
            callback=_keep,
            help="The directory that is the node. [env: JARVIS_DATA_DIR]",
        ),
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=_keep, help="Show tracebacks."),
    ]


class Command(click.Command):
    def __init__(self, name: str | None, *, params: list[click.Parameter] | None = None, **rest: Any) -> None:
        super().__init__(name, params=[*(params or []), *_shared()], **rest)


class Group(click.Group):
    command_class = Command

    def __init__(self, name: str | None, *, params: list[click.Parameter] | None = None, **rest: Any) -> None:
        super().__init__(name, params=[*(params or []), *_shared()], **rest)


def print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from jarvis import __version__

        click.echo(f"jarvis {__version__}")
        ctx.exit()
