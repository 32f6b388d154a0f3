"""The systemd user unit of a node: its text, its place, and what systemd says of it. A user unit needs no root and
finds the user's sound server; everything here works, or says so, also where no systemd runs."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jarvis.core.errors import EngineFailed, StoreFailed

CALL_S = 30.0
"""Stopping a node takes five seconds at most; systemd answers the rest at once."""

_TEXT = """\
# Written by `jarvis service install`, which overwrites it; `systemctl --user edit {unit}` keeps changes apart.
[Unit]
Description=Jarvis, the voice assistant in {data_dir_shown}
After=pipewire.service wireplumber.service pipewire-pulse.service pulseaudio.service
StartLimitIntervalSec=10min
StartLimitBurst=10

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=5
# Wrong usage, no right to, settings that do not fit together: starting again mends none of them.
RestartPreventExitStatus=2 77 78
KillMode=mixed
TimeoutStopSec=15
UMask=0077
{given}
# What a user's systemd can enforce without root.
NoNewPrivileges=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class Unit:
    name: str
    path: Path

    @property
    def wanted(self) -> Path:
        """The link that makes it start with the user's session."""
        return self.path.parent / "default.target.wants" / self.name


def unit_of(data_dir: Path, default_dir: Path) -> Unit:
    """One unit for each data directory: `jarvis.service` for the usual one."""
    name = "jarvis"
    if data_dir != default_dir:
        slug = re.sub(r"[^a-z0-9]+", "-", data_dir.name.lower()).strip("-")[:32]
        name = f"jarvis-{slug}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]}"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Unit(f"{name}.service", config / "systemd" / "user" / f"{name}.service")


def text(unit: Unit, command: list[str], data_dir: Path, store_key: Path | None, env: str = "") -> str:
    """`env` is the environment whose settings hold, "" for none."""
    from jarvis.node.directory import CREDENTIAL

    given = f"Environment=JARVIS_ENV={env}\n" if env else ""
    if store_key is not None:
        kind = "LoadCredentialEncrypted" if store_key.suffix == ".cred" else "LoadCredential"
        given += f"{kind}={CREDENTIAL}:{_escaped(str(store_key))}\n"
    return _TEXT.format(
        unit=unit.name,
        data_dir_shown=_escaped(str(data_dir)),
        command=" ".join(map(_quoted, command)),
        given=given,
    )


def _escaped(value: str) -> str:
    """Without systemd's specifiers."""
    return value.replace("%", "%%")


def _quoted(word: str) -> str:
    """One argument of ExecStart. Raises nothing: a line's end in a path is written as an escape."""
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("$", "$$")):
        word = word.replace(plain, escape)
    return f'"{_escaped(word)}"'


def write(unit: Unit, content: str) -> None:
    """The unit, and the link by which it starts at log-in. Raises StoreFailed."""
    try:
        unit.wanted.parent.mkdir(parents=True, exist_ok=True)
        unit.path.write_text(content)
        unit.wanted.unlink(missing_ok=True)
        unit.wanted.symlink_to(unit.path)
    except OSError as error:
        raise StoreFailed(f"{unit.path} cannot be written: {error.strerror}.", fix="Check its directory.") from None


def remove(unit: Unit) -> bool:
    """Whether there was one. Raises StoreFailed."""
    there = unit.path.exists()
    try:
        unit.wanted.unlink(missing_ok=True)
        unit.path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreFailed(f"{unit.path} cannot be removed: {error.strerror}.", fix="Check its directory.") from None
    return there


def why_no_systemd() -> str:
    """A sentence where the user's systemd cannot be asked, "" where it can."""
    if shutil.which("systemctl") is None:
        return "There is no systemd on this machine."
    if not Path("/run/systemd/system").is_dir():
        return "This machine was not started by systemd."
    if _systemctl("is-system-running").stdout.strip() in ("", "offline"):
        return f"No systemd runs for {getpass.getuser()}: nobody is logged in as it, and it does not linger."
    return ""


def tell(*arguments: str) -> None:
    """Raises EngineFailed with what systemctl says."""
    done = _systemctl(*arguments)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it gives no reason"]
        raise EngineFailed(f"systemctl --user {arguments[0]} failed: {said[0].rstrip('.')}.")


def properties(unit: Unit) -> dict[str, str]:
    """ActiveState, MainPID, NRestarts and Result of the unit, {} where nobody can say."""
    if why_no_systemd():
        return {}
    shown = _systemctl("show", unit.name, "--property=ActiveState,SubState,MainPID,NRestarts,Result").stdout
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def lingers() -> bool:
    """Whether this user's services run without a log-in, from the machine's start on."""
    return Path("/var/lib/systemd/linger", getpass.getuser()).exists()


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--user", "--no-pager", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=CALL_S)
    except (OSError, subprocess.TimeoutExpired):
        return subprocess.CompletedProcess(command, 1, "", "systemctl does not answer")
