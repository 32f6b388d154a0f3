"""What a kind asks of an author's own earlier words is asked on the accept path, last of all, and judged alike
everywhere: the record is kept as rejected and its author's chain goes on."""

from __future__ import annotations

import itertools

import pytest

from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt.gset import GSetKind
from jarvis.store.protocol import APPLIED, REJECTED
from tests.replica.support import Author, Node

DOCUMENT = "audit/2026-11"


@pytest.fixture
def rising(monkeypatch):
    """A kind whose authors must count upwards."""

    def fits(self, state, operations, author, document):
        assert document == DOCUMENT
        own = [entry.value for entry in state.entries() if entry.at.author == author]
        values = own + [operation[1] for operation in operations]
        if any(a >= b for a, b in itertools.pairwise(values)):
            raise InvalidBytes("It does not count upwards.")

    monkeypatch.setattr(GSetKind, "fits", fits)


def add(author, *values):
    return author.write(DOCUMENT, *[["add", value] for value in values])


@pytest.mark.usefixtures("rising")
@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_every_order_of_arrival_gives_the_same_verdicts(order):
    node, author, other = Node(), Author(1), Author(2)
    records = [add(author, 1), add(author, 3, 2), add(author, 2, 4), add(author, 4), add(other, 1)]
    statuses = {}
    for number in order:
        for one in node.accept(records[number]).records:
            statuses[one.author, one.seq] = one.status
    assert [statuses[author.name, seq] for seq in (1, 2, 3, 4)] == [APPLIED, REJECTED, APPLIED, REJECTED]
    assert statuses[other.name, 1] == APPLIED
    assert node.seq(author.name) == 4
    assert node.restart().digest() == node.digest()


@pytest.mark.usefixtures("rising")
def test_our_own_misfit_is_refused_before_it_is_kept():
    node = Node()
    node.append(DOCUMENT, ["add", 5])
    with pytest.raises(InvalidInput):
        node.append(DOCUMENT, ["add", 5])
