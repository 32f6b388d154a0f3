"""How a command fails: one sentence, what to do next, an exit code. A traceback only with --debug."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import click

from jarvis.core.errors import JarvisError
from jarvis_cli.output import plain

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell stderr what went wrong; the exit code."""
    error = _cause(error)
    if isinstance(error, SystemExit):  # the shell's completion ends this way
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, BrokenPipeError):  # `jarvis session list | head`: nobody reads on, and nobody needs a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    if debug:
        traceback.print_exception(error)
    message, fix, code = _described(error)
    if as_json:
        click.echo(json.dumps({"error": {"message": message, "fix": fix}}), err=True)
    elif message:
        click.echo(plain(f"jarvis: {message}" + (f"\n{fix}" if fix else "")), err=True)
    return code


def _cause(error: BaseException) -> BaseException:
    """A group of tasks fails as a group: the first error raised on purpose says more than the group."""
    while isinstance(error, BaseExceptionGroup):
        meant, _ = error.split(JarvisError)
        error = (meant or error).exceptions[0]
    return error


def _described(error: BaseException) -> tuple[str, str, int]:
    if isinstance(error, JarvisError):
        return str(error), error.fix, error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "Interrupted.", "", INTERRUPTED
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "jarvis"
        return error.format_message(), f"See `{path} --help`.", USAGE
    if isinstance(error, click.ClickException):
        return error.format_message(), "", error.exit_code
    if isinstance(error, MemoryError):
        return "There is not enough memory.", "Stop something else first.", FAILED
    return (
        f"Something unexpected went wrong ({type(error).__name__}{_where(error)}).",
        "Run it again with --debug to see where, and report that.",
        FAILED,
    )


def _where(error: BaseException) -> str:
    """The last line of ours on the way to it: what happened once in a year cannot be run again."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "jarvis" in Path(one.filename).parts[-4:-1] or "jarvis_cli" in one.filename]
    return f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
