"""Reads the blocks of one edit of a text in Yjs' update format, version 1, so that nothing reaches the text that an
honest editor could not have made: runs of characters and deleted runs of one writer, without a gap, in the root text.
It builds nothing but what it found, and must never hand on what it did not understand.

Source of the format: yjs `src/utils/encoding.js`, `src/structs/*.js`, and lib0 `encoding.js`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from jarvis.core.errors import InvalidBytes

ROOT = "text"
"""The name of the root text within its Yjs document."""
MAX_CLOCK = 2**31 - 1
"""UTF-16 units one writer may ever write in one text. The library counts in 32 bits."""
MAX_CLIENT = 2**53 - 1
_GC, _DELETED, _STRING = 0, 1, 4
_CONTENT, _HAS_LEFT, _HAS_RIGHT = 0x1F, 0x80, 0x40


class Id(NamedTuple):
    """One UTF-16 unit: the `clock`-th that `client` wrote."""

    client: int
    clock: int


class Block(NamedTuple):
    clock: int
    length: int
    """In UTF-16 units."""
    left: Id | None
    """What it was written behind."""
    right: Id | None
    text: str
    """Empty when it was deleted before it was sent."""


class Range(NamedTuple):
    """Deleted: `length` units from `clock` on."""

    client: int
    clock: int
    length: int


@dataclass(frozen=True, slots=True)
class Update:
    client: int | None
    """Whose blocks; None without blocks."""
    blocks: tuple[Block, ...]
    deleted: tuple[Range, ...]

    @property
    def start(self) -> int:
        return self.blocks[0].clock if self.blocks else 0

    @property
    def end(self) -> int:
        """Just behind the last block."""
        return self.blocks[-1].clock + self.blocks[-1].length if self.blocks else 0

    def halves(self) -> Iterator[int]:
        """Clocks of second halves of characters that take two units: no boundary may stand before one."""
        for block in self.blocks:
            if not block.text.isascii():
                clock = block.clock
                for character in block.text:
                    if character > "\uffff":
                        yield clock + 1
                        clock += 1
                    clock += 1

    def references(self) -> Iterator[tuple[Id, Id | None]]:
        """(last unit that must be there, where a character begins or None) for all that it stands on. A boundary just
        behind the last unit of its writer is one too."""
        for block in self.blocks:
            if block.left is not None:
                yield block.left, Id(block.left.client, block.left.clock + 1)
            if block.right is not None:
                yield block.right, block.right
        for client, clock, length in self.deleted:
            last = Id(client, clock + length - 1)
            yield last, Id(client, clock)
            yield last, Id(client, clock + length)


def utf16_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text) if not text.isascii() else len(text)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise InvalidBytes("An edit ends too early.")
        self._at += 1
        return self._data[self._at - 1]

    def number(self, most: int = MAX_CLOCK) -> int:
        """Seven bits a byte, lowest first, in as few bytes as it takes."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if value > most or shift > 56:
                raise InvalidBytes("A number in an edit is too large.")
            if byte < 0x80:
                if byte == 0 and shift > 7:
                    raise InvalidBytes("A number in an edit is longer than it needs to be.")
                return value

    def text(self) -> str:
        size = self.number()
        data = self._data[self._at : self._at + size]
        if len(data) != size:
            raise InvalidBytes("An edit ends too early.")
        self._at += size
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise InvalidBytes("An edit's text is not UTF-8.") from None

    def id(self) -> Id:
        return Id(self.number(MAX_CLIENT), self.number())

    def end(self) -> None:
        if self._at != len(self._data):
            raise InvalidBytes("Something follows an edit.")


def read_update(data: bytes) -> Update:
    """The blocks and deletions of one edit. Raises InvalidBytes for anything else: formats, embeds, maps, other roots,
    gaps (skips), several writers, empty runs, numbers that are too large or spelled too long."""
    reader = _Reader(data)
    client, blocks = None, []
    writers = reader.number()
    if writers > 1:
        raise InvalidBytes("An edit holds blocks of several writers.")
    if writers:
        count, client, clock = reader.number(), reader.number(MAX_CLIENT), reader.number()
        if count == 0:
            raise InvalidBytes("An edit names a writer without blocks.")
        for _ in range(count):
            block = _read_block(reader, clock)
            blocks.append(block)
            clock += block.length
            if clock > MAX_CLOCK:
                raise InvalidBytes("An edit is too long.")
    deleted = tuple(_read_deleted(reader))
    reader.end()
    return Update(client, tuple(blocks), deleted)


def _read_block(reader: _Reader, clock: int) -> Block:
    info = reader.byte()
    if info == _GC:
        return Block(clock, _length(reader), None, None, "")
    if info & _CONTENT not in (_DELETED, _STRING) or info & ~(_CONTENT | _HAS_LEFT | _HAS_RIGHT):
        raise InvalidBytes("An edit holds something other than text.")
    left = reader.id() if info & _HAS_LEFT else None
    right = reader.id() if info & _HAS_RIGHT else None
    if left is None and right is None and (reader.number() != 1 or reader.text() != ROOT):
        raise InvalidBytes("An edit is of another text.")
    if info & _CONTENT == _DELETED:
        return Block(clock, _length(reader), left, right, "")
    text = reader.text()
    if not text:
        raise InvalidBytes("An edit holds an empty run.")
    return Block(clock, utf16_units(text), left, right, text)


def _read_deleted(reader: _Reader) -> Iterator[Range]:
    seen = set()
    for _ in range(reader.number()):
        client = reader.number(MAX_CLIENT)
        if client in seen:
            raise InvalidBytes("An edit deletes of one writer twice.")
        seen.add(client)
        behind = 0
        for _ in range(reader.number()):
            clock, length = reader.number(), _length(reader)
            if clock < behind or clock + length > MAX_CLOCK:
                raise InvalidBytes("What an edit deletes does not rise.")
            behind = clock + length
            yield Range(client, clock, length)


def _length(reader: _Reader) -> int:
    length = reader.number()
    if length == 0:
        raise InvalidBytes("An edit holds an empty run.")
    return length
