"""Secrets of the device, such as a token for another program: from a file or the environment, never from settings that
are shown and never from the home's configuration, which every node holds. Nothing here may put a secret into a
sentence, a log or a repr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jarvis.core.errors import BadConfiguration

MAX_SECRET_BYTES = 4_096
"""The longest tokens in use have about 2,000."""


def find_secret(
    what: str, variable: str, credential: str, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> str:
    """`what` it is called in sentences; "" when there is none. The first that is set counts: the file that
    `VARIABLE_FILE` names, the variable, `file`, systemd's credential. Raises BadConfiguration when what is named cannot
    be read or is no secret."""
    if path := environ.get(f"{variable}_FILE"):
        return _read(what, Path(path))
    if secret := environ.get(variable):
        return _checked(what, secret)
    if file is not None:
        return _read(what, file)
    folder = environ.get("CREDENTIALS_DIRECTORY")
    held = Path(folder) / credential if folder else None
    return _read(what, held) if held is not None and held.exists() else ""


def _read(what: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError:
        raise BadConfiguration(
            f"{what} cannot be read from {path}.", fix="Put it there, readable for who runs Jarvis."
        ) from None
    return _checked(what, content.decode("ascii", "replace"))


def _checked(what: str, text: str) -> str:
    secret = text.strip()
    if not secret or len(secret) > MAX_SECRET_BYTES or not all("!" <= letter <= "~" for letter in secret):
        raise BadConfiguration(f"{what} is not one.", fix="It is one word, alone in its file.")
    return secret
