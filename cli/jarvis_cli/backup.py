"""backup: one sealed file that holds the home, and a node from such a file. The passphrase comes from a terminal or a
file, never from an argument, which others on this machine could read."""

from __future__ import annotations

import os
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jarvis_cli.output import console, fields, say
from jarvis_cli.state import Group, State

if TYPE_CHECKING:
    from rich.progress import Progress

    from jarvis.identity.sealed import Opener

PASSPHRASE_FILE = "JARVIS_BACKUP_PASSPHRASE_FILE"  # nosec B105
SECRET_BYTES = 4_096
"""A passphrase has up to 1,024 characters."""
_FILE = click.Path(path_type=Path)
_FROM_FILE = click.option(
    "--passphrase-file",
    type=_FILE,
    metavar="FILE",
    envvar=PASSPHRASE_FILE,
    help=f"Whose first line is the passphrase, or, for the recovery key, its words. [env: {PASSPHRASE_FILE}]",
)


@click.group(cls=Group)
def backup() -> None:
    """One sealed file that holds the home, and a node from it."""


@backup.command()
@click.argument("file", type=_FILE)
@_FROM_FILE
@click.option("--to-recovery-key", is_flag=True, help="Seal it to the home's recovery phrase instead of a passphrase.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.pass_obj
def create(state: State, file: Path, passphrase_file: Path | None, to_recovery_key: bool, force: bool) -> None:
    """Write what this node holds of the home into FILE, sealed. The node may run or not."""
    from jarvis.core.errors import BadConfiguration
    from jarvis_cli.logs import set_up

    set_up("debug" if state.debug else "error")
    if file.exists() and not (force and file.is_file()):
        raise BadConfiguration(f"{file} is there already.", fix="Choose another name, or replace it with --force.")
    passphrase = None if to_recovery_key else _secret("Passphrase", passphrase_file, twice=True)
    records = _write(file, _rows(state, passphrase))
    made = {"file": str(file), "bytes": file.stat().st_size, "records": records}

    def human() -> None:
        fields(made)
        say("Only the recovery phrase opens it." if to_recovery_key else "Only the passphrase opens it. Keep it apart.")

    state.show(made, human)


@backup.command()
@click.argument("file", type=_FILE)
@_FROM_FILE
@click.option("--name", help="What this node is called; default: as the one that made the backup.")
@click.option("--room", help="The room it stands in; default: as the one that made the backup.")
@click.pass_obj
def restore(state: State, file: Path, passphrase_file: Path | None, name: str | None, room: str | None) -> None:
    """Make a new node from FILE in an empty data directory. Needs no running node."""
    from jarvis.app import restore_home
    from jarvis.node.backups.making import read_header
    from jarvis.node.directory import DataDirectory
    from jarvis_cli.logs import set_up

    set_up("debug" if state.debug else "error")
    DataDirectory(state.data_dir).must_be_free()  # before anybody types words that then serve nothing
    opener = _opener(read_header(file), passphrase_file)
    with _progress() as bar:
        task = bar.add_task("Restoring", total=None)
        restored = restore_home(
            state.data_dir,
            file,
            opener,
            name=name,
            room=room,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )

    def human() -> None:
        fields(restored, ("home_name", "name", "room", "node_id", "records"))
        if restored["left_out"]:
            say(f"{restored['left_out']} records were left out: set aside by a removal, or they do not hold.")
        if restored["member"]:
            say("This node is now the home's owner. Start it with `jarvis run`; the other nodes must join it again:")
            say("`jarvis node invite` here, `jarvis node join CODE` there; they keep what they have.")
        else:
            say("It can be read with `jarvis run`. To be part of the home again it must be invited:")
            say("`jarvis node invite` on a member, `jarvis node join CODE` here.")

    state.show(restored, human)


def _opener(header: bytes, passphrase_file: Path | None) -> Opener:
    from jarvis.identity.keys import recovery_key
    from jarvis.identity.sealed import PASSPHRASE, how_to_open, opened_with_passphrase, opened_with_recovery_key

    if how_to_open(header) == PASSPHRASE:
        return opened_with_passphrase(header, _secret("Passphrase", passphrase_file))
    return opened_with_recovery_key(
        header, recovery_key(_secret("The recovery phrase's twelve words", passphrase_file))
    )


def _secret(what: str, path: Path | None, *, twice: bool = False) -> str:
    """From the file, else from a person."""
    from jarvis.core.errors import BadConfiguration, InvalidInput
    from jarvis.core.secrets import refuse_others

    if path is not None:
        try:
            refuse_others(what.lower(), path)
            with path.open("rb") as file:
                lines = file.read(SECRET_BYTES).decode().splitlines()
        except OSError as error:
            raise BadConfiguration(
                f"{path} cannot be read: {error.strerror}.", fix="Name a file you may read."
            ) from None
        except UnicodeDecodeError:
            raise BadConfiguration(f"{path} does not hold text.", fix="Write the passphrase into it.") from None
        return lines[0].strip() if lines else ""
    if not sys.stdin.isatty():
        raise InvalidInput(
            "There is no terminal to ask for the passphrase.", fix=f"Give --passphrase-file, or set {PASSPHRASE_FILE}."
        )
    return str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


def _rows(state: State, passphrase: str | None) -> Iterator[dict[str, Any]]:
    """The backup's pieces: from the running node, else from its data directory."""
    from jarvis.core.errors import Unreachable

    try:
        client = state.client()
    except Unreachable:
        return _rows_of_stopped(state.data_dir, passphrase)
    return client.stream("/api/v2/backups", {"passphrase": passphrase})


def _rows_of_stopped(data_dir: Path, passphrase: str | None) -> Iterator[dict[str, Any]]:
    import asyncio

    from jarvis.app import back_up

    rows = back_up(data_dir, passphrase)

    async def following() -> dict[str, Any] | None:
        return await anext(rows, None)

    with asyncio.Runner() as runner:
        try:
            while row := runner.run(following()):
                yield row
        finally:
            runner.run(rows.aclose())


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """All of it under another name first: FILE is a whole backup or is not there. The number of records."""
    from jarvis.core.errors import Unreachable
    from jarvis.store.files import cannot_use, sync_directory

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    row: dict[str, Any] = {"done": False}
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            with _progress() as bar:
                task = bar.add_task("Backing up", total=None)
                for row in rows:
                    file.write(b64decode(row["data"]))
                    bar.update(task, completed=row["records"], total=row["of"])
            if not row["done"]:
                raise Unreachable("The node stopped before the backup was whole.", fix="Try again.")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_directory(path.absolute().parent)
    except OSError as error:
        raise cannot_use(path, error) from None
    finally:
        part.unlink(missing_ok=True)
    return int(row["records"])


def _progress() -> Progress:
    """A bar on stderr, for a person watching."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    watched = console(stderr=True)
    return Progress(*columns, console=watched, disable=not watched.is_terminal)
