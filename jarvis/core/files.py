"""Files that people write by hand for Jarvis: read as far as a bound, and looked at for who else may read them. It
writes none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""What anybody but a file's owner may do with it."""


def read_bytes(path: Path, most: int) -> bytes:
    """All of it. Raises OSError, and ValueError when it is longer than `most` or no file: a pipe would be waited for
    without end."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most} bytes")
    return content


def read_text(path: Path, most: int) -> str:
    """UTF-8, of at most `most` bytes. Raises as `read_bytes` does, and ValueError for what is no text."""
    try:
        return read_bytes(path, most).decode()
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None


def why(error: OSError | ValueError) -> str:
    """What went wrong with a file, without its name."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error).rstrip(".")
