"""Where the key of a language model's provider comes from: a file or the environment, never the settings themselves and
never the home's configuration, which every node holds. Nothing here may put a key into a sentence, a log or a repr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jarvis.core.secrets import find_secret


def variable(name: str) -> str:
    """The environment variable that holds the key of the provider called `name`; with `_FILE`, its file."""
    return f"JARVIS_LLM_{name.upper().replace('-', '_')}_KEY"


def credential(name: str) -> str:
    """What systemd may call it (`LoadCredential=`)."""
    return f"llm-{name}-key"


def find_key(name: str, key_file: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """Empty when there is none. The first that is set counts: the variable with `_FILE`, the variable, `key_file` of
    the settings, systemd's credential. Raises BadConfiguration when what is named cannot be read or is no key."""
    return find_secret(f"The key of {name}", variable(name), credential(name), key_file, environ)
