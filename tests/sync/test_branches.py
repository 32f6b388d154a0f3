"""A home whose owner key signed two branches of the membership chain: everybody settles on one, understands what was
written under the other, and keeps out whom either has removed."""

from __future__ import annotations

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.crdt.registry import CONFIG
from jarvis.identity.branches import Branches
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import Cutoff
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.replica.bounds import STRANGER
from jarvis.store.protocol import ASIDE
from jarvis.sync import branching
from jarvis.sync.branching import branch_messages
from jarvis.testing.home import RECOVERY_SEED, START_MS, SimHome, SimNode


def put(node: SimNode, key: str, value: str) -> bytes:
    """The author."""
    return node.write(CONFIG, lambda state: [state.put(key, value)]).header.author


def value(node: SimNode, key: str) -> object:
    write = node.state(CONFIG).get(key)
    return write and write.value


def chain_of(node: SimNode) -> Chain:
    return node.store.view(node.replica.chain)


def removed(node: SimNode) -> set[bytes]:
    return set(node.store.view(node.replica.branches).removed)


def all_agree(home: SimHome, *numbers: int) -> bool:
    nodes = [home.nodes[number] for number in numbers]
    return len({(node.digest(), chain_of(node).head) for node in nodes}) == 1


def newcomer(home: SimHome) -> SimNode:
    """A node that the home does not know yet."""
    number = len(home.nodes)
    node = SimNode(number, SigningKey(home.rng.randbytes(32)), home.clock, home.rng, home._send, home._cut)
    home.nodes.append(node)
    home._number[node.node_id] = number
    return node


def recovered(home: SimHome, chain: Chain, node: SimNode) -> tuple[Chain, SigningKey]:
    """Brought back by the phrase on that node."""
    owner = SigningKey(b"the second owner key of the home")
    return chain.recover(SigningKey(RECOVERY_SEED), owner.public, owner.public, node.node_id, at_ms=START_MS), owner


def test_what_was_written_under_the_losing_branch_is_understood_everywhere() -> None:
    home = SimHome(4, 1)
    base = chain_of(home.nodes[0])
    stranger = make_certificate(SigningKey(bytes(32)))
    lost = base.admit(home.owner, stranger, at_ms=START_MS + 1)
    stands, _ = recovered(home, base, home.nodes[2])
    for number in (0, 1):
        home.nodes[number].accept_chain(lost)
        put(home.nodes[number], f"under.lost.{number}", "yes")
    for number in (2, 3):
        home.nodes[number].accept_chain(stands)
        put(home.nodes[number], f"under.standing.{number}", "yes")
    home.connect_all()
    home.settle(nodes=range(4))
    assert all_agree(home, 0, 1, 2, 3) and chain_of(home.nodes[0]).head == stands.head
    for node in home.nodes[:4]:
        assert all(value(node, key) == "yes" for key in ("under.lost.0", "under.lost.1", "under.standing.3"))
        assert node.replica.waiting() == 0 and node.refused == []
    # Also by a node that was away, after a restart of those that know.
    home.restart(3)
    home.connect_all()
    home.settle(nodes=range(4))
    put(home.nodes[0], "later", "on")
    home.settle(nodes=range(4))
    assert all_agree(home, 0, 1, 2, 3)


@pytest.mark.parametrize("knows_first", ["lost", "standing"])
def test_a_removal_in_the_losing_branch_stays_in_force_until_it_is_signed_again(knows_first: str) -> None:
    home = SimHome(4, 2)
    base = chain_of(home.nodes[0])
    thief = home.nodes[3]
    author = put(thief, "said", "before")
    home.connect_all()
    home.settle()
    for other in range(3):
        home.disconnect(3, other)
    put(thief, "said", "after")
    cutoff = Cutoff(1, home.nodes[0].records(author, 1, 1)[0].hash)
    lost = base.remove(home.owner, thief.node_id, {author: cutoff}, at_ms=START_MS + 1)
    stands, owner = recovered(home, base, home.nodes[2])
    for chain in (lost, stands) if knows_first == "lost" else (stands, lost):
        home.nodes[1].accept_chain(chain)
    home.nodes[0].accept_chain(lost)
    home.nodes[2].accept_chain(stands)
    home.settle(nodes=range(3))
    for node in home.nodes[:3]:
        assert chain_of(node).head == stands.head and removed(node) == {thief.node_id}
    home.nodes[2].accept_chain(stands.remove(owner, thief.node_id, {author: cutoff}, at_ms=START_MS + 2))
    home.settle(nodes=range(3))
    for node in home.nodes[:3]:
        assert removed(node) == set() and thief.node_id in chain_of(node).removed
        assert value(node, "said") == "before"
    assert all_agree(home, 0, 1, 2)


def test_who_only_a_losing_branch_admitted_counts_nothing_until_it_is_admitted_again() -> None:
    home = SimHome(3, 3)
    base = chain_of(home.nodes[0])
    guest = newcomer(home)
    lost = base.admit(home.owner, guest.certificate, at_ms=START_MS + 1)
    home.nodes[0].accept_chain(lost)
    guest.found(lost)
    author = put(guest, "guest", "hello")
    home.connect(0, 3)
    home.settle(nodes=(0, 3))
    home.nodes[0].write(CONFIG, lambda state: [state.put("guest", "welcome")])  # names what the guest wrote
    put(home.nodes[0], "other", "kept")
    home.disconnect(0, 3)
    stands, owner = recovered(home, base, home.nodes[1])
    for number in (1, 2):
        home.nodes[number].accept_chain(stands)
    home.connect_all()
    for number in range(3):
        home.disconnect(3, number)
    home.settle(nodes=range(3))
    assert all_agree(home, 0, 1, 2)
    for node in home.nodes[:3]:
        assert value(node, "guest") is None and value(node, "other") == "kept"
        assert author not in node.frontier()
    held = home.nodes[0].store.view(lambda tx: tx.record(author, 1))
    assert held is not None and held.status == ASIDE
    bounds = home.nodes[0].store.view(home.nodes[0].replica.bounds)
    assert bounds.reason(author) == STRANGER
    # Its disk is older than the home by now; admitted anew, everything it wrote counts again, everywhere.
    home.nodes[1].accept_chain(stands.admit(owner, guest.certificate, at_ms=START_MS + 5))
    home.settle(nodes=range(3))
    assert value(home.nodes[0], "guest") == "welcome", "accepted again from its own disk"
    guest.accept_chain(chain_of(home.nodes[1]))
    home.connect_all()
    home.settle()
    assert all_agree(home, 0, 1, 2, 3)
    assert all(value(node, "guest") == "welcome" for node in home.nodes)


def test_a_cut_off_that_is_taken_back_lets_everything_count_again() -> None:
    """The removal was in the branch that lost, and its node owns the home by now."""
    home = SimHome(3, 4)
    base = chain_of(home.nodes[0])
    author = put(home.nodes[2], "a", "1")
    put(home.nodes[2], "b", "2")
    home.connect_all()
    home.settle()
    first = home.nodes[0].records(author, 1, 1)[0]
    lost = base.remove(home.owner, home.nodes[2].node_id, {author: Cutoff(1, first.hash)}, at_ms=START_MS + 1)
    for number in (0, 1):
        home.disconnect(2, number)
        home.nodes[number].accept_chain(lost)
    assert [value(home.nodes[0], key) for key in ("a", "b")] == ["1", None]
    stands, _ = recovered(home, base, home.nodes[2])
    home.nodes[0].accept_chain(stands)
    assert [value(home.nodes[0], key) for key in ("a", "b")] == ["1", "2"] and removed(home.nodes[0]) == set()
    home.nodes[2].accept_chain(stands)
    home.connect_all()
    home.settle()
    assert all_agree(home, 0, 1, 2) and value(home.nodes[1], "b") == "2"


def test_a_node_that_was_removed_does_not_start_and_says_what_to_do() -> None:
    home = SimHome(2, 5)
    removing = chain_of(home.nodes[0]).remove(home.owner, home.nodes[1].node_id, {}, at_ms=START_MS)
    home.nodes[1].accept_chain(removing)
    home.nodes[1].start()
    with pytest.raises(BadConfiguration, match="taken out of its home") as caught:
        home.nodes[1].open()
    assert "node leave" in caught.value.fix


def test_a_long_branch_is_told_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    home = SimHome(1, 6)
    base = lost = chain_of(home.nodes[0])
    for _ in range(5):
        lost = lost.hand_over(home.owner, home.owner.public, home.nodes[0].node_id, at_ms=START_MS)
    stands, _ = recovered(home, base, home.nodes[0])
    branches = Branches(stands).joined(lost)
    (whole,) = branch_messages(branches)
    assert len(whole.entries) == 5 and (whole.first, whole.prev) == (len(base.entries), base.head)
    size = sum(len(data) + len(signature) for data, signature in whole.entries)
    monkeypatch.setattr(branching, "MAX_BRANCH_BYTES", size - 1)
    (cut,) = branch_messages(branches)
    assert cut.entries == whole.entries[:4]
