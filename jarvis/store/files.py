"""Directories that only their owner may read, and directory entries that survive a power cut. Nothing here may follow
a half-made file: what is created is durable when the call returns."""

from __future__ import annotations

import os
from pathlib import Path

from jarvis.core.errors import StoreFailed


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable; a file's own fsync does not."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_directory(path: Path) -> None:
    """Create `path` and what is missing above it, mode 0700, durably; one that is there stays as it is.

    Raises StoreFailed when it cannot be made."""
    if path.is_dir():
        return
    try:
        make_private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise cannot_use(path, error) from None


def create_private_file(path: Path, content: bytes) -> None:
    """Make a new file of mode 0600, durable when this returns, whole or not at all.

    Raises FileExistsError when one is there already, StoreFailed when the disk refuses."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, this cannot replace a file that somebody else made meanwhile
        sync_directory(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise cannot_use(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


def cannot_use(path: Path, error: OSError) -> StoreFailed:
    """What the operating system said about `path`, with what to look at."""
    return StoreFailed(
        f"{path} cannot be used: {error.strerror or error}.",
        fix=f"Check who owns {path.parent}, its mode, how it is mounted and whether the disk has room.",
    )
