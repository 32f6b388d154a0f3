"""version and completion: what this program says of itself."""

from __future__ import annotations

import click

from jarvis_cli.output import say
from jarvis_cli.state import Command, State


@click.command(cls=Command)
@click.pass_obj
def version(state: State) -> None:
    """Show the version."""
    import platform

    from jarvis import __version__

    found = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    state.show(found, lambda: say(f"jarvis {found['version']} on Python {found['python']}, {found['platform']}"))


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script. bash: eval "$(jarvis completion bash)"."""
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(ctx.find_root().command, {}, "jarvis", "_JARVIS_COMPLETE").source()
    ctx.obj.show({"shell": shell, "script": script}, lambda: click.echo(script))
