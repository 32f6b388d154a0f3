"""Which sessions there are: a grow-only set of ids and a permanent set of deleted ones, each with the first operation
that deleted it. Removal wins: an id once deleted stays deleted, whatever was added before, meanwhile or later.

Source: the two-phase set, Shapiro et al., 2011, section 3.3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot
from jarvis.crdt.kind import Kind

ADD, DELETE = "add", "delete"
MAX_ID_BYTES = 32


@dataclass
class Lifecycle:
    added: set[bytes] = field(default_factory=set)
    deleted: dict[bytes, Dot] = field(default_factory=dict)
    """With the least dot that deleted each: a node that erased a document shows that record to those who ask why."""

    def living(self) -> set[bytes]:
        return self.added - self.deleted.keys()

    @staticmethod
    def add(one: bytes) -> Value:
        return [ADD, one]

    @staticmethod
    def delete(one: bytes) -> Value:
        return [DELETE, one]


class LifecycleKind(Kind[Lifecycle]):
    name = "lifecycle"
    code = 4

    def empty(self) -> Lifecycle:
        return Lifecycle()

    def check(self, operation: Value) -> None:
        if (
            not isinstance(operation, list)
            or len(operation) != 2
            or operation[0] not in (ADD, DELETE)
            or not isinstance(operation[1], bytes)
            or not 0 < len(operation[1]) <= MAX_ID_BYTES
        ):
            raise InvalidBytes("Not an operation on a set of sessions.")

    def names(self, operation: Value) -> Iterable[Dot]:
        return ()

    def delta(self, operation: Value, dot: Dot, hlc: int) -> Lifecycle:
        one = operation[1]
        return Lifecycle(added={one}) if operation[0] == ADD else Lifecycle(deleted={one: dot})

    def absorb(self, state: Lifecycle, delta: Lifecycle) -> None:
        state.added |= delta.added
        for one, dot in delta.deleted.items():
            state.deleted[one] = min(dot, state.deleted.get(one, dot))

    def encode(self, state: Lifecycle) -> Value:
        return [sorted(state.added), [[one, list(dot)] for one, dot in sorted(state.deleted.items())]]

    def decode(self, value: Value) -> Lifecycle:
        added, deleted = value
        return Lifecycle(set(added), {one: Dot(*dot) for one, dot in deleted})
