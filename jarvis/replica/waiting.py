"""Records that cannot be accepted yet: one before them is missing, or a record they name, or a membership entry.
Bounded and in memory only; what does not fit is dropped, and asked for again when its turn comes."""

from __future__ import annotations

from jarvis.identity.record import SignedRecord

MAX_PER_AUTHOR = 1_000
MAX_BYTES = 8 * 1024 * 1024
"""Of all authors together: a burst of a hundred full frames."""


class WaitingRoom:
    def __init__(self) -> None:
        self._by_author: dict[bytes, dict[int, SignedRecord]] = {}
        self.size_bytes = 0
        self.dropped = 0

    def put(self, record: SignedRecord) -> None:
        """Keep it, unless it is here already or a bound is reached: then it is dropped, counted."""
        author = record.header.author
        mine = self._by_author.get(author, {})
        if record.header.seq in mine:
            return
        if len(mine) >= MAX_PER_AUTHOR or self.size_bytes + record.size_bytes > MAX_BYTES:
            self.dropped += 1
            return
        self._by_author.setdefault(author, {})[record.header.seq] = record
        self.size_bytes += record.size_bytes

    def take(self, author: bytes, seq: int) -> SignedRecord | None:
        mine = self._by_author.get(author)
        record = mine.pop(seq, None) if mine else None
        if record is not None:
            self.size_bytes -= record.size_bytes
            if not mine:
                del self._by_author[author]
        return record

    def forget_below(self, author: bytes, seq: int) -> None:
        """Drop an author's records up to `seq`, which are held by now."""
        for old in [one for one in self._by_author.get(author, ()) if one <= seq]:
            self.take(author, old)

    def authors(self) -> list[bytes]:
        return sorted(self._by_author)

    def clear(self) -> None:
        self._by_author.clear()
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_author.values()))
