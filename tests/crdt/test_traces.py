"""Recorded editing by several people, replayed: what each saw when they wrote is a set of earlier transactions, as
in published traces. `SharedText` must come to what every one of them saw, and to what the library makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from jarvis.core.codec import pack
from jarvis.crdt.text import Edit, SharedText, client_id
from jarvis.crdt.yjs_blocks import ROOT

DOCUMENT = "notes/trace"
ALPHABET = ["a", "b ", "\n", "ä", "e\u0301", "中文", "\U0001f95a", "\U0001d518", "\U0001f469\u200d\U0001f467", "\u200f"]


@dataclass(frozen=True)
class Transaction:
    """One person's patches, each (position, how many deleted, what inserted) in scalar values, one after another;
    `parents`: the transactions that had been seen, with all before them."""

    agent: int
    parents: tuple[int, ...]
    patches: tuple[tuple[int, int, str], ...]


def author(agent: int) -> bytes:
    return bytes([agent + 1]) * 32


def seen(trace: list[Transaction], parents: tuple[int, ...]) -> list[int]:
    """These and all before them, in the order of the recording."""
    found: set[int] = set()
    waiting = list(parents)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += trace[one].parents
    return sorted(found)


class Ours:
    """One copy for each person; edits go to whoever the recording says had seen them."""

    def __init__(self, agents: int) -> None:
        self.copies = [SharedText(author(agent), DOCUMENT) for agent in range(agents)]
        self.made: list[list[Edit]] = []
        self._merged: list[set[int]] = [set() for _ in range(agents)]

    def hear(self, agent: int, transactions: list[int]) -> None:
        for one in transactions:
            if one not in self._merged[agent]:
                self._merged[agent].add(one)
                for edit in self.made[one]:
                    self.copies[agent].merge(edit)

    def write(self, transaction: Transaction) -> str:
        copy = self.copies[transaction.agent]
        self._merged[transaction.agent].add(len(self.made))
        self.made.append([_patch(copy, *patch) for patch in transaction.patches])
        return copy.text


def _patch(copy: SharedText, position: int, deleted: int, inserted: str) -> Edit:
    if deleted and inserted:
        return copy.replace(position, deleted, inserted)
    return copy.delete(position, deleted) if deleted else copy.insert(position, inserted)


class Reference:
    """The library without anything of ours: one document for each person, UTF-8 positions, whole updates."""

    def __init__(self, agents: int) -> None:
        from pycrdt import Doc, Text

        self.docs: list[Any] = [Doc(client_id=client_id(author(agent), DOCUMENT)) for agent in range(agents)]
        self.texts = [doc.get(ROOT, type=Text) for doc in self.docs]
        self._updates: list[bytes] = []

    def hear(self, agent: int, transactions: list[int]) -> None:
        for one in transactions:
            self.docs[agent].apply_update(self._updates[one])

    def write(self, transaction: Transaction) -> str:
        doc, text = self.docs[transaction.agent], self.texts[transaction.agent]
        before = doc.get_state()
        for position, deleted, inserted in transaction.patches:
            now = str(text)
            at, end = len(now[:position].encode()), len(now[: position + deleted].encode())
            with doc.transaction():
                if deleted:
                    del text[at:end]
                if inserted:
                    text.insert(at, inserted)
        self._updates.append(doc.get_update(before))
        return str(text)


def replay(trace: list[Transaction], agents: int) -> str:
    """The text that everybody ends with."""
    ours, reference = Ours(agents), Reference(agents)
    for transaction in trace:
        before = seen(trace, transaction.parents)
        for one in (ours, reference):
            one.hear(transaction.agent, before)
        assert ours.write(transaction) == reference.write(transaction)
    everything = list(range(len(trace)))
    for agent in range(agents):
        ours.hear(agent, everything)
        reference.hear(agent, everything)
    told = {copy.text for copy in ours.copies} | {str(text) for text in reference.texts}
    assert len(told) == 1
    assert len({pack(copy.encoded()) for copy in ours.copies}) == 1
    assert not any(copy.state.waiting for copy in ours.copies)
    late = SharedText(author(99), DOCUMENT)
    for one in reversed(ours.made):
        for edit in one:
            late.merge(edit)
    assert late.text == late.state.text == told.copy().pop()
    return told.pop()


def recorded(seed: int, agents: int, length: int) -> list[Transaction]:
    """People who type, delete and paste, and hear of each other now and then; positions are made with a plain list of
    what each sees, never with the product."""
    rng = random.Random(seed)
    trace: list[Transaction] = []
    reference = Reference(agents)
    known: list[set[int]] = [set() for _ in range(agents)]
    last: list[int | None] = [None] * agents
    for _ in range(length):
        agent = rng.randrange(agents)
        other = rng.randrange(agents)
        if rng.random() < 0.3 and last[other] is not None:
            fresh = sorted(set(seen(trace, (last[other],))) - known[agent])  # type: ignore[arg-type]
            reference.hear(agent, fresh)
            known[agent] |= {*fresh}
        patches = []
        text = str(reference.texts[agent])
        for _ in range(rng.randrange(1, 4)):
            position = rng.randint(0, len(text))
            deleted = min(len(text) - position, rng.choice((0, 0, 0, 1, 5)))
            inserted = "".join(rng.choices(ALPHABET, k=rng.randrange(0 if deleted else 1, 4)))
            patches.append((position, deleted, inserted))
            text = text[:position] + inserted + text[position + deleted :]
        tips = tuple(sorted(one for one in known[agent] if not any(one in trace[two].parents for two in known[agent])))
        transaction = Transaction(agent, tips, tuple(patches))
        trace.append(transaction)
        assert reference.write(transaction) == text
        known[agent].add(len(trace) - 1)
        last[agent] = len(trace) - 1
    return trace


@pytest.mark.parametrize("seed", range(6))
def test_a_trace_of_several_people_gives_what_everybody_saw(seed):
    replay(recorded(seed, agents=2 + seed % 3, length=120), agents=2 + seed % 3)


def test_people_who_never_heard_of_each_other():
    alone = [Transaction(agent, (), ((0, 0, word),)) for agent, word in enumerate(("milk", "\U0001f95a", "e\u0301"))]
    merged = replay(alone, 3)
    assert sorted(merged) == sorted("milk\U0001f95ae\u0301")


def test_a_small_trace_written_by_hand():
    trace = [
        Transaction(0, (), ((0, 0, "e\u0301\U0001f95az"),)),
        Transaction(1, (0,), ((2, 1, "\U0001d518"),)),  # the egg, one scalar value, is replaced
        Transaction(0, (0,), ((1, 1, ""),)),  # the accent is a scalar value of its own
        Transaction(1, (1, 2), ((3, 0, "!"),)),
    ]
    assert replay(trace, 2) == "e\U0001d518z!"
