"""A map of multi-value registers. A write names the dots it replaces; all writes that nobody replaced remain, a read
shows the greatest (hlc, author, seq), and `conflicts` shows the rest. Removal is a replacement without a write.

The dots that were replaced are kept, a few bytes each, so that a replacement and what it replaces may arrive in
either order, twice, or by different ways.

Source: multi-value register, Shapiro et al., "A comprehensive study of CRDTs", 2011, section 3.2.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot, DotSet, Stamped, read_dots, stamped
from jarvis.crdt.kind import Kind

Key = str | bytes
MAX_KEY_BYTES = 128
PUT, DELETE = "put", "del"


class Write(NamedTuple):
    at: Stamped
    value: Value


@dataclass
class MVMap:
    """State: what is written and not replaced, and which dots were replaced."""

    _writes: dict[Key, dict[Dot, Write]] = field(default_factory=dict)
    _key_of: dict[Dot, Key] = field(default_factory=dict)
    replaced: DotSet = field(default_factory=DotSet)

    def keys(self) -> list[Key]:
        """Text before bytes, each sorted."""
        return sorted(self._writes, key=lambda key: (isinstance(key, bytes), key))

    def writes(self, key: Key) -> list[Write]:
        """All that remain, the one to show first."""
        return sorted(self._writes.get(key, {}).values(), key=lambda write: write.at, reverse=True)

    def get(self, key: Key) -> Write | None:
        writes = self._writes.get(key)
        return max(writes.values(), key=lambda write: write.at) if writes else None

    def conflicts(self) -> dict[Key, list[Write]]:
        """Keys with more than one write remaining."""
        return {key: self.writes(key) for key in self.keys() if len(self._writes[key]) > 1}

    def put(self, key: Key, value: Value) -> Value:
        """The operation that writes `value` over everything seen here."""
        return [PUT, key, value, self._dots(key)]

    def delete(self, key: Key) -> Value:
        """The operation that removes everything seen here."""
        return [DELETE, key, self._dots(key)]

    def _dots(self, key: Key) -> list[list[Value]]:
        return [list(dot) for dot in sorted(self._writes.get(key, {}))]

    def add(self, key: Key, write: Write) -> None:
        dot = write.at.dot
        if dot not in self.replaced:
            self._writes.setdefault(key, {})[dot] = write
            self._key_of[dot] = key

    def drop(self, dot: Dot) -> None:
        self.replaced.add(dot)
        key = self._key_of.pop(dot, None)
        if key is not None:
            writes = self._writes[key]
            del writes[dot]
            if not writes:
                del self._writes[key]

    def items(self) -> Iterator[tuple[Key, Write]]:
        for key in self.keys():
            for write in sorted(self._writes[key].values(), key=lambda write: write.at):
                yield key, write


class MVMapKind(Kind[MVMap]):
    name = "mvmap"
    code = 1

    def empty(self) -> MVMap:
        return MVMap()

    def check(self, operation: Value) -> None:
        if not isinstance(operation, list) or not operation:
            raise InvalidBytes("Not an operation on a map.")
        shape = {PUT: 4, DELETE: 3}.get(operation[0]) if isinstance(operation[0], str) else None
        if shape != len(operation) or not is_key(operation[1]):
            raise InvalidBytes("Not an operation on a map.")
        read_dots(operation[-1])

    def names(self, operation: Value) -> Iterable[Dot]:
        return read_dots(operation[-1])

    def delta(self, operation: Value, dot: Dot, hlc: int) -> MVMap:
        result = MVMap(replaced=DotSet(read_dots(operation[-1])))
        if operation[0] == PUT:
            result.add(operation[1], Write(stamped(hlc, dot), operation[2]))
        return result

    def absorb(self, state: MVMap, delta: MVMap) -> None:
        for dot in delta.replaced:
            state.drop(dot)
        for key, write in delta.items():
            state.add(key, write)

    def encode(self, state: MVMap) -> Value:
        return [[[key, list(at), value] for key, (at, value) in state.items()], state.replaced.encode()]

    def decode(self, value: Value) -> MVMap:
        writes, replaced = value
        state = MVMap(replaced=DotSet.decode(replaced))
        for key, at, item in writes:
            state.add(key, Write(Stamped(*at), item))
        return state


def is_key(value: Value) -> bool:
    if isinstance(value, str):
        # A lone surrogate, which JSON can bring in, has no bytes of its own and fails when the operation is packed.
        return 0 < len(value.encode(errors="surrogatepass")) <= MAX_KEY_BYTES
    return isinstance(value, bytes) and 0 < len(value) <= MAX_KEY_BYTES
