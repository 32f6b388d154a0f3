"""A document's content as bytes that can be copied: its chunks, cut into pieces that fit a request, and one hash over
all of them by which each piece can be told from a false one the moment it comes. Pure.

The hash is the root of a tree over the pieces: whoever knows it needs, beside a piece, a dozen hashes to see that the
piece stands at its place, and need not trust who gave it.

Source: RFC 9162, "Certificate Transparency Version 2.0", section 2.1 (a level's last node without a partner moves up).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.knowledge.embedding import MAX_CHARACTERS

HASH_BYTES = 32
PIECE_BYTES = 28 * 1024
"""Of an answer's 32 KiB, and two of them leave a link idle enough for partial transcripts (links.link_run)."""
PIECE_CHUNKS = 50
"""What comes at once, two pieces, is one work of the store: a hundred chunks, ten milliseconds."""
MAX_PIECES = 4_096
"""112 MiB; the longest text that is read from a file has half of it."""
_PROOF_HASHES = MAX_PIECES.bit_length()
_PIECE = Limits(size_bytes=PIECE_BYTES, depth=2, items=3 * PIECE_CHUNKS + 1)

Chunk = tuple[str, str]
"""(place, text)"""


@dataclass(frozen=True, slots=True)
class Blob:
    """A document's content, by its name."""

    root: bytes
    pieces: int
    size_bytes: int

    def to_value(self) -> Value:
        return [self.root, self.pieces, self.size_bytes]

    @classmethod
    def from_value(cls, value: Value) -> Blob | None:
        """None for what is none: a member may write anything."""
        if not isinstance(value, list) or [type(one) for one in value] != [bytes, int, int]:
            return None
        root, pieces, size_bytes = value
        fits = 1 <= pieces <= MAX_PIECES and 0 < size_bytes <= pieces * PIECE_BYTES
        return cls(root, pieces, size_bytes) if len(root) == HASH_BYTES and fits else None


@dataclass(slots=True)
class Cut:
    """The pieces of a document, as its chunks are read one after another."""

    firsts: list[int] = field(default_factory=list)
    """Of each piece its first chunk."""
    leaves: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    _rows: list[Chunk] = field(default_factory=list)
    _bytes: int = 0
    _chunks: int = 0
    _levels: list[list[bytes]] = field(default_factory=list)

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Raises InvalidBytes for a document that cannot be copied."""
        for row in chunks:
            size_bytes = len(pack(row))
            if self._rows and (self._bytes + size_bytes > PIECE_BYTES or len(self._rows) == PIECE_CHUNKS):
                self._close()
            self._rows.append(row)
            self._bytes = (self._bytes or 3) + size_bytes  # a list's own head is at most three
            if self._bytes > PIECE_BYTES:
                raise InvalidBytes("A passage is too long for a piece.")

    def _close(self) -> None:
        if self._rows:
            piece = write_chunks(self._rows)
            self.firsts.append(self._chunks)
            self.leaves.append(leaf(piece))
            self.size_bytes += len(piece)
            self._chunks += len(self._rows)
            self._rows, self._bytes = [], 0
        if len(self.leaves) > MAX_PIECES:
            raise InvalidBytes("A document is too long to be copied.")

    def blob(self) -> Blob:
        """Of all that was added; nothing may be added afterwards. Raises InvalidBytes."""
        self._close()
        if not self.leaves:
            raise InvalidBytes("There is nothing to copy.")
        self._levels = list(_levels(self.leaves))
        return Blob(self._levels[-1][0], len(self.leaves), self.size_bytes)

    @property
    def root(self) -> bytes:
        """Once `blob` was called."""
        return self._levels[-1][0]

    def chunks_of(self, index: int) -> tuple[int, int]:
        """A piece's first chunk, and how many."""
        after = self.firsts[index + 1] if index + 1 < len(self.firsts) else self._chunks
        return self.firsts[index], after - self.firsts[index]

    def proof(self, index: int) -> list[bytes]:
        """The hashes that lead from this piece to the root, once `blob` was called."""
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index //= 2
        return path


def blob_of(chunks: Iterable[Chunk]) -> Blob | None:
    """None for content that cannot be copied."""
    cut = Cut()
    try:
        cut.add(chunks)
        return cut.blob()
    except InvalidBytes:
        return None


def leaf(piece: bytes) -> bytes:
    return hashlib.sha256(b"\0" + piece).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _levels(level: list[bytes]) -> Iterator[list[bytes]]:
    yield level
    while len(level) > 1:
        pairs = [_node(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
        yield level


def belongs(blob: Blob, index: int, piece: bytes, proof: Sequence[bytes]) -> bool:
    """Whether these bytes are that piece of the content."""
    if not 0 <= index < blob.pieces or len(piece) > PIECE_BYTES:
        return False
    found, left, count = leaf(piece), list(reversed(proof)), blob.pieces
    while count > 1:
        if index ^ 1 < count:
            if not left:
                return False
            other = left.pop()
            found = _node(other, found) if index % 2 else _node(found, other)
        index, count = index // 2, (count + 1) // 2
    return not left and found == blob.root


def write_chunks(chunks: Sequence[Chunk]) -> bytes:
    return pack([list(one) for one in chunks])


def read_chunks(piece: bytes) -> list[Chunk]:
    """Raises InvalidBytes for what this program would not have written."""
    rows = unpack(piece, _PIECE)
    if not isinstance(rows, list) or not 1 <= len(rows) <= PIECE_CHUNKS:
        raise InvalidBytes("Those are no chunks of a document.")
    for row in rows:
        if not isinstance(row, list) or [type(one) for one in row] != [str, str] or len(row[1]) > MAX_CHARACTERS:
            raise InvalidBytes("That is no chunk of a document.")
    return [(place, text) for place, text in rows]


# --- what is said over links --------------------------------------------------------------------------------------

MAX_ID_CHARS = 64
MAX_TOLD = 100
"""Unfinished copies that a node tells of."""
MAX_PROBLEM_CHARS = 200
_WANTED = Limits(size_bytes=256, depth=1, items=4)
_GIVEN = Limits(size_bytes=31 * 1024, depth=2, items=_PROOF_HASHES + 3)
_PROGRESS = Limits(size_bytes=32 * 1024, depth=2, items=4 * MAX_TOLD + 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    document: str
    root: bytes
    """Of the content that is meant."""
    index: int


def write_wanted(wanted: Wanted) -> bytes:
    return pack([wanted.document, wanted.root, wanted.index])


def read_wanted(body: bytes) -> Wanted:
    """Raises InvalidBytes."""
    match unpack(body, _WANTED):
        case [str(document), bytes(root), int(index)] if len(document) <= MAX_ID_CHARS and len(root) == HASH_BYTES:
            if 0 <= index < MAX_PIECES:
                return Wanted(document, root, int(index))
    raise InvalidBytes("That asks for no piece of a document.")


def write_given(piece: bytes, proof: Sequence[bytes]) -> bytes:
    return pack([piece, list(proof)])


def read_given(body: bytes) -> tuple[bytes, list[bytes]]:
    """(piece, proof). Raises InvalidBytes."""
    match unpack(body, _GIVEN):
        case [bytes(piece), list(proof)] if all(isinstance(one, bytes) and len(one) == HASH_BYTES for one in proof):
            return piece, proof
    raise InvalidBytes("That is no piece of a document.")


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a copy that is not whole."""

    pieces: int
    """That have come."""
    problem: str = ""
    """Why no more come; empty while they do."""


def write_progress(copies: dict[str, Progress]) -> bytes:
    rows = [[name, one.pieces, one.problem[:MAX_PROBLEM_CHARS]] for name, one in sorted(copies.items())]
    return pack(rows[:MAX_TOLD])


def read_progress(body: bytes) -> dict[str, Progress]:
    """Raises InvalidBytes."""
    rows = unpack(body, _PROGRESS)
    if not isinstance(rows, list) or len(rows) > MAX_TOLD:
        raise InvalidBytes("Those are no copies.")
    told: dict[str, Progress] = {}
    for row in rows:
        match row:
            case [str(document), int(pieces), str(problem)] if pieces >= 0 and len(problem) <= MAX_PROBLEM_CHARS:
                told[document] = Progress(int(pieces), "".join(one if one.isprintable() else " " for one in problem))
            case _:
                raise InvalidBytes("That is no copy.")
    return told
