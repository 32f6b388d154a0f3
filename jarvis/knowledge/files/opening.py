"""A file's bytes, measured before they are read: regular files only, no links on the way to them, nothing larger than
it may be. What is not so is refused by name."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jarvis.core.errors import InvalidInput
from jarvis.engines.confined import open_without_links
from jarvis.plugins.kinds import FileLimits

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ALLOWED = frozenset("\t\n\r\f\v\x1b")
"""Control characters that text files do hold: a form feed between pages, an escape in a terminal's log."""


def refused(path: Path, why: str, fix: str = "") -> InvalidInput:
    return InvalidInput(f"{path} {why}.", fix=fix)


@contextlib.contextmanager
def opened(path: Path, limits: FileLimits) -> Iterator[BinaryIO]:
    """The file to read from. Raises InvalidInput: absent, a link, no regular file, empty, over `max_bytes`."""
    try:
        handle = open_without_links(path)
    except OSError as error:
        if any(one.is_symlink() for one in path.parents):
            raise refused(path, "lies behind a link", "Give the folder that the link names.") from None
        why = "is a link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise refused(path, why, "Check the path.") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise refused(path, "is not a file", "Give a file.")
    with os.fdopen(handle, "rb") as file:
        if found.st_size == 0:
            raise refused(path, "is empty")
        if found.st_size > limits.max_bytes:
            raise refused(path, f"is larger than {_mib(limits.max_bytes)}", "Cut it into pieces.")
        yield file


def bytes_of(path: Path, limits: FileLimits) -> bytes:
    """All of it, also when it grew since it was measured: then it is refused."""
    with opened(path, limits) as file:
        data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise refused(path, f"is larger than {_mib(limits.max_bytes)}", "Cut it into pieces.")
    return data


def text_of(path: Path, limits: FileLimits) -> str:
    """A text file's characters, lines ending in \\n: UTF-8, UTF-16 with its mark, else Windows-1252. Raises
    InvalidInput for what is binary."""
    data = bytes_of(path, limits)
    coding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(coding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if any(not one.isprintable() and one < " " and one not in _ALLOWED for one in set(text)):
        raise refused(path, "is not a text file: it holds binary data")
    if len(text) > limits.max_chars:
        raise refused(path, f"holds more than {limits.max_chars} characters", "Cut it into pieces.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:g} MiB"
