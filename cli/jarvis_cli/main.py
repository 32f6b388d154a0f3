"""The command `jarvis`. It knows every command by name and one line, and loads the rest of a command when it is
called; what a command raises leaves here as one sentence, what to do next, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from jarvis.core.garbage import look_less_often
from jarvis_cli import failures
from jarvis_cli.state import Group, print_version

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("home", "Found a home with this node as its owner."),
    "run": ("run", "Run this node until Ctrl-C."),
    "demo": ("demo", "Show two nodes hearing, answering and sharing, with real models."),
    "ask": ("talk", "Ask in words."),
    "understand": ("talk", "What a sentence means, without doing it."),
    "hear": ("talk", "Play a sound file into the node as if its microphone heard it."),
    "say": ("talk", "Speak a text."),
    "node": ("node", "This node, the home's nodes, inviting and joining."),
    "home": ("home", "The home itself: what it is, and who owns it."),
    "session": ("session", "Conversations, from every room."),
    "config": ("config", "What the home and its nodes agreed on."),
    "audit": ("audit", "Who did what, and whether the log holds."),
    "note": ("note", "Notes and lists, edited together."),
    "knowledge": ("knowledge", "The home's documents, and what they say."),
    "timer": ("timer", "Timers and alarms of the home."),
    "engine": ("engine", "The models at work: how they are, and starting one again."),
    "plugin": ("plugin", "What others have added to this node: look, and switch on and off."),
    "mute": ("mute", "Whether this node may hear."),
    "sync": ("sync", "Links to the other rooms."),
    "backup": ("backup", "One sealed file that holds the home, and a node from it."),
    "quarantine": ("quarantine", "What is kept and does not count, and why."),
    "models": ("models", "The model files, and fetching them."),
    "service": ("service", "Start this node with the machine, and again when it fails."),
    "status": ("status", "Health of the running node."),
    "doctor": ("doctor", "Check what this machine needs, and say how to mend it."),
    "version": ("about", "Show the version."),
    "completion": ("about", "Print the shell's completion script."),
}
"""Name -> (module of this package that has a command of that name, its line in `jarvis --help`)."""


class LazyGroup(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"jarvis_cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Show it.")
def cli() -> None:
    """Jarvis, a voice assistant with no server: every room's node is whole, and nodes agree among themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. `arguments` are those after the program's name."""
    if arguments is None:  # a process of its own
        look_less_often()
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter gets a question mark, no traceback
    try:
        value = cli.main(given, prog_name="jarvis", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        return failures.report(error, as_json="--json" in given, debug="--debug" in given)
    return value if isinstance(value, int) else 0
