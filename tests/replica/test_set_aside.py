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


def test_one_goes_on_under_a_new_name_when_clones_forked_the_old_one():
    """Both clones went on from the record that is our last: nothing of ours is set aside, yet no more of it counts."""
    node = Node()
    first = node.append(CONFIG, ["put", "a", 1, []])
    clones = [Node(store=node.store.copy(), life=life) for life in (1, 2)]
    twins = []
    for clone in clones:
        clone.store.view(lambda tx, clone=clone: clone.replica.echo(tx, clone.replica.heads(tx)))
        twins.append(clone.append(CONFIG, ["put", "b", clone.life, []]))
    assert {one.header.seq for one in twins} == {2}
    proof = fork_proof(*((one.header_data, one.signature) for one in twins))
    node.store.transact(lambda tx: node.replica.accept_fork(tx, proof))
    after = node.append(CONFIG, ["put", "a", 2, [[first.header.author, 1, 0]]])
    assert (after.header.seq, after.header.author != first.header.author) == (1, True)
    assert node.state(CONFIG).get("a").value == 2
