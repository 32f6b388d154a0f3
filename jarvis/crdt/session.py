"""A conversation: a grow-only map of turns, each naming the turn it follows, and registers beside them (a turn's
reply, which may be corrected; title; archived).

Order comes from causes first: a turn stands after the one it follows. Turns that follow the same one, said in two
rooms that could not hear each other, stand in the order (hlc, author, seq).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jarvis.core.codec import Value, pack
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot, Stamped, read_dot, stamped
from jarvis.crdt.kind import Kind
from jarvis.crdt.mvmap import MVMap, MVMapKind, Write, is_key

TURN = "turn"
TITLE, ARCHIVED = "title", "archived"
_REGISTERS = MVMapKind()


class Turn(NamedTuple):
    at: Stamped
    follows: Dot | None
    utterance: Value
    """What was heard and where, a map."""


@dataclass
class Session:
    turns: dict[Dot, Turn] = field(default_factory=dict)
    registers: MVMap = field(default_factory=MVMap)

    def in_order(self) -> list[Turn]:
        """Causes first, then (hlc, author, seq, op)."""
        after: dict[Dot | None, list[Turn]] = {}
        for turn in self.turns.values():
            after.setdefault(turn.follows if turn.follows in self.turns else None, []).append(turn)
        ready = list(after.get(None, ()))
        heapq.heapify(ready)
        result = []
        while ready:
            turn = heapq.heappop(ready)
            result.append(turn)
            for following in after.get(turn.at.dot, ()):
                heapq.heappush(ready, following)
        return result

    def reply(self, turn: Dot) -> Write | None:
        return self.registers.get(reply_key(turn))

    def add_turn(self, utterance: Value) -> Value:
        """The operation that says something after everything held here."""
        turns = self.in_order()
        return [TURN, list(turns[-1].at.dot) if turns else None, utterance]

    def add_reply(self, turn: Dot, reply: Value) -> Value:
        """The operation that answers a turn, or corrects the answer."""
        return self.registers.put(reply_key(turn), reply)


def reply_key(turn: Dot) -> bytes:
    return pack(list(turn))


class SessionKind(Kind[Session]):
    name = "session"
    code = 3

    def empty(self) -> Session:
        return Session()

    def check(self, operation: Value) -> None:
        if isinstance(operation, list) and len(operation) == 3 and operation[0] == TURN:
            if operation[1] is not None:
                read_dot(operation[1])
            if not isinstance(operation[2], dict) or not all(is_key(key) for key in operation[2]):
                raise InvalidBytes("A turn's utterance is not a map.")
        else:
            _REGISTERS.check(operation)

    def names(self, operation: Value) -> Iterable[Dot]:
        if operation[0] == TURN:
            return () if operation[1] is None else (read_dot(operation[1]),)
        return _REGISTERS.names(operation)

    def delta(self, operation: Value, dot: Dot, hlc: int) -> Session:
        if operation[0] != TURN:
            return Session(registers=_REGISTERS.delta(operation, dot, hlc))
        follows = None if operation[1] is None else read_dot(operation[1])
        return Session(turns={dot: Turn(stamped(hlc, dot), follows, operation[2])})

    def absorb(self, state: Session, delta: Session) -> None:
        state.turns.update(delta.turns)
        _REGISTERS.absorb(state.registers, delta.registers)

    def encode(self, state: Session) -> Value:
        turns = [
            [list(turn.at), None if turn.follows is None else list(turn.follows), turn.utterance]
            for turn in sorted(state.turns.values())
        ]
        return [turns, _REGISTERS.encode(state.registers)]

    def decode(self, value: Value) -> Session:
        turns, registers = value
        state = Session(registers=_REGISTERS.decode(registers))
        for at, follows, utterance in turns:
            stamp = Stamped(*at)
            state.turns[stamp.dot] = Turn(stamp, None if follows is None else Dot(*follows), utterance)
        return state
