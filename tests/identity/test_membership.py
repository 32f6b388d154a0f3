"""The membership chain: founded, extended by the owner, and read the same everywhere or not at all."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import InvalidBytes, InvalidInput, NotAllowed, NotFound
from jarvis.identity.certificate import make_certificate
from jarvis.identity.entries import TAG, Cutoff
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import MAX_ENTRIES, Chain

OWNER = SigningKey(b"o" * 32)
RECOVERY = SigningKey(b"r" * 32)
NODES = [SigningKey(bytes([n]) * 32) for n in range(6)]
CERTIFICATES = [make_certificate(node) for node in NODES]
NOW = 1_800_000_000_000


def found(nonce: bytes = b"n" * 16) -> Chain:
    return Chain.found(OWNER, RECOVERY.public, CERTIFICATES[0], nonce=nonce, at_ms=NOW)


def admitted(*nodes: int) -> Chain:
    chain = found()
    for number in nodes:
        chain = chain.admit(OWNER, CERTIFICATES[number], at_ms=NOW + number)
    return chain


def signed(fields: list, key: SigningKey = OWNER) -> tuple[bytes, bytes]:
    data = pack(fields)
    return data, key.sign(TAG + data)


def test_a_home_begins_with_its_founder():
    chain = found()
    assert set(chain.members) == {NODES[0].node_id}
    assert (chain.owner, chain.recovery, len(chain.home_id)) == (OWNER.public, RECOVERY.public, 16)
    assert Chain.verify(chain.entries) == chain
    assert found(b"m" * 16).home_id != chain.home_id


def test_admission_extends_the_chain_and_keeps_the_home():
    chain = admitted(1, 2)
    assert set(chain.members) == {node.node_id for node in NODES[:3]}
    assert chain.home_id == found().home_id
    assert Chain.verify(chain.entries).members == chain.members
    assert chain.members[NODES[2].node_id].public_key == NODES[2].public
    assert chain.admit(OWNER, CERTIFICATES[1], at_ms=NOW) is chain, "a member already"


def test_only_the_owner_admits_and_only_certificates():
    with pytest.raises(NotAllowed):
        found().admit(NODES[0], CERTIFICATES[1], at_ms=NOW)
    with pytest.raises(InvalidInput):
        found().admit(OWNER, b"no certificate", at_ms=NOW)


def test_membership_is_asked_as_of_an_entry():
    chain = admitted(1, 2)
    ids = [one[:16] for one in chain.hashes]
    second = NODES[2].node_id
    assert [chain.member_at(second, entry) is not None for entry in ids] == [False, False, False, True]
    assert chain.member_at(second, b"?" * 16) is None
    assert chain.member_at(NODES[3].node_id, chain.head_id) is None
    assert chain.knows(ids[0])
    assert not chain.knows(b"?" * 16)


def test_altered_reordered_dropped_and_repeated_entries_are_refused():
    entries = list(admitted(1, 2, 3).entries)
    for at in range(len(entries)):
        data, signature = entries[at]
        for wrong in (
            (data[:-1] + bytes([data[-1] ^ 1]), signature),
            (data, signature[:-1] + bytes([signature[-1] ^ 1])),
            (data, b""),
            (b"", signature),
        ):
            with pytest.raises(InvalidBytes):
                Chain.verify([*entries[:at], wrong, *entries[at + 1 :]])
        if at < len(entries) - 1:
            with pytest.raises(InvalidBytes):
                Chain.verify([*entries[:at], *entries[at + 1 :]])
        with pytest.raises(InvalidBytes):
            Chain.verify([*entries[: at + 1], *entries[at:]])
    for a, b in itertools.combinations(range(len(entries)), 2):
        swapped = list(entries)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        with pytest.raises(InvalidBytes):
            Chain.verify(swapped)
    with pytest.raises(InvalidBytes):
        Chain.verify([])


@settings(max_examples=200)
@given(st.integers(0, 2), st.data())
def test_every_altered_byte_is_noticed(at, data):
    entries = list(admitted(1).entries)
    raw = bytearray(entries[at][0])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    entries[at] = (bytes(raw), entries[at][1])
    with pytest.raises(InvalidBytes):
        Chain.verify(entries)


@given(st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=70)), max_size=3))
def test_noise_is_no_chain(entries):
    with pytest.raises(InvalidBytes):
        Chain.verify(entries)


def next_fields(chain: Chain, **changes) -> list:
    fields = {
        "version": 1,
        "action": "admit",
        "term": 0,
        "index": len(chain.entries),
        "prev": chain.head,
        "at_ms": NOW,
        "fields": {"certificate": CERTIFICATES[1]},
    }
    return list({**fields, **changes}.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"action": "promote"},
        {"action": ["admit"]},
        {"action": "found"},
        {"term": 1},
        {"index": 3},
        {"index": True},
        {"prev": b""},
        {"prev": b"x" * 32},
        {"at_ms": "now"},
        {"fields": {}},
        {"fields": []},
        {"fields": {"certificate": "text"}},
        {"fields": {"certificate": b"x" * 40}},
        {"fields": {"certificate": CERTIFICATES[1], "more": b""}},
    ],
    ids=str,
)
def test_an_entry_that_is_not_understood_stops_the_chain(changes):
    chain = found()
    assert len(Chain.verify([*chain.entries, signed(next_fields(chain))]).members) == 2
    with pytest.raises(InvalidBytes):
        Chain.verify([*chain.entries, signed(next_fields(chain, **changes))])


def test_a_newer_action_is_said_to_be_newer():
    chain = found()
    with pytest.raises(InvalidBytes, match="newer Jarvis"):
        Chain.verify([*chain.entries, signed(next_fields(chain, action="a later one"))])


@pytest.mark.parametrize("signer", [NODES[0], RECOVERY])
def test_nobody_else_signs(signer):
    chain = found()
    with pytest.raises(InvalidBytes, match="not signed by the home's owner"):
        Chain.verify([*chain.entries, signed(next_fields(chain), signer)])


def test_a_founding_entry_has_its_lengths():
    for name, value in (("owner", b"o" * 31), ("recovery", b""), ("nonce", b"n" * 15)):
        fields = {"owner": OWNER.public, "recovery": RECOVERY.public, "nonce": b"n" * 16, name: value}
        with pytest.raises(InvalidBytes):
            Chain.verify([signed([1, "found", 0, 0, b"", NOW, fields])])


def test_a_second_spelling_of_an_entry_is_refused():
    data = pack(next_fields(chain := found()))
    odd = b"\xdc\x00\x07" + data[1:]
    assert unpack(odd) == unpack(data)
    with pytest.raises(InvalidBytes, match="canonical"):
        Chain.verify([*chain.entries, (odd, OWNER.sign(TAG + odd))])


def test_a_chain_has_an_end():
    entry = found().entries[0]
    with pytest.raises(InvalidBytes, match=str(MAX_ENTRIES)):
        Chain.verify([entry] * (MAX_ENTRIES + 1))


# Branches that only an owner's restored disk can make: every node must settle on the same one.
BRANCHES = [admitted(*nodes) for length in range(4) for nodes in itertools.permutations([1, 2, 3], length)]


@given(st.sampled_from(BRANCHES), st.sampled_from(BRANCHES), st.sampled_from(BRANCHES))
def test_supersedes_is_a_total_order(a, b, c):
    assert a.supersedes(b) + b.supersedes(a) == (a.hashes != b.hashes)
    if a.supersedes(b) and b.supersedes(c):
        assert a.supersedes(c)


def test_another_home_never_supersedes():
    other = found(b"m" * 16)
    assert not other.supersedes(found())
    assert not found().supersedes(other)


@given(st.permutations(BRANCHES))
def test_every_order_of_offers_ends_in_the_same_chain(offers):
    held = found()
    for offer in offers:
        held = offer if offer.supersedes(held) else held
    best = BRANCHES[0]
    for one in BRANCHES:
        best = one if one.supersedes(best) else best
    assert held.hashes == best.hashes


AUTHOR = NODES[1].node_id + b"i" * 16
CUTOFFS = {AUTHOR: Cutoff(7, b"h" * 32)}


def test_a_removed_node_is_a_member_only_of_before():
    before = admitted(1, 2)
    chain = before.remove(OWNER, NODES[1].node_id, CUTOFFS, at_ms=NOW)
    assert NODES[1].node_id not in chain.members
    assert chain.member_at(NODES[1].node_id, before.head_id), "its old records still verify"
    assert chain.member_at(NODES[1].node_id, chain.head_id) is None
    assert chain.cutoff(AUTHOR) == Cutoff(7, b"h" * 32)
    assert chain.cutoff(NODES[1].node_id + b"j" * 16) == Cutoff(0, b""), "an author that is not listed: nothing"
    assert chain.cutoff(NODES[2].node_id + b"i" * 16) is None
    assert Chain.verify(chain.entries) == chain
    with pytest.raises(NotAllowed, match="for good"):
        chain.admit(OWNER, CERTIFICATES[1], at_ms=NOW)
    with pytest.raises(NotFound):
        chain.remove(OWNER, NODES[1].node_id, {}, at_ms=NOW)


def test_the_owners_node_stays_until_it_handed_over():
    chain = admitted(1)
    with pytest.raises(NotAllowed, match="owner's node"):
        chain.remove(OWNER, NODES[0].node_id, {}, at_ms=NOW)
    new = SigningKey(b"N" * 32)
    handed = chain.hand_over(OWNER, new.public, NODES[1].node_id, at_ms=NOW)
    assert (handed.owner, handed.owner_node, handed.term) == (new.public, NODES[1].node_id, 0)
    with pytest.raises(NotAllowed):
        handed.admit(OWNER, CERTIFICATES[2], at_ms=NOW)
    gone = handed.remove(new, NODES[0].node_id, {}, at_ms=NOW)
    assert set(gone.members) == {NODES[1].node_id}
    with pytest.raises(NotFound):
        chain.hand_over(OWNER, new.public, NODES[5].node_id, at_ms=NOW)


def test_the_recovery_key_begins_a_term_that_wins():
    chain = admitted(1)
    new_owner, new_recovery = SigningKey(b"N" * 32), SigningKey(b"R" * 32)
    recovered = chain.recover(RECOVERY, new_owner.public, new_recovery.public, NODES[1].node_id, at_ms=NOW)
    assert (recovered.term, recovered.owner, recovered.recovery) == (1, new_owner.public, new_recovery.public)
    rival = chain.admit(OWNER, CERTIFICATES[2], at_ms=NOW).admit(OWNER, CERTIFICATES[3], at_ms=NOW)
    assert recovered.supersedes(rival) and not rival.supersedes(recovered)
    assert recovered.admit(new_owner, CERTIFICATES[4], at_ms=NOW).supersedes(recovered)
    with pytest.raises(NotAllowed):
        chain.recover(OWNER, new_owner.public, new_recovery.public, NODES[1].node_id, at_ms=NOW)
    with pytest.raises(NotAllowed):
        recovered.recover(RECOVERY, new_owner.public, new_recovery.public, NODES[1].node_id, at_ms=NOW)


def test_only_the_recovery_key_raises_the_term():
    chain = admitted(1)
    for term, key in ((1, OWNER), (0, RECOVERY), (2, RECOVERY)):
        fields = {"owner": OWNER.public, "recovery": RECOVERY.public, "node": NODES[0].node_id}
        entry = signed([1, "recover", term, 3, chain.head, NOW, fields], key)
        with pytest.raises(InvalidBytes):
            Chain.verify([*chain.entries, entry])
    late = signed([1, "admit", 1, 3, chain.head, NOW, {"certificate": CERTIFICATES[2]}])
    with pytest.raises(InvalidBytes, match="term"):
        Chain.verify([*chain.entries, late])


def test_a_removal_cuts_off_only_its_own_node():
    chain = admitted(1, 2)
    foreign = {NODES[2].node_id + b"i" * 16: [1, b"h" * 32]}
    entry = signed([1, "remove", 0, 4, chain.head, NOW, {"node": NODES[1].node_id, "cutoffs": foreign}])
    with pytest.raises(InvalidBytes, match="another node"):
        Chain.verify([*chain.entries, entry])
