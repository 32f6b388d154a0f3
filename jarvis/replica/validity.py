"""Whether an authentic record may change its document. A pure function of the record and the stamp before it in its
author's chain, never of local state or time: every node judges alike, for ever. An invalid record is kept as
rejected, so that its author's chain goes on and it is never asked for again. Where a kind also asks that an author
goes on from its own earlier words (`Kind.fits`), the replica asks it last, when those are held."""

from __future__ import annotations

from dataclasses import dataclass

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes
from jarvis.crdt.dots import Dot
from jarvis.crdt.registry import kind_of
from jarvis.identity.record import VERSION, SignedRecord, operations_of
from jarvis.store.protocol import APPLIED, ERASED, REJECTED, UNKNOWN


@dataclass(frozen=True, slots=True)
class Verdict:
    status: int
    reason: str = ""
    operations: tuple[Value, ...] = ()
    names: frozenset[Dot] = frozenset()
    """Dots of other records that must be held first."""


def judge(record: SignedRecord, previous_hlc: int) -> Verdict:
    if record.payload is None:
        return Verdict(ERASED)
    header = record.header
    kind = kind_of(header.document)
    if header.version != VERSION or kind is None:
        return Verdict(UNKNOWN, "of a kind that only a newer Jarvis knows")
    if header.hlc <= previous_hlc:
        return Verdict(REJECTED, "its stamp does not rise along the chain")
    if header.kind != kind.code:
        return Verdict(REJECTED, "its kind is not its document's")
    names: set[Dot] = set()
    try:
        operations = operations_of(record.payload)
        for index, operation in enumerate(operations):
            kind.check(operation)
            for dot in kind.names(operation):
                if dot.author != header.author or dot.seq < header.seq:
                    names.add(dot)
                elif (dot.seq, dot.op) >= (header.seq, index):
                    return Verdict(REJECTED, "it names an operation of its own future")
    except InvalidBytes as error:
        return Verdict(REJECTED, str(error))
    return Verdict(APPLIED, "", tuple(operations), frozenset(names))
