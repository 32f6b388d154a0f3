"""What a sealed backup holds: items one after another, each with its length before it. Pure; it decides nothing about
what the items mean, and measures them before it builds anything.

    item     = length (4 bytes, big-endian) + msgpack array: number, fields
    1 about  node_id, name, room, home_name, records, at_ms      first and once; who made it, and when
    2 entry  bytes, signature                                    the membership chain, in order
    3 value  key, bytes                                          a value of this node's own
    4 fork   proof                                               as `identity.fork` writes it
    5 record header, signature, payload or nil                   in the order in which they arrived; nil once erased
    6 end    records                                             last and once; how many there were
    7 proof  header, signature, payload                          of the record that erased the next one; it comes again
    8 below  document, offset, total, bytes or nil               of the manifest (document "") and documents below the
                                                                 horizon, before all records; nil: it was deleted since
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import get_args, get_type_hints

from jarvis.core.codec import Limits, pack, unpack_canonical
from jarvis.core.errors import BadConfiguration, InvalidBytes

ITEM_LIMITS = Limits(size_bytes=72 * 1024, depth=1, items=16)
"""A record is under 64 KiB, a membership entry under 33."""
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class About:
    node_id: bytes
    name: str
    room: str
    home_name: str
    records: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OwnValue:
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Fork:
    proof: bytes


@dataclass(frozen=True, slots=True)
class Record:
    header: bytes
    signature: bytes
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class End:
    records: int


@dataclass(frozen=True, slots=True)
class Proof:
    header: bytes
    signature: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Below:
    document: str
    offset: int
    total: int
    data: bytes | None


Item = About | Entry | OwnValue | Fork | Record | End | Proof | Below
ITEMS: tuple[type[Item], ...] = (About, Entry, OwnValue, Fork, Record, End, Proof, Below)
"""By their number, from 1."""


def encode(item: Item) -> bytes:
    data = pack([ITEMS.index(type(item)) + 1, *astuple(item)])
    return _LENGTH.pack(len(data)) + data


class Items:
    """From pieces of any length to items. Raises InvalidBytes for what is none, BadConfiguration for an item that only
    a newer program knows."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._first, self._ended = True, False

    def feed(self, data: bytes) -> Iterator[Item]:
        self._waiting += data
        while len(self._waiting) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._waiting)
            if length > ITEM_LIMITS.size_bytes:
                raise InvalidBytes("An item of the backup is too long.")
            end = _LENGTH.size + length
            if len(self._waiting) < end:
                return
            item = _decode(bytes(self._waiting[_LENGTH.size : end]))
            del self._waiting[:end]
            if self._ended or self._first != isinstance(item, About):
                raise InvalidBytes("An item of the backup stands in the wrong place.")
            self._first, self._ended = False, isinstance(item, End)
            yield item

    def finish(self) -> None:
        """Raises InvalidBytes unless all that belongs to a backup has come."""
        if self._waiting or not self._ended:
            raise InvalidBytes("The backup ends too early.")


def _decode(data: bytes) -> Item:
    value = unpack_canonical(data, ITEM_LIMITS)
    if not isinstance(value, list) or not value or type(value[0]) is not int:
        raise InvalidBytes("An item of the backup does not have its fields.")
    number, *content = value
    if not 1 <= number <= len(ITEMS):
        raise BadConfiguration("That backup was made by a newer Jarvis.", fix="Update Jarvis, then restore it.")
    kind = ITEMS[number - 1]
    types = get_type_hints(kind)
    names = [one.name for one in fields(kind)]
    if len(content) != len(names) or any(
        type(one) not in (get_args(types[name]) or (types[name],)) for one, name in zip(content, names, strict=True)
    ):
        raise InvalidBytes("An item of the backup does not have its fields.")
    item: Item = kind(*content)
    return item
