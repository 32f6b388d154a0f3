"""Secrets of the device, such as a token for another program or the key of its store: from a file, the environment or
systemd, never from settings that are shown and never from the home's configuration, which every node holds. Nothing
here may put a secret into a sentence, a log or a repr, and none is kept: a new one holds from the next use on."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from jarvis.core.errors import BadConfiguration
from jarvis.core.files import OTHERS, read_bytes

MAX_SECRET_BYTES = 4_096
"""The longest tokens in use have about 2,000."""
INSTEAD = "Put it into a file that only you may read, and name that; docs/settings.md says how."
_WORDS = frozenset(
    ["key", "apikey", "token", "secret", "password", "passwd", "passphrase", "credential", "credentials"]
)
_FORMS = re.compile(
    r"\b(?:(?:sk|pk|rk|ghp|gho|glpat|xox[abp]|hf|AKIA)[-_A-Z0-9][A-Za-z0-9_-]{14,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)
"""As the keys of known services begin, and every JSON web token (Home Assistant's are)."""
_OWN_VARIABLE = re.compile(r"JARVIS_\w+_(KEY|TOKEN|SECRET|PASSPHRASE|PASSWORD)(_FILE)?")


def find_secret(
    what: str, variable: str, name: str, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> str:
    """`what` it is called in sentences; "" when there is none. The first that is set counts: the file that
    `VARIABLE_FILE` names, the variable, `file`, systemd's credential `name`. Raises BadConfiguration when what is named
    cannot be read, is no secret, or may be read by others."""
    if path := environ.get(f"{variable}_FILE"):
        return _read(what, Path(path))
    if secret := environ.get(variable):
        return _checked(what, secret)
    if file is not None:
        return _read(what, file)
    held = credential(name, environ)
    return "" if held is None else _read(what, held, guarded=True)


def credential(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """What systemd hands over under `name`; it has seen to it that nobody else reads that."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    held = Path(folder, name)
    return held if folder and held.is_absolute() and held.exists() else None


def refuse_others(what: str, path: Path) -> None:
    """Raises BadConfiguration when others than its owner have any right on the file or folder `path`, OSError when it
    is not there. A pipe is whoever's it was given to."""
    mode = path.stat().st_mode
    if mode & OTHERS and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        raise BadConfiguration(
            f"{path} may be used by others than its owner, so {what} is not secret.",
            fix=f"Run `chmod {wanted} {path}`.",
        )


def names_a_secret(key: str) -> bool:
    """Whether what stands under such a key would be a secret, and not the file it is in."""
    words = re.split(r"[._-]", key.lower())
    return words[-1] != "file" and not _WORDS.isdisjoint(words)


def looks_secret(value: str) -> bool:
    """Whether `value` has the form of a known service's key."""
    return _FORMS.search(value) is not None


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """For programs that need none of ours."""
    return {
        name: value
        for name, value in environ.items()
        if name != "CREDENTIALS_DIRECTORY" and not _OWN_VARIABLE.fullmatch(name)
    }


def _read(what: str, path: Path, *, guarded: bool = False) -> str:
    try:
        if not guarded:
            refuse_others(what[0].lower() + what[1:], path)
        content = read_bytes(path, MAX_SECRET_BYTES)
    except OSError:
        raise BadConfiguration(
            f"{what} cannot be read from {path}.", fix="Put it there, readable for who runs Jarvis."
        ) from None
    except ValueError:
        raise _none(what) from None
    return _checked(what, content.decode("ascii", "replace"))


def _checked(what: str, text: str) -> str:
    secret = text.strip()
    if not secret or len(secret) > MAX_SECRET_BYTES or not all("!" <= letter <= "~" for letter in secret):
        raise _none(what)
    return secret


def _none(what: str) -> BadConfiguration:
    return BadConfiguration(f"{what} is not one.", fix="It is one word, alone in its file.")
