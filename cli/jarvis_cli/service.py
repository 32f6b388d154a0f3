"""service: a node that is there after a reboot, as a systemd user unit."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

import click

from jarvis_cli.output import say
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def service() -> None:
    """Start this node with the machine, and again when it fails."""


@service.command()
@click.option("--audio", metavar="none|device[:NAME]", default="device", help="What it hears with; default: device.")
@click.option(
    "--store-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the store's key is kept instead of beside the store; FILE.cred is one of systemd-creds.",
)
@click.pass_obj
def install(state: State, audio: str, store_key: Path | None) -> None:
    """Write the unit, start the node now, and at every log-in."""
    from jarvis.core.settings import load
    from jarvis.node.directory import DataDirectory
    from jarvis_cli import units

    DataDirectory(state.data_dir).must_hold_a_node()
    env = load(data_dir=state.data_dir, audio=audio).env  # a mistake is told now, not in a log
    unit = _unit(state)
    command = [sys.executable, "-m", "jarvis_cli", "--data-dir", str(state.data_dir), "run", "--audio", audio]
    units.write(unit, units.text(unit, command, state.data_dir, store_key and store_key.absolute(), env))
    problem = units.why_no_systemd()
    if not problem:
        units.tell("daemon-reload")
        units.tell("restart", unit.name)
    found = _found(unit, problem)

    def human() -> None:
        say(f"{unit.path} is written.")
        _tell_state(found)
        if not found["lingers"]:
            say(f"To have it run from the machine's start on, without a log-in:  loginctl enable-linger {_user()}")

    state.show(found, human)


@service.command()
@click.pass_obj
def uninstall(state: State) -> None:
    """Stop the node and remove the unit; the node's data stays."""
    from jarvis_cli import units

    unit = _unit(state)
    problem = units.why_no_systemd()
    if not problem and unit.path.exists():
        units.tell("stop", unit.name)
    removed = units.remove(unit)
    if not problem:
        units.tell("daemon-reload")
    gone = {"unit": unit.name, "path": str(unit.path), "removed": removed}
    state.show(gone, lambda: say(f"{unit.name} is removed." if removed else f"There was no {unit.name}."))


@service.command()
@click.pass_obj
def status(state: State) -> None:
    """Show whether the unit is there and the node runs by it."""
    from jarvis_cli import units

    unit = _unit(state)
    found = _found(unit, units.why_no_systemd())

    def human() -> None:
        say(f"{unit.path} is there." if found["installed"] else f"{unit.name} is not installed.")
        _tell_state(found)

    state.show(found, human)


def _unit(state: State) -> Any:
    from jarvis.core.paths import default_data_dir
    from jarvis_cli import units

    return units.unit_of(state.data_dir, default_data_dir())


def _found(unit: Any, problem: str) -> dict[str, Any]:
    from jarvis_cli import units

    told = units.properties(unit) if not problem else {}
    return {
        "unit": unit.name,
        "path": str(unit.path),
        "installed": unit.path.exists(),
        "enabled": unit.wanted.is_symlink(),
        "state": told.get("ActiveState", "unknown"),
        "pid": int(told.get("MainPID", 0)) or None,
        "restarts": int(told.get("NRestarts", 0)),
        "lingers": units.lingers(),
        "problem": problem,
    }


def _tell_state(found: dict[str, Any]) -> None:
    if found["problem"]:
        say(found["problem"] + (" The unit starts the node once one does." if found["installed"] else ""))
    elif found["installed"]:
        pid = f", process {found['pid']}" if found["pid"] else ""
        say(f"It is {found['state']}{pid}, restarted {found['restarts']} times.")
        say(f"Its log:  journalctl --user -u {found['unit']}")


def _user() -> str:
    return getpass.getuser()
