"""Whether a disk that reports success still takes anything in. It must stay beside the files it speaks for, and be
asked after their fsync, before anyone is told of it.

When ext4 gives up (its journal is aborted: an SD card dies), an fsync under way may report success all the same, and
what the file grew by is dropped. What changes a file's length must begin a transaction of its own, and was refused at
once wherever that happened. Measured on Linux 6.18, not read in its source: docs/decisions/0040.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""A file system that needs room for it: what was synced before stays where it is."""


class Witness:
    def __init__(self, path: Path) -> None:
        """A file of its own. Raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size_bytes = os.fstat(self._file).st_size

    def ask(self) -> None:
        """Raises OSError when what an fsync said before this may not be so."""
        self._size_bytes = 0 if self._size_bytes else 1
        try:
            os.ftruncate(self._file, self._size_bytes)
        except OSError as error:
            if error.errno not in _ROOM:
                raise

    def close(self) -> None:
        os.close(self._file)
