"""Settings files laid over each other: `jarvis.toml`, and over it `jarvis.NAME.toml` where an environment is named.
Tables are merged key by key; everything else, a list too, takes the place of what lay below, so that nobody has to
guess which of two `[[llm]]` came first. It knows no setting but those that say where the files are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from jarvis.core.errors import BadConfiguration
from jarvis.core.files import read_text, why

SETTINGS_FILE = "jarvis.toml"
MAX_BYTES = 256 * 1024
"""Settings have some thousand."""
NOT_IN_FILES = ("data_dir", "env")
"""They say which files are read."""
_NAME = re.compile(r"[a-z0-9-]{1,32}")


def settings_files(data_dir: Path, env: str) -> list[Path]:
    """The lowest first. Raises BadConfiguration for a name that is none."""
    if env and not _NAME.fullmatch(env):
        raise BadConfiguration(
            "JARVIS_ENV is no name of an environment.", fix="Name it by 1 to 32 of a-z, 0-9 and -, such as `test`."
        )
    names = [SETTINGS_FILE, *([f"jarvis.{env}.toml"] if env else [])]
    return [data_dir / name for name in names]


def layered(data_dir: Path, env: str) -> dict[str, Any]:
    """What the files say together. Raises BadConfiguration for a file that cannot be read, and for an environment
    without one."""
    lowest, *above = settings_files(data_dir, env)
    settings = _read(lowest) if lowest.exists() else {}
    for file in above:
        if not file.exists():
            raise BadConfiguration(
                f"There is no environment {env!r}: {file} is missing.", fix="Write that file, or correct JARVIS_ENV."
            )
        settings = merged(settings, _read(file))
    return settings


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        held = result.get(key)
        result[key] = merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return result


def _read(file: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(read_text(file, MAX_BYTES))
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{file.name} cannot be read: {why(error)}.", fix="Correct the file.") from None
    except RecursionError:
        raise BadConfiguration(f"{file.name} cannot be read: it is nested too deeply.", fix="Correct it.") from None
    for name in NOT_IN_FILES:
        if name in settings:
            raise BadConfiguration(
                f"{name} cannot stand in {file.name}, since it says which file is read.",
                fix=f"Set JARVIS_{name.upper()} instead.",
            )
    return settings
