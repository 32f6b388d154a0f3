"""What every kind of document is: a set of states with a join, and operations that become small states (deltas).

    join is commutative, associative and idempotent; empty is its neutral element
    encode gives the same bytes for equal states, whatever their history

An operation arrives in a record's payload. Its dot and stamp come from the header. `check` is a pure function of
the operation alone, so that every node judges it alike for ever.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from jarvis.core.codec import Value
from jarvis.crdt.dots import Dot

S = TypeVar("S")


class Kind(ABC, Generic[S]):
    """One kind of document. Stateless; the state is `S`, changed only by `absorb`."""

    name: ClassVar[str]
    code: ClassVar[int]
    """In record headers; never reused."""

    @abstractmethod
    def empty(self) -> S: ...

    @abstractmethod
    def check(self, operation: Value) -> None:
        """Raises InvalidBytes unless the operation is one of this kind's, well-formed."""

    @abstractmethod
    def names(self, operation: Value) -> Iterable[Dot]:
        """The dots a checked operation names. It is applied once they are held."""

    def fits(self, state: S, operations: Sequence[Value], author: bytes, document: str) -> None:
        """Raises InvalidBytes unless one record's checked operations go on from what their author wrote here before.

        Asked once the author's earlier records and all named dots are held, before any of the operations is applied.
        The answer may depend on nothing but the operations, the author, the document's name, and what those held
        records say: `state` also holds whatever else has arrived, which differs from node to node and must not count.
        """

    @property
    def shares(self) -> bool:
        """Whether several writes may stand in one record: not where `fits` asks what the author wrote before it."""
        return type(self).fits is Kind.fits

    @abstractmethod
    def delta(self, operation: Value, dot: Dot, hlc: int) -> S:
        """The state that a checked operation is, joined with nothing."""

    @abstractmethod
    def absorb(self, state: S, delta: S) -> None:
        """Join `delta` into `state`, in place, in time proportional to the delta."""

    def join(self, a: S, b: S) -> S:
        """A new state; neither argument changes."""
        result = copy.deepcopy(a)
        self.absorb(result, b)
        return result

    @abstractmethod
    def encode(self, state: S) -> Value: ...

    @abstractmethod
    def decode(self, value: Value) -> S:
        """From bytes of our own store; raises whatever a damaged one causes."""
