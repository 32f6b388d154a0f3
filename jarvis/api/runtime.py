"""`<data_dir>/run/api.json`: how a command on this machine finds the running node and proves that it may talk to it.
Written 0600 when the API listens, removed when it stops; what a killed node leaves behind is known by its dead pid."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

RUNTIME_FILE = Path("run") / "api.json"
_MAX_BYTES = 4_096
"""An address, a token and a number take some 150."""


@dataclass(frozen=True, slots=True)
class Runtime:
    api_url: str
    token: str
    pid: int


def write(data_dir: Path, runtime: Runtime) -> None:
    """Whole or not at all, and never readable by others."""
    path = data_dir / RUNTIME_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{runtime.pid}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(asdict(runtime), stream)
    part.replace(path)


def read(data_dir: Path) -> Runtime | None:
    """None when no node runs there, as far as the file and the process table tell."""
    try:
        with (data_dir / RUNTIME_FILE).open("rb") as stream:
            fields = json.loads(stream.read(_MAX_BYTES))
        runtime = Runtime(str(fields["api_url"]), str(fields["token"]), int(fields["pid"]))
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return runtime if _alive(runtime.pid) else None


def remove(data_dir: Path, pid: int) -> None:
    """Removes this process's file only: another node may have written its own meanwhile."""
    runtime = read(data_dir)
    if runtime is not None and runtime.pid == pid:
        (data_dir / RUNTIME_FILE).unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's process, but a process
        return True
    return pid > 0
