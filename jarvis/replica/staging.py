"""What peers have brought of a horizon's manifest and documents, piece by piece, before it is whole: on disk, so that a
restart goes on where it was, and under the digest that it must have, so that a newer horizon takes over what did not
change. Nothing here is believed until its digest was found."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.store.protocol import Transaction

_STAGED = "horizon/staged/"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document's canonical bytes, or of the manifest's (document "")."""

    document: str
    offset: int
    total: int
    """Of the whole, in bytes."""
    data: bytes | None
    """None when the sender has deleted the document."""


class Staging:
    """A piece stands under its digest and where it ends."""

    @staticmethod
    def size(tx: Transaction, digest: bytes) -> int:
        """Bytes that have come so far."""
        keys = tx.keys(_prefix(digest))
        return int(keys[-1].rpartition("/")[2]) if keys else 0

    def put(self, tx: Transaction, digest: bytes, data: bytes) -> None:
        """The next piece, not empty."""
        tx.put(f"{_prefix(digest)}{self.size(tx, digest) + len(data):012d}", data)

    @staticmethod
    def read(tx: Transaction, digest: bytes) -> bytes:
        return b"".join(tx.get(key) or b"" for key in tx.keys(_prefix(digest)))

    @staticmethod
    def drop(tx: Transaction, digest: bytes) -> None:
        for key in tx.keys(_prefix(digest)):
            tx.delete(key)

    @staticmethod
    def clear(tx: Transaction) -> None:
        for key in tx.keys(_STAGED):
            tx.delete(key)


def _prefix(digest: bytes) -> str:
    return f"{_STAGED}{digest.hex()}/"
