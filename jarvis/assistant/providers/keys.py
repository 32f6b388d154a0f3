"""Where the key of a language model's provider comes from: a file or the environment, never the settings themselves and
never the home's configuration, which every node holds. Nothing here may put a key into a sentence, a log or a repr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jarvis.core.errors import BadConfiguration

MAX_KEY_BYTES = 4_096
"""The longest tokens in use have about 2,000."""


def variable(name: str) -> str:
    """The environment variable that holds the key of the provider called `name`; with `_FILE`, its file."""
    return f"JARVIS_LLM_{name.upper().replace('-', '_')}_KEY"


def credential(name: str) -> str:
    """What systemd may call it (`LoadCredential=`)."""
    return f"llm-{name}-key"


def find_key(name: str, key_file: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """Empty when there is none. The first that is set counts: the variable with `_FILE`, the variable, `key_file` of
    the settings, systemd's credential. Raises BadConfiguration when what is named cannot be read or is no key."""
    if path := environ.get(f"{variable(name)}_FILE"):
        return _read(name, Path(path))
    if key := environ.get(variable(name)):
        return _checked(name, key)
    if key_file is not None:
        return _read(name, key_file)
    folder = environ.get("CREDENTIALS_DIRECTORY")
    held = Path(folder) / credential(name) if folder else None
    return _read(name, held) if held is not None and held.exists() else ""


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_BYTES + 1)
    except OSError:
        raise BadConfiguration(
            f"The key of {name} cannot be read from {path}.", fix="Put it there, readable for who runs Jarvis."
        ) from None
    return _checked(name, content.decode("ascii", "replace"))


def _checked(name: str, text: str) -> str:
    key = text.strip()
    if not key or len(key) > MAX_KEY_BYTES or not all("!" <= letter <= "~" for letter in key):
        raise BadConfiguration(f"The key of {name} is no key.", fix="It is one word, alone in its file.")
    return key
