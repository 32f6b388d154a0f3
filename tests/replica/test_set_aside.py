"""What was set aside stays so, however often it is stated anew what counts."""

from __future__ import annotations

from jarvis.crdt.registry import CONFIG
from jarvis.identity.entries import Cutoff
from jarvis.identity.fork import fork_proof
from jarvis.store.protocol import ASIDE
from tests.replica.support import CHAIN, KEYS, NOW, OWNER, Author, Node


def test_a_record_that_names_what_never_came_stays_aside_when_a_fork_is_learned():
    """The cut-off was known first, so the named record was refused here and never held; elsewhere it was held."""
    removed, honest, liar = Author(1), Author(2), Author(2, incarnation=1)
    counted = removed.put("a", 1)
    beyond = removed.put("a", 2, (removed.name, 1, 0))
    naming = honest.put("a", 3, (removed.name, 2, 0))
    chain = CHAIN.remove(OWNER, KEYS[1].node_id, {removed.name: Cutoff(1, counted.hash)}, at_ms=NOW)
    twin = liar.fork()
    one, other = liar.put("x", 1), twin.put("x", 2)
    proof = fork_proof((one.header_data, one.signature), (other.header_data, other.signature))

    early, late = Node(), Node()
    early.accept(counted)
    early.store.transact(lambda tx: early.replica.accept_membership(tx, chain.entries))
    early.accept(beyond, naming)
    late.accept(counted, beyond, naming)
    late.store.transact(lambda tx: late.replica.accept_membership(tx, chain.entries))
    for node in (early, late):
        node.store.transact(lambda tx, node=node: node.replica.accept_fork(tx, proof))
        held = node.store.view(lambda tx: tx.record(honest.name, 1))
        assert held is not None and held.status == ASIDE
        assert node.state(CONFIG).get("a").value == 1
    assert early.digest() == late.digest()
