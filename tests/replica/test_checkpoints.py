"""What checkpoints cost stays in proportion to what was written, however a document grows; and they add up."""

from __future__ import annotations

from typing import Any

import pytest

from jarvis.crdt.gset import GSet
from jarvis.replica import documents
from jarvis.replica.manifest import root_of
from jarvis.store.protocol import Checkpoint
from tests.replica.support import NOW, OWNER, Author, Node, make_chain

DOCUMENT = "audit/2026-01"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each checkpoint."""
    sizes: list[int] = []

    def counted(position: int, state: bytes) -> Checkpoint:
        sizes.append(len(state))
        return Checkpoint(position, state)

    monkeypatch.setattr(documents, "Checkpoint", counted)
    monkeypatch.setattr(documents, "CHECKPOINT_EVERY", 8)
    return sizes


def test_a_growing_document_is_not_written_again_and_again(written: list[int]) -> None:
    node, author = Node(), Author(1)
    records = [author.write(DOCUMENT, GSet.add("x" * 50)) for _ in range(1_000)]
    node.accept(*records)
    payloads = sum(len(record.payload) for record in records)
    assert sum(written) < 4 * payloads  # all of it every 8 records would be some 80 times
    assert node.restart().digest() == node.digest()


def test_a_document_that_stays_small_is_replayed_from_near(written: list[int]) -> None:
    node, author = Node(), Author(1)
    dots: tuple[Any, ...] = ()
    for _ in range(100):
        node.accept(author.put("a.b", "c", *dots))
        dots = ((author.name, author.seq, 0),)
    assert len(written) == 100 // 8
    assert node.restart().digest() == node.digest()


def test_every_operation_of_a_record_counts(written: list[int]) -> None:
    node, author = Node(), Author(1)
    node.accept(author.write(DOCUMENT, *[GSet.add(n) for n in range(7)]))
    assert not written
    node.accept(author.write(DOCUMENT, GSet.add(7)))
    assert len(written) == 1


def test_a_checkpoint_from_below_a_horizon_hides_nothing(written: list[int]) -> None:
    """The records that came after it are deleted; what they said stands in the base alone."""
    chain = make_chain(0)
    node = Node(chain)
    for number in range(30):
        node.append(DOCUMENT, GSet.add(number))
    assert written
    frontier = node.store.transact(lambda tx: node.replica.proposing.frontier(tx, [], ()))
    manifest = None
    while manifest is None:
        manifest = node.store.transact(lambda tx: node.replica.horizons.make(tx, frontier))
    grown = chain.declare_horizon(OWNER, frontier, root_of(manifest.encode()), {}, (), at_ms=NOW)
    before = node.state(DOCUMENT).entries()
    node.store.transact(lambda tx: node.replica.accept_membership(tx, grown.entries))
    while node.store.transact(node.replica.take_horizon)[0].more:
        pass
    node.append(DOCUMENT, GSet.add(30))
    for one in (node, node.restart()):
        assert [entry.value for entry in one.state(DOCUMENT).entries()] == list(range(31))
        assert one.state(DOCUMENT).entries()[:30] == before
    assert node.restart().digest() == node.digest()
