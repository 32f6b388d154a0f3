"""Records that cannot be accepted yet: one before them is missing, or a record they name, or a membership entry. Each
is looked at again only when what it waits for has come, so that a full room costs the others nothing. Bounded and in
memory only; what does not fit is dropped, and asked for again when its turn comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from jarvis.core.ids import NODE_ID_BYTES
from jarvis.identity.record import SignedRecord

MAX_PER_AUTHOR = 1_000
MAX_BYTES = 8 * 1024 * 1024
"""Of all authors together: a burst of a hundred full frames."""
MAX_NODE_BYTES = 2 * 1024 * 1024
"""Of one node's authors together: it may have any number of them, and must leave room for other nodes."""
NEED_BYTES = 256
"""What remembering one need takes in memory, about."""

DELETED = -1
Need = tuple[bytes, int]
"""(author, seq) that must be held, or (membership entry id, 0) that must be known, or (a document's name, DELETED):
what came without its payload waits for the document's deletion."""
_Key = tuple[bytes, int]
"""(author, seq) of a record that waits."""


@dataclass(slots=True)
class _Waiting:
    record: SignedRecord
    needs: list[Need]
    """Met from the last to the first; the last is the one it is filed under."""
    size_bytes: int


class WaitingRoom:
    def __init__(self) -> None:
        self._waiting: dict[_Key, _Waiting] = {}
        self._by_need: dict[Need, set[_Key]] = {}
        self._count: Counter[bytes] = Counter()
        """Records by author."""
        self._bytes: Counter[bytes] = Counter()
        """By node."""
        self.size_bytes = 0
        self.dropped = 0

    def put(self, record: SignedRecord, needs: Sequence[Need]) -> None:
        """Keep it until all `needs` (at least one, none of them met) are met, unless it is here already or a bound is
        reached: then it is dropped, counted. One with its payload takes the place of itself without."""
        author, node = record.header.author, record.header.node_id
        key = (author, record.header.seq)
        waits = self._waiting.get(key)
        if waits is not None and (waits.record.payload is not None or record.payload is None):
            return
        self.drop(*key)
        size_bytes = record.size_bytes + NEED_BYTES * len(needs)
        if (
            self._count[author] >= MAX_PER_AUTHOR
            or self._bytes[node] + size_bytes > MAX_NODE_BYTES
            or self.size_bytes + size_bytes > MAX_BYTES
        ):
            self.dropped += 1
            return
        self._waiting[key] = waiting = _Waiting(record, list(needs), size_bytes)
        self._file(key, waiting)
        self._account(author, 1, size_bytes)

    def release(self, met: Need, is_met: Callable[[Need], bool]) -> list[SignedRecord]:
        """Take out the records that now wait for nothing; called once for each need that was met."""
        ready = []
        for key in sorted(self._by_need.pop(met, ())):
            waiting = self._waiting[key]
            while waiting.needs and is_met(waiting.needs[-1]):
                waiting.needs.pop()
            if waiting.needs:
                self._file(key, waiting)
            else:
                self._remove(key)
                ready.append(waiting.record)
        return ready

    def take(self, documents: Set[str]) -> list[SignedRecord]:
        """Those of documents that were deleted, whatever they wait for: they need nothing any more."""
        keys = [key for key, waiting in self._waiting.items() if waiting.record.header.document in documents]
        records = [self._waiting[key].record for key in sorted(keys)]
        for key in keys:
            self.drop(*key)
        return records

    def take_all(self) -> list[SignedRecord]:
        """Everything, in the order of authors and numbers: what they wait for must be judged anew."""
        records = [self._waiting[key].record for key in sorted(self._waiting)]
        self.clear()
        return records

    def drop(self, author: bytes, seq: int) -> None:
        """Forget what waits under this number, if anything: another way has been found."""
        waiting = self._waiting.get((author, seq))
        if waiting is not None:
            filed = self._by_need[waiting.needs[-1]]
            filed.discard((author, seq))
            if not filed:
                del self._by_need[waiting.needs[-1]]
            self._remove((author, seq))

    def items(self) -> list[tuple[SignedRecord, Need]]:
        """Everything, in the order of authors and numbers, with what each waits for first."""
        return [(one.record, one.needs[-1]) for _, one in sorted(self._waiting.items())]

    def clear(self) -> None:
        self._waiting.clear()
        self._by_need.clear()
        self._count.clear()
        self._bytes.clear()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def _file(self, key: _Key, waiting: _Waiting) -> None:
        self._by_need.setdefault(waiting.needs[-1], set()).add(key)

    def _remove(self, key: _Key) -> None:
        self._account(key[0], -1, -self._waiting.pop(key).size_bytes)

    def _account(self, author: bytes, records: int, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        for counter, name, change in (
            (self._count, author, records),
            (self._bytes, author[:NODE_ID_BYTES], size_bytes),
        ):
            counter[name] += change
            if not counter[name]:
                del counter[name]
