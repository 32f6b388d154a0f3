"""Under which name this node writes. An author goes on only where nobody can hold more of it than this disk does: made
in this life, alone in the home, or echoed by a member. In doubt the next record begins a new incarnation; reused
numbers after a restore or a clone are the most frequent disaster of such systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jarvis.identity.record import INCARNATION_BYTES
from jarvis.replica.holdings import Holdings
from jarvis.store.protocol import Head, Transaction

_AUTHOR = "replica/author"


class Authorship:
    def __init__(self, node_id: bytes, held: Holdings, entropy: Callable[[int], bytes]) -> None:
        self._node_id = node_id
        self._held = held
        self._entropy = entropy
        self._author: bytes | None = None
        self._confirmed: bytes | None = None
        """The author that may go on writing: made in this life, or echoed by a member."""

    def forget(self) -> None:
        self._author = None

    def open(self, tx: Transaction) -> None:
        """Alone, nobody can hold more of our chain than we do. With others, one of them must say so first (`echo`)."""
        if len(self._held.chain(tx).members) == 1:
            self._confirmed = self.author(tx)

    def author(self, tx: Transaction) -> bytes:
        """Of this node's last record; empty before the first."""
        if self._author is None:
            self._author = tx.get(_AUTHOR) or b""
        return self._author

    def echo(self, tx: Transaction, heads: Mapping[bytes, Head]) -> None:
        """What a member says it durably holds. If that is all we hold of our own author, we may continue its chain."""
        author = self.author(tx)
        if author in heads and heads[author] == self._held.head(tx, author):
            self._confirmed = author

    def writing_author(self, tx: Transaction) -> bytes:
        """Whose the next record of our own will be: the confirmed author, else a new incarnation. Two clones of this
        disk may have forked it beyond what we hold: then nothing more under that name would count."""
        author = self.author(tx)
        next_seq = self._held.head(tx, author).seq + 1
        is_free = next_seq > self._held.settled(tx, author) and self._held.bounds(tx).counts(author, next_seq)
        if not author or not is_free or author != self._confirmed:
            author = self._node_id + self._entropy(INCARNATION_BYTES)
            tx.put(_AUTHOR, author)
            self._author = self._confirmed = author
        return author

    def forsake(self, tx: Transaction) -> None:
        """Never go on under this name: the next record of our own begins a new incarnation."""
        self._author = b""
        tx.put(_AUTHOR, b"")
