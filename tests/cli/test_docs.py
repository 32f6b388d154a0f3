"""The commands' own help and docs/cli.md name everything there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from jarvis_cli.main import COMMANDS, cli

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def every_command(group: click.Group, path: str = "jarvis") -> Iterator[tuple[str, click.Command]]:
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            yield f"{path} {name}", command
            if isinstance(command, click.Group):
                yield from every_command(command, f"{path} {name}")


ALL = dict(every_command(cli))


@pytest.mark.parametrize("path", ALL)
def test_every_command_says_what_it_does(path: str) -> None:
    command = ALL[path]
    assert command.help and command.help.split("\n")[0].rstrip().endswith("."), path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or isinstance(parameter.type, click.Choice), f"{path} {parameter.opts}"


@pytest.mark.parametrize("path", ALL)
def test_the_docs_name_every_command_with_its_options(path: str) -> None:
    text = DOCS.read_text()
    assert f"`{path}" in text, f"docs/cli.md does not name `{path}`"
    line = next(line for line in text.splitlines() if re.search(rf"`{re.escape(path)}[ `]", line))
    shared = {"--json", "--data-dir", "--debug"}
    for parameter in ALL[path].params:
        for option in set(parameter.opts) - shared if isinstance(parameter, click.Option) else ():
            assert option in line, f"docs/cli.md does not name {option} of `{path}`"


def test_the_docs_name_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `(jarvis [a-z ]+[a-z])", DOCS.read_text(), flags=re.MULTILINE))
    assert named <= set(ALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_help_is_the_commands_own(name: str) -> None:
    command = ALL[f"jarvis {name}"]
    assert command.help is not None and command.help.startswith(COMMANDS[name][1].rstrip("."))
