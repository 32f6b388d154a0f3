"""The file that holds the store's raw key: 32 random bytes, mode 0600, in a directory of its own apart from the
database, so that copying the database alone reveals nothing. It does not protect against theft of the whole device.
A key that exists is never overwritten."""

from __future__ import annotations

import secrets
from pathlib import Path

from jarvis.core.errors import BadConfiguration
from jarvis.core.secrets import refuse_others
from jarvis.store.files import cannot_use, create_private_file, make_private_directory

KEY_BYTES = 32


def open_key(path: Path, database: Path) -> bytes:
    """The key for `database`: read from `path`, or created there when neither file exists yet.

    Raises BadConfiguration when the database is there but its key is not, since a new key could not open it."""
    if not path.exists() and not (database.exists() and database.stat().st_size):
        return create_key(path)
    return read_key(path)


def read_key(path: Path, *, guarded: bool = False) -> bytes:
    """32 bytes. Raises BadConfiguration when the file is missing, is no key, or can be read by others than its owner;
    StoreFailed when the disk refuses. `guarded`: whoever handed it over has seen to who reads it."""
    if not guarded:
        _refuse_others(path.parent)
        _refuse_others(path)
    try:
        with path.open("rb") as file:
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise cannot_use(path, error) from None
    if len(key) != KEY_BYTES:
        raise BadConfiguration(
            f"{path} is not a store key: it does not have {KEY_BYTES} bytes.",
            fix="Put back the key file that belongs to the store.",
        )
    return key


def create_key(path: Path) -> bytes:
    """A new random key, durable at `path` when this returns, whole or not at all.

    Raises BadConfiguration when a file is there already, StoreFailed when the disk refuses."""
    key = secrets.token_bytes(KEY_BYTES)
    make_private_directory(path.parent)
    _refuse_others(path.parent)
    try:
        create_private_file(path, key)
    except FileExistsError:
        raise BadConfiguration(f"{path} exists already.", fix="Keep it: it opens your store.") from None
    return key


def _refuse_others(path: Path) -> None:
    """Raises BadConfiguration when group or others have any right on `path`, or it is not there."""
    try:
        refuse_others("the store's key", path)
    except FileNotFoundError:
        raise BadConfiguration(
            f"The store's key {path} is missing.", fix="Put it back, or restore a backup into an empty --data-dir."
        ) from None
    except OSError as error:
        raise cannot_use(path, error) from None
