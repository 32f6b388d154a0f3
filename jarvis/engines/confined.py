"""For a process that reads what strangers made: what it may do, and how it opens a file. It is called in that process,
before anything is read."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space. Most of it is libraries and reserve: a book of a thousand pages takes 200 MiB."""
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


def confine(memory_bytes: int = MEMORY_BYTES) -> None:
    """From now on this process writes no file, leaves no core, and has only so much memory."""
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def open_without_links(path: Path) -> int:
    """A file to read from. Folder by folder: whoever may write to one could put a link in its place since it was looked
    at, and lead out of what was given. Raises OSError."""
    *folders, name = path.absolute().parts
    here = os.open(folders[0], _FOLDER)
    try:
        for folder in folders[1:]:
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
