"""The documents' states. A state is what its applied records add up to; it is rebuilt from the last checkpoint, or
the base, and the records after it, kept in memory while in use, and checkpointed as it grows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jarvis.core.codec import Value, pack, unpack
from jarvis.crdt.kind import Kind
from jarvis.crdt.registry import kind_of
from jarvis.replica.bases import OWN_LIMITS, absorb, absorb_record, begin, digest_of, write_state
from jarvis.store.protocol import Checkpoint, Transaction

CHECKPOINT_EVERY = 512
"""Operations, at least: loading replays no more of a small document. Nor is a checkpoint written again before what came
after it is as large: so however a document grows, all its checkpoints together cost about twice what its records do,
and loading replays at most as much again as it decodes."""
MAX_LOADED = 256
"""Documents in memory; the least recently used goes first."""


@dataclass(slots=True)
class _Loaded:
    kind: Kind[Any]
    state: Any
    checkpoint_bytes: int = 0
    operations: int = 0
    """Since the checkpoint; their records' payloads have `bytes_since`."""
    bytes_since: int = 0
    digest: bytes | None = None

    def replayed(self, operations: int, payload_bytes: int) -> None:
        self.operations += operations
        self.bytes_since += payload_bytes
        self.digest = None

    @property
    def is_due(self) -> bool:
        return self.operations >= CHECKPOINT_EVERY and self.bytes_since >= self.checkpoint_bytes


class Documents:
    def __init__(self) -> None:
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()

    def state(self, tx: Transaction, document: str) -> Any:
        """The state of a document of a known kind; empty when nothing was written. Not to be changed by the caller."""
        return self._load(tx, document).state

    def fit(self, tx: Transaction, document: str, operations: tuple[Value, ...], author: bytes) -> None:
        """Raises InvalidBytes when a record's operations do not go on from what their author wrote there before."""
        loaded = self._load(tx, document)
        loaded.kind.fits(loaded.state, operations, author, document)

    def apply(
        self,
        tx: Transaction,
        document: str,
        operations: tuple[Value, ...],
        dot: tuple[bytes, int],
        hlc: int,
        payload_bytes: int,
    ) -> None:
        """Join a record's operations into its document. The record itself is put by `checkpoint_if_due`'s caller."""
        loaded = self._load(tx, document)
        absorb(loaded.kind, loaded.state, operations, dot, hlc)
        loaded.replayed(len(operations), payload_bytes)

    def checkpoint_if_due(self, tx: Transaction, document: str, position: int) -> None:
        loaded = self._loaded[document]
        if loaded.is_due:
            data = pack(loaded.kind.encode(loaded.state))
            tx.put_checkpoint(document, Checkpoint(position, data))
            loaded.checkpoint_bytes, loaded.operations, loaded.bytes_since = len(data), 0, 0

    def digest(self, tx: Transaction, document: str) -> bytes:
        """SHA-256 of the document's canonical bytes: equal on every node that holds the same records."""
        loaded = self._load(tx, document)
        if loaded.digest is None:
            loaded.digest = digest_of(write_state(document, loaded.kind, loaded.state))
        return loaded.digest

    def reload(self, documents: Iterable[str]) -> None:
        """What counts in these has changed: read them anew when they are next asked for."""
        for document in documents:
            self._loaded.pop(document, None)

    def forget(self) -> None:
        """After work was undone: nothing in memory can be trusted any more."""
        self._loaded.clear()

    def _load(self, tx: Transaction, document: str) -> _Loaded:
        loaded = self._loaded.get(document)
        if loaded is not None:
            self._loaded.move_to_end(document)
            return loaded
        kind = kind_of(document)
        assert kind is not None, document
        checkpoint, position = tx.checkpoint(document), 0
        if checkpoint is not None:
            state, position = kind.decode(unpack(checkpoint.state, OWN_LIMITS)), checkpoint.position
            loaded = _Loaded(kind, state, len(checkpoint.state))
        else:
            loaded = _Loaded(kind, *begin(tx, document, kind))
        for record in tx.document_records(document, position):
            loaded.replayed(*absorb_record(kind, loaded.state, record))
        self._loaded[document] = loaded
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        return loaded
