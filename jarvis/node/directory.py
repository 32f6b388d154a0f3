"""The data directory: one directory is one node. It knows where each thing lies and nothing of what it means.

lock            held while a node runs or is being founded
keys/           node.key, node.crt (PEM, for TLS), store.key; 0700, files 0600
store/          jarvis.db, encrypted
index/          vectors and opaque ids of the library, where `knowledge.index` is `disk`
run/api.json    address and token of the running node's API
jarvis.toml     settings, if a person wrote any
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from jarvis.core.errors import BadConfiguration
from jarvis.core.secrets import credential
from jarvis.identity.certificate import key_pem, make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.store.files import cannot_use, create_private_file, make_private_directory
from jarvis.store.keyfile import open_key, read_key
from jarvis.store.lock import DirectoryLock
from jarvis.store.sqlcipher import SqlCipherStore

CREDENTIAL = "jarvis.store-key"
"""The store's key as a service is given it by systemd, where a person keeps it apart from the store."""


class DataDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.node_key = self.path / "keys" / "node.key"
        self.certificate = self.path / "keys" / "node.crt"
        self.store_key = self.path / "keys" / "store.key"
        self.database = self.path / "store" / "jarvis.db"
        self.index = self.path / "index"
        self._founding = self.path / "founding"

    def lock(self) -> DirectoryLock:
        return DirectoryLock(self.path)

    def holds_a_node(self) -> bool:
        """Its key is the last thing that founding writes."""
        return self.node_key.exists()

    def must_hold_a_node(self) -> None:
        if not self.holds_a_node():
            raise BadConfiguration(
                f"There is no node in {self.path}.",
                fix="Found a home with `jarvis init`, or join one with `jarvis node join CODE`.",
            )

    @contextmanager
    def founding(self) -> Iterator[None]:
        """Claim an empty directory, or one where an earlier founding was cut short; when it fails, leave it as empty
        as before. Raises BadConfiguration when a node lives here, or a store whose key is missing: that is never
        thrown away."""
        with self.lock():
            self._claim()
            try:
                yield
            except BaseException:
                if not self.holds_a_node():
                    self._abandon()
                raise

    def must_be_free(self) -> None:
        if self.holds_a_node():
            raise BadConfiguration(
                f"{self.path} already holds a node.", fix="Choose another directory with --data-dir, or use this one."
            )

    def _claim(self) -> None:
        self.must_be_free()
        if self._founding.exists():
            self._abandon()
        if self.database.exists() and self.database.stat().st_size:
            raise BadConfiguration(
                f"{self.path} holds a store, but its node's key is missing.",
                fix="Put back keys/node.key, or choose another directory with --data-dir.",
            )
        create_private_file(self._founding, b"")

    def _abandon(self) -> None:
        for path in (self.certificate, self.store_key, *self.database.parent.glob(f"{self.database.name}*")):
            path.unlink(missing_ok=True)
        self._founding.unlink(missing_ok=True)

    def forget(self) -> None:
        """Empty the directory of a node that has left its home; the caller holds the lock. The mark of a founding that
        was cut short comes first: whatever happens from then on, the directory can be founded anew."""
        if not self._founding.exists():
            create_private_file(self._founding, b"")
        self.node_key.unlink(missing_ok=True)
        self._abandon()
        rmtree(self.index, ignore_errors=True)
        for folder in (self.node_key.parent, self.database.parent):
            with suppress(OSError):  # a person keeps something of theirs in it
                folder.rmdir()

    def create_identity(self, key: SigningKey) -> None:
        """Write the node's key and certificate, durable when this returns; the key last."""
        make_private_directory(self.node_key.parent)
        try:
            create_private_file(self.certificate, ssl.DER_cert_to_PEM_cert(make_certificate(key)).encode())
            create_private_file(self.node_key, key_pem(key))
            self._founding.unlink(missing_ok=True)
        except FileExistsError:
            raise BadConfiguration(f"{self.node_key.parent} already holds a node's key.") from None

    def load_identity(self) -> SigningKey:
        try:
            private = load_pem_private_key(self.node_key.read_bytes(), password=None)
        except OSError as error:
            raise cannot_use(self.node_key, error) from None
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise BadConfiguration(
                f"{self.node_key} is not a node's key.", fix="Put back the file that belongs to this directory."
            )
        return SigningKey(private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    async def open_store(self) -> SqlCipherStore:
        """Open the encrypted store, creating key and file in an empty directory."""
        make_private_directory(self.database.parent)
        given = credential(CREDENTIAL)
        key = open_key(self.store_key, self.database) if given is None else read_key(given, guarded=True)
        return await SqlCipherStore.open(self.database, key)
