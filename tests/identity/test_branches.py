"""Branches of one home's membership: the same ones stand and are kept, in whatever order they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jarvis.identity.branches import MAX_LOSING, Branches
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import Cutoff
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain

OWNER, RECOVERY, NEW = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))
KITCHEN, HALL, LOFT, CELLAR = (SigningKey(bytes([number]) * 32) for number in (11, 12, 13, 14))
BASE = Chain.found(OWNER, RECOVERY.public, make_certificate(KITCHEN), nonce=b"n" * 16, at_ms=1).admit(
    OWNER, make_certificate(HALL), at_ms=2
)
CUT = {HALL.node_id + bytes(16): Cutoff(3, b"h" * 32)}
ADMITS_LOFT = BASE.admit(OWNER, make_certificate(LOFT), at_ms=3)
ADMITS_CELLAR = BASE.admit(OWNER, make_certificate(CELLAR), at_ms=3)
REMOVES_HALL = BASE.remove(OWNER, HALL.node_id, CUT, at_ms=4)
RECOVERED = BASE.recover(RECOVERY, NEW.public, NEW.public, HALL.node_id, at_ms=5)
BRANCHES = [
    BASE,
    ADMITS_LOFT,
    ADMITS_CELLAR,
    REMOVES_HALL,
    ADMITS_LOFT.admit(OWNER, make_certificate(CELLAR), at_ms=6),
    RECOVERED,
    RECOVERED.admit(NEW, make_certificate(LOFT), at_ms=7),
]


def join_all(chains: list[Chain]) -> Branches:
    found = Branches(chains[0])
    for one in chains[1:]:
        found = found.joined(one)
    return found


@given(st.permutations(BRANCHES), st.lists(st.sampled_from(BRANCHES), max_size=5))
def test_any_order_any_repetition_the_same(order: list[Chain], again: list[Chain]) -> None:
    found = join_all([*order, *again])
    assert found.chain == BRANCHES[-1]
    assert set(found.heads) == {BRANCHES[4].head, ADMITS_CELLAR.head, REMOVES_HALL.head}
    assert found.heads == tuple(sorted(found.heads))


@given(st.permutations([BASE.admit(OWNER, make_certificate(CELLAR), at_ms=at) for at in range(10, 22)]))
def test_a_few_are_kept_and_the_same_few(order: list[Chain]) -> None:
    found = join_all(order)
    heads = sorted(one.head for one in order)
    assert found.chain.head == heads[0] and found.heads == tuple(heads[1 : MAX_LOSING + 1])


def test_what_tells_nothing_new_changes_nothing() -> None:
    found = join_all([ADMITS_LOFT, ADMITS_CELLAR])
    for known in (BASE, ADMITS_LOFT, ADMITS_CELLAR):
        assert found.joined(known) is found


def test_a_losing_branch_admits_nobody_and_is_understood() -> None:
    found = join_all([RECOVERED, ADMITS_LOFT])
    (losing,) = found.losing
    assert found.chain is RECOVERED and losing is ADMITS_LOFT and found.parts_at(losing) == len(BASE.entries)
    assert found.knows(losing.head_id) and found.knows(RECOVERED.head_id) and not found.knows(b"?" * 16)
    assert found.member_at(LOFT.node_id, losing.head_id) is None and found.strangers == {LOFT.node_id}
    assert found.member(LOFT.node_id) and found.member(HALL.node_id) and found.member(CELLAR.node_id) is None
    member = found.member_at(HALL.node_id, losing.head_id)
    assert member is not None and member.public_key == HALL.public
    assert found.member_at(HALL.node_id, b"?" * 16) is None
    # Admitted again by the owner of now, what it wrote under the other branch is its own.
    again = found.joined(RECOVERED.admit(NEW, make_certificate(LOFT), at_ms=9))
    assert again.member_at(LOFT.node_id, losing.head_id) is not None and not again.strangers


def test_of_two_removals_counts_what_either_lets_count() -> None:
    author = HALL.node_id + bytes(16)
    cuts = [BASE.remove(OWNER, HALL.node_id, {author: Cutoff(seq, b"h" * 32)}, at_ms=seq) for seq in (3, 5, 4)]
    found = join_all([BASE.recover(RECOVERY, NEW.public, NEW.public, KITCHEN.node_id, at_ms=9), *cuts])
    assert found.removed[HALL.node_id][author].seq == 5
    assert KITCHEN.node_id not in found.removed


def test_a_removal_in_a_losing_branch_stays_in_force() -> None:
    removing = BASE.remove(OWNER, HALL.node_id, {}, at_ms=8)
    found = join_all([ADMITS_LOFT.recover(RECOVERY, NEW.public, NEW.public, KITCHEN.node_id, at_ms=9), REMOVES_HALL])
    assert found.removed == {HALL.node_id: CUT}
    assert dict(found.joined(removing).removed) == {HALL.node_id: CUT}, "what either lets count"
    signed = found.chain.remove(NEW, HALL.node_id, CUT, at_ms=10)
    assert found.joined(signed).removed == {}
    assert Branches(RECOVERED).joined(REMOVES_HALL).removed == {}, "the hall owns the home by now"
