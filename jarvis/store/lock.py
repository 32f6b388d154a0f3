"""One data directory, one running node. The lock is the operating system's (flock), so it ends with its process
however that ends; the file beside it only names the holder and is never removed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from jarvis.core.errors import BadConfiguration
from jarvis.store.files import cannot_use, make_private_directory

LOCK_FILE = "lock"


class DirectoryLock:
    """Held from `acquire` to `release`, or as a context manager; children that are exec'd do not inherit it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        self._handle: int | None = None

    def acquire(self) -> None:
        """Raises BadConfiguration naming the holder's pid when another holds it, StoreFailed when the disk refuses."""
        make_private_directory(self._path.parent)
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise cannot_use(self._path, error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise BadConfiguration(
                f"Another Jarvis{f' (pid {holder})' if holder.isdigit() else ''} runs on this data directory.",
                fix="Stop it first, or give this one another --data-dir.",
            ) from None
        except OSError as error:
            os.close(handle)
            raise cannot_use(self._path, error) from None
        self._handle = handle

    def release(self) -> None:
        """Releasing what is not held is no error."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
