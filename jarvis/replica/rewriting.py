"""What this node wrote under a name that forked, written again under the name it goes on with: turns, entries and
values as they were meant, once and in order. Only what it holds itself, and only where that still makes sense: nothing
is written over what somebody else wrote since, and text and counters, which lean on their author's own past, are left
to people. What is written again says so where it can, so that a disk put back later does not write it a third time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt.dots import Dot, read_dot, read_dots
from jarvis.crdt.gset import ADD
from jarvis.crdt.lifecycle import DELETE as DELETE_FOR_GOOD
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.mvmap import PUT, MVMap
from jarvis.crdt.registry import kind_of
from jarvis.crdt.session import TURN, Session, reply_key
from jarvis.identity.record import SignedRecord, operations_of
from jarvis.replica.accepted import Accepted
from jarvis.replica.bounds import Bounds
from jarvis.replica.composition import Composition
from jarvis.store.protocol import ASIDE, StoredRecord, Transaction

AGAIN = "written_again"
"""Beside what a turn or an entry says: the start of the hash of the record in which it stood first, and its place
there. Not its dot, which two histories of a fork share."""
_MARK_BYTES = 16
MAX_RECORDS = 1_000
"""Written again in one transaction."""
_DONE = "replica/rewritten/"
_KEY_LIMITS = Limits(size_bytes=128, depth=2, items=8)


@dataclass(slots=True)
class Rewritten:
    """What one transaction did."""

    authors: set[bytes] = field(default_factory=set)
    written: int = 0
    """Operations that stand again."""
    left: int = 0
    """Operations that stay set aside."""
    records: list[SignedRecord] = field(default_factory=list)
    accepted: Accepted = field(default_factory=Accepted)


class Rewriting:
    """In one transaction; `author` is the name to go on with."""

    def __init__(self, tx: Transaction, composition: Composition, author: bytes) -> None:
        self._tx = tx
        self._composition = composition
        self._author = author
        self._now: dict[Dot, Dot] = {}
        """Where what was set aside stands again."""
        self._mine: set[Dot] = set()
        """The same places."""
        self._again: dict[str, set[bytes]] = {}
        """By document, what was written again before."""

    def run(self, records: list[StoredRecord]) -> Rewritten:
        done = Rewritten()
        for record in records:
            done.authors.add(record.author)
            assert record.payload is not None  # what was set aside was valid; what was erased is not aside
            for op, operation in enumerate(operations_of(record.payload)):
                mark = [record.hash[:_MARK_BYTES], op]
                if self._write(record.document, operation, Dot(record.author, record.seq, op), mark):
                    done.written += 1
                else:
                    done.left += 1
        found, done.accepted = self._composition.finish()
        done.records = list(found.values())
        for record in records:
            _note(self._tx, record)
        return done

    def _write(self, document: str, operation: Value, was: Dot, mark: Value) -> bool:
        made: list[Value] = []

        def make(state: Any) -> list[Value]:
            again = self._translated(document, state, operation, mark)
            made.extend([] if again is None else [again])
            return made

        try:
            place = self._composition.add(document, make)
        except InvalidInput:  # its session was deleted since
            return False
        if place is not None:
            now = self._now[was] = Dot(self._author, place.seq, place.op)
            self._mine.add(now)
        return place is not None

    def _translated(self, document: str, state: Any, operation: Any, mark: Value) -> Value | None:
        """The operation that says the same now; None where that makes no sense any more."""
        match state:
            case Session():
                return self._in_session(document, state, operation, mark)
            case MVMap():
                return self._in_map(state, operation)
            case Lifecycle():
                return _in_lifecycle(state, operation)
        kind = kind_of(document)
        if kind is not None and kind.name == "gset" and operation[0] == ADD and isinstance(operation[1], dict):
            seen = self._seen(document, (entry.value for entry in state.entries()))
            return None if pack(mark) in seen else [ADD, {**operation[1], AGAIN: mark}]
        return None

    def _in_session(self, document: str, state: Session, operation: Any, mark: Value) -> Value | None:
        if operation[0] == TURN:
            if pack(mark) in self._seen(document, (turn.utterance for turn in state.turns.values())):
                return None
            follows = None if operation[1] is None else self._now.get(read_dot(operation[1]), read_dot(operation[1]))
            kept = list(follows) if follows in state.turns else None
            return [TURN, kept, {**operation[2], AGAIN: mark}]
        turn = _turn_of(operation[1])
        key = operation[1] if turn is None else reply_key(self._now.get(turn, turn))
        stands = turn is None or self._now.get(turn, turn) in state.turns
        if operation[0] != PUT or not stands or state.registers.get(key) is not None:
            return None
        return state.registers.put(key, operation[2])

    def _in_map(self, state: MVMap, operation: Any) -> Value | None:
        """Unless somebody else has written there since."""
        seen = set(read_dots(operation[-1]))
        if any(write.at.dot not in seen and write.at.dot not in self._mine for write in state.writes(operation[1])):
            return None
        return state.put(operation[1], operation[2]) if operation[0] == PUT else state.delete(operation[1])

    def _seen(self, document: str, values: Iterable[Value]) -> set[bytes]:
        if document not in self._again:
            marks = [value[AGAIN] for value in values if isinstance(value, dict) and AGAIN in value]
            self._again[document] = {pack(mark) for mark in marks}
        return self._again[document]


def forked_away(tx: Transaction, bounds: Bounds, node_id: bytes) -> list[StoredRecord]:
    """Records of this node's own authors that a fork of theirs has set aside and that were not looked at yet, in order;
    at most MAX_RECORDS."""
    found: list[StoredRecord] = []
    for author in sorted(bounds.forks):
        if not author.startswith(node_id):
            continue
        least, most = _done(tx, author)
        seq = bounds.forks[author].seq
        while len(found) < MAX_RECORDS:
            if least <= seq <= most:
                seq = most + 1
            record = tx.record(author, seq)
            if record is None:
                break
            if record.status == ASIDE:
                found.append(record)
            seq += 1
    return found


def _turn_of(key: Value) -> Dot | None:
    """The turn that a reply's register belongs to."""
    if not isinstance(key, bytes):
        return None
    try:
        return read_dot(unpack(key, _KEY_LIMITS))
    except InvalidBytes:
        return None


def _in_lifecycle(state: Lifecycle, operation: Any) -> Value | None:
    one = operation[1]
    known = one in state.deleted or (operation[0] != DELETE_FOR_GOOD and one in state.living())
    return None if known else list(operation)


def _done(tx: Transaction, author: bytes) -> tuple[int, int]:
    """The first and the last number that was looked at; an earlier fork that becomes known later adds some below."""
    data = tx.get(_DONE + author.hex())
    if data is None:
        return 0, -1
    least, most = unpack(data, _KEY_LIMITS)
    return least, most


def _note(tx: Transaction, record: StoredRecord) -> None:
    least, most = _done(tx, record.author)
    if most < 0:
        least, most = record.seq, record.seq
    tx.put(_DONE + record.author.hex(), pack([min(least, record.seq), max(most, record.seq)]))
