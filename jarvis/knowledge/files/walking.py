"""The files in a folder that can be read, without ever leaving it: links are not followed, so no loop can hold anybody
and nothing outside is reached. What is refused is told by name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jarvis.core.errors import InvalidInput
from jarvis.knowledge.files.opening import refused

MAX_FILES = 20_000
"""In one folder with all that is below: the sources of a large program have ten thousand."""
MAX_DEPTH = 32
"""Folders in one another."""
MAX_SEEN = 400_000
"""Entries looked at, of whatever kind."""
UNREAD_FOLDERS = frozenset(
    "node_modules __pycache__ venv site-packages dist build target vendor bower_components".split()  # noqa: SIM905
)
"""What programs make or fetch, and nobody wrote here."""


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""In a name: whoever is shown it would see another line, or another screen."""


@dataclass(frozen=True, slots=True)
class Refused:
    path: Path
    why: str
    """A sentence."""


def files_in(folder: Path, suffixes: frozenset[str]) -> Iterator[Path | Refused]:
    """The readable files under `folder`, an absolute path, in the order of their names. Hidden files and folders are
    left out, and endings that nobody reads. Raises InvalidInput when it is no folder, or past a bound."""
    if folder.is_symlink() or kind_of(folder) != "folder":
        raise refused(folder, "is not a folder", "Give a folder or a file.")
    found = seen = 0
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        below = []
        for entry in _entries(here):
            seen += 1
            if isinstance(entry, Refused):
                yield entry
                continue
            if not _is_text(entry.name):
                yield Refused(here / entry.name.encode("utf-8", "replace").decode(), "Its name is not UTF-8.")
            elif _CONTROL.search(entry.name):
                yield Refused(here / _CONTROL.sub("?", entry.name), "Its name holds control characters.")
            elif entry.is_symlink():
                yield Refused(here / entry.name, "It is a link.")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in UNREAD_FOLDERS:
                    below.append((here / entry.name, depth + 1))
            elif Path(entry.name).suffix.lower() in suffixes:
                if not entry.is_file(follow_symlinks=False):
                    yield Refused(here / entry.name, "It is not a file.")
                else:
                    found += 1
                    yield here / entry.name
            if found > MAX_FILES or seen > MAX_SEEN:
                raise refused(folder, f"holds more than {MAX_FILES} files to read", "Give a smaller folder.")
        if depth < MAX_DEPTH:
            waiting += reversed(below)
        else:
            yield from (Refused(path, f"It lies more than {MAX_DEPTH} folders deep.") for path, _ in below)


def _entries(folder: Path) -> Sequence[os.DirEntry[str] | Refused]:
    try:
        with os.scandir(folder) as entries:
            return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        return [Refused(folder, f"It cannot be read: {error.strerror}.")]


def _is_text(name: str) -> bool:
    """Python keeps other bytes of a name in a way that nobody can write down."""
    return not any("\ud800" <= one <= "\udfff" for one in name)


def kind_of(path: Path) -> Literal["folder", "file", ""]:
    """With its links followed; "" for anything else, and for what may not be looked at."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else ""


def inside(folder: Path, path: Path) -> bool:
    """Whether `path` lies in `folder`, both as given and with every link followed, and `files_in` would go there."""
    try:
        parts = path.relative_to(folder).parts
        real = path.resolve().relative_to(folder.resolve()).parts
    except (ValueError, OSError, RuntimeError):  # outside, unreadable, a loop
        return False
    hidden = any(part.startswith(".") for part in parts) or any(part in UNREAD_FOLDERS for part in parts[:-1])
    named = all(_is_text(part) and not _CONTROL.search(part) for part in parts)
    return parts == real and not hidden and named and len(parts) <= MAX_DEPTH + 1


def given(path: str | os.PathLike[str]) -> Path:
    """What a person gave, as an absolute path with its links followed: naming a link is asking for what it names.
    Raises InvalidInput when nothing is there."""
    try:
        found = Path(path).expanduser().resolve(strict=True)
        if _CONTROL.search(str(found)) or not _is_text(str(found)):
            raise ValueError("its name holds what nobody can write down")
        return found
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".") or "no such path"
        shown = _CONTROL.sub("?", str(path)).encode("utf-8", "replace").decode()
        raise InvalidInput(f"{shown} cannot be read: {why}.", fix="Check the path.") from None
