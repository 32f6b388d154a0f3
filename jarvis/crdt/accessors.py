"""The names people know, as small typed views of a document's state. A view reads the state and makes operations for a
record; it never changes the state and keeps nothing of its own. Each says which laws it keeps.

    counter    on `up_counter` and `counter` documents
    set        grow-only, on `set` documents
    register   one key of a map document
    or_set     observed-remove set, on a map document
    or_map     observed-remove map, on a map document
"""

from __future__ import annotations

import builtins
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from jarvis.core.codec import Value, pack
from jarvis.crdt.counter import Counters
from jarvis.crdt.gset import GSet
from jarvis.crdt.mvmap import MAX_KEY_BYTES, Key, MVMap, Write

_HASHED = b"\xc1"
"""Begins no msgpack value, so that no short element can pass for a long one's hash."""


def element_key(element: Value) -> bytes:
    """What an element is compared by: its canonical bytes, or their SHA-256 when a key may not be that long. Canonical,
    since in Python 1 == True and 0.0 == -0.0. Raises InvalidBytes for what has no canonical bytes."""
    data = pack(element)
    return data if len(data) <= MAX_KEY_BYTES else _HASHED + hashlib.sha256(data).digest()


@dataclass(frozen=True)
class Counter:
    """Laws: the value is the sum of everything that was counted, whatever the order, delay or repetition of arrival;
    nobody's counting is lost to anybody else's; no one can undo another's. An up-only counter never falls as records
    arrive. Not kept: a bound. Two rooms that each count down from 1 meet at -1."""

    state: Counters
    name: str = "value"

    @property
    def value(self) -> int:
        return self.state.value(self.name)

    def add(self, by: int, author: bytes) -> Value:
        """The operation that counts `by`; `author` is who will sign it. Raises InvalidInput for a step down on an
        up-only counter, and when the author's own total would leave 63 bits."""
        return self.state.count(self.name, by, author)


@dataclass(frozen=True)
class GrowSet:
    """Laws: what was added is in the set, for every node, for good; adding twice is adding once. Elements are compared
    by canonical bytes. Not offered: removal."""

    state: GSet

    def __contains__(self, element: Value) -> bool:
        return element_key(element) in self._keyed()

    def __iter__(self) -> Iterator[Value]:
        """In the order in which they were first added."""
        return iter(self._keyed().values())

    def __len__(self) -> int:
        return len(self._keyed())

    def add(self, element: Value) -> list[Value]:
        """The operations that add it: none when it is there already."""
        return [] if element in self else [GSet.add(element)]

    def _keyed(self) -> dict[bytes, Value]:
        keyed: dict[bytes, Value] = {}
        for entry in self.state.entries():
            keyed.setdefault(element_key(entry.value), entry.value)
        return keyed


@dataclass(frozen=True)
class Register:
    """Laws: a write replaces all writes that its author had seen, and no other. Where this differs from a plain
    register: writes made without knowledge of each other all remain in `values` until a later one is chosen; `value`
    shows the one with the greatest (hlc, author, seq), the same on every node that holds the same records."""

    state: MVMap
    key: Key

    @property
    def value(self) -> Value | None:
        write = self.state.get(self.key)
        return None if write is None else write.value

    @property
    def values(self) -> list[Value]:
        """All that nobody replaced, the one shown first."""
        return [write.value for write in self.state.writes(self.key)]

    def set(self, value: Value) -> Value:
        """The operation that replaces everything seen here."""
        return self.state.put(self.key, value)

    def clear(self) -> Value:
        return self.state.delete(self.key)


@dataclass(frozen=True)
class ORMap:
    """Laws: a removal takes away the writes that were seen where it was made, so a concurrent write of the same key
    wins and the key stays; a removed key can be written again. Concurrent writes of one key all remain, as in a
    register. Keys are any canonical values; a write under a key that is not its own is not shown."""

    state: MVMap

    def __iter__(self) -> Iterator[Value]:
        """The keys, by their canonical bytes."""
        return (write.value[0] for write in self._shown())

    def __len__(self) -> int:
        return sum(1 for _ in self._shown())

    def items(self) -> list[tuple[Value, Value]]:
        return [(write.value[0], write.value[1]) for write in self._shown()]

    def __contains__(self, key: Value) -> bool:
        return any(_is_pair_of(one, element_key(key)) for one in self.state.writes(element_key(key)))

    def get(self, key: Value) -> Value | None:
        values = self.values(key)
        return values[0] if values else None

    def values(self, key: Value) -> list[Value]:
        """All that nobody replaced, the one shown first."""
        wanted = element_key(key)
        return [write.value[1] for write in self.state.writes(wanted) if _is_pair_of(write, wanted)]

    def put(self, key: Value, value: Value) -> Value:
        """The operation that writes `value` over everything seen under `key` here."""
        return self.state.put(element_key(key), [key, value])

    def remove(self, key: Value) -> Value:
        """The operation that removes everything seen under `key` here."""
        return self.state.delete(element_key(key))

    def _shown(self) -> Iterator[Write]:
        keys = self.state.keys()
        for key in keys:
            writes = (write for write in self.state.writes(key) if _is_pair_of(write, key))
            yield from itertools.islice(writes, 1)


@dataclass(frozen=True)
class ORSet:
    """Laws: an element is in the set while an addition of it remains that no removal has seen, so adding wins over a
    concurrent removal; a removed element can be added again; adding twice is adding once. Elements are compared by
    canonical bytes."""

    state: MVMap

    def __contains__(self, element: Value) -> bool:
        return element in ORMap(self.state)

    def __iter__(self) -> Iterator[Value]:
        """By their canonical bytes."""
        return iter(ORMap(self.state))

    def __len__(self) -> int:
        return len(ORMap(self.state))

    def add(self, element: Value) -> Value:
        return ORMap(self.state).put(element, None)

    def remove(self, element: Value) -> Value:
        return ORMap(self.state).remove(element)


def _is_pair_of(write: Write, key: Key) -> bool:
    """Whether it is [key, value] under its own key; a member may have written anything."""
    pair = write.value
    return isinstance(pair, (builtins.list, tuple)) and len(pair) == 2 and element_key(pair[0]) == key


def counter(state: Counters, name: str = "value") -> Counter:
    """One counter of a counter document."""
    return Counter(state, name)


def set(state: GSet) -> GrowSet:
    """A grow-only set document."""
    return GrowSet(state)


def register(state: MVMap, key: Key = "value") -> Register:
    """One register of a map document."""
    return Register(state, key)


def or_set(state: MVMap) -> ORSet:
    """A map document as an observed-remove set."""
    return ORSet(state)


def or_map(state: MVMap) -> ORMap:
    """A map document as an observed-remove map."""
    return ORMap(state)
