"""Erasing what people deleted. A deletion is a record of a lifecycle document; whoever applies it takes the content of
the document it names from its disk, in the same transaction, and keeps what comes of that document later without its
payload. Headers, signatures and hashes stay, so that every chain goes on and can be verified.

What is erased cannot be given back. So a deletion is never undone: where the record that made it no longer counts, or
was only heard of, a node that erased on its word deletes again in its own name. It must not judge what is erased: that
would make its status depend on the order in which things came.
"""

from __future__ import annotations

from collections.abc import Iterable

from jarvis.core.codec import Value
from jarvis.crdt.dots import Dot
from jarvis.crdt.lifecycle import DELETE
from jarvis.crdt.registry import AUDITS, SESSIONS, governed, lifecycle_of
from jarvis.identity.record import SignedRecord
from jarvis.replica.documents import Documents
from jarvis.replica.validity import judge
from jarvis.store.protocol import APPLIED, StoredRecord, Transaction

LIFECYCLES = (AUDITS, SESSIONS)
MAX_DELETED = 256
"""Ids in one record of our own."""
_ERASED = "replica/erased/"


class Erasure:
    """Remembers, within one batch, which deletions were heard of before they could be applied."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._heard: set[str] = set()
        self._owed = True
        """Whether something may have been erased without a deletion that counts; also by an earlier life."""

    def is_deleted(self, tx: Transaction, document: str) -> bool:
        where = lifecycle_of(document)
        return where is not None and where[1] in self._documents.state(tx, where[0]).deleted

    def may_be_erased(self, tx: Transaction, document: str) -> bool:
        """Whether a record of it needs no payload: it is deleted, or will be when this batch is done."""
        return document in self._heard or self.is_deleted(tx, document)

    def hear(self, record: SignedRecord) -> set[str]:
        """An authentic record that cannot be applied yet. The documents that it deletes: what comes of them without
        payload is believed, else the record that waits for what it deletes would wait for ever."""
        if record.header.document not in LIFECYCLES:
            return set()
        verdict = judge(record, -1)
        heard = deleted_by(record.header.document, verdict.operations) if verdict.status == APPLIED else set()
        self._heard |= heard
        return heard

    def erase(self, tx: Transaction, documents: Iterable[str]) -> set[str]:
        """Those that had any content here."""
        erased = {document for document in documents if tx.erase(document)}
        for document in erased:
            self.noted(tx, document)
        self._documents.reload(erased)
        return erased

    def noted(self, tx: Transaction, document: str) -> None:
        """Something of the document was erased here, or kept without its payload."""
        if tx.get(_ERASED + document) is None:
            tx.put(_ERASED + document, b"")
        self._owed = self._owed or document in self._heard

    def restated(self, tx: Transaction, changed: set[str]) -> set[str]:
        """Other records count than before: erase what is deleted now. Returns what was."""
        self._owed = True
        found: set[str] = set()
        for lifecycle in changed.intersection(LIFECYCLES):
            ids = self._documents.state(tx, lifecycle).deleted
            found |= {document for one in ids if (document := governed(lifecycle, one)) is not None}
        return self.erase(tx, found)

    def to_delete_again(self, tx: Transaction) -> list[tuple[str, list[bytes]]]:
        """At the end of a batch, the ids of what was erased here without a deletion that counts, by lifecycle
        document. They are deleted now, so what was heard is forgotten."""
        self._heard.clear()
        if not self._owed:
            return []
        self._owed = False
        again: dict[str, list[bytes]] = {}
        for document in sorted(self.erased(tx)):
            where = lifecycle_of(document)
            assert where is not None  # nothing else is ever erased
            if not self.is_deleted(tx, document):
                again.setdefault(where[0], []).append(where[1])
        return [
            (lifecycle, ids[at : at + MAX_DELETED])
            for lifecycle, ids in sorted(again.items())
            for at in range(0, len(ids), MAX_DELETED)
        ]

    def erased(self, tx: Transaction) -> set[str]:
        """Documents of which something was erased here."""
        return {key.removeprefix(_ERASED) for key in tx.keys(_ERASED)}

    def deletion(self, tx: Transaction, document: str) -> StoredRecord | None:
        """The record that deleted a document, where it is still held."""
        lifecycle, one = lifecycle_of(document) or ("", b"")
        dot: Dot | None = self._documents.state(tx, lifecycle).deleted.get(one) if lifecycle else None
        return None if dot is None else tx.record(dot.author, dot.seq)

    def forget(self) -> None:
        self._heard.clear()
        self._owed = True


def deleted_by(document: str, operations: Iterable[Value]) -> set[str]:
    """The documents that these checked operations of a lifecycle document delete."""
    if document not in LIFECYCLES:
        return set()
    found = {governed(document, operation[1]) for operation in operations if operation[0] == DELETE}
    return {one for one in found if one is not None}
