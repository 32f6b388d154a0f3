"""Small things said of a frontier, of what waits, and of a store without a home."""

from __future__ import annotations

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.replica.frontier import encode_heads, frontier_digest, node_of
from jarvis.replica.replica import Replica
from jarvis.replica.restating import _behind_what_they_name
from jarvis.replica.validity import judge
from jarvis.replica.waiting import WaitingRoom
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import APPLIED, ERASED, Head, StoredRecord
from tests.replica.support import KEYS, NOW, Author, Node


def test_equal_frontiers_have_equal_bytes_whatever_their_order():
    a, b = (b"a" * 32, Head(1, b"x" * 32)), (b"b" * 32, Head(2, b"y" * 32))
    assert encode_heads(dict([a, b])) == encode_heads(dict([b, a]))
    assert frontier_digest(dict([a, b])) == frontier_digest(dict([b, a]))
    others = ({}, dict([a]), {a[0]: Head(2, b"x" * 32)}, {a[0]: Head(1, b"z" * 32)})
    assert len({frontier_digest(one) for one in (dict([a, b]), *others)}) == 5
    assert node_of(a[0]) == b"a" * 16


def test_what_waits_is_shown_with_what_it_waits_for_first():
    author = Author(1)
    first, second, third = author.put("a", 1), author.put("a", 2), author.put("a", 3)
    room = WaitingRoom()
    room.put(third, [(author.name, 2), (b"e" * 16, 0)])
    room.put(second, [(author.name, 1)])
    assert room.items() == [(second, (author.name, 1)), (third, (b"e" * 16, 0))]
    node = Node()
    node.accept(second)
    assert node.replica.waits() == [(second, (author.name, 1))]
    node.accept(first)
    assert node.replica.waits() == []


def test_a_dropped_record_leaves_its_companions_waiting():
    """Two that wait for one thing: the way of the first is another one now."""
    author, other = Author(1), Author(2)
    author.put("a", 1)
    other.put("a", 1)
    mine, theirs = author.put("a", 2), other.put("a", 2)
    room = WaitingRoom()
    need = (b"e" * 16, 0)
    room.put(mine, [need])
    room.put(theirs, [need])
    room.drop(author.name, 2)
    room.drop(author.name, 9)
    assert room.items() == [(theirs, need)]
    assert room.release(need, lambda _: True) == [theirs]
    assert len(room) == room.size_bytes == 0


def test_a_record_without_its_payload_is_erased_whatever_it_was():
    record = Author(1).put("a", 1)
    erased = type(record)(record.header_data, record.signature, None, record.header)
    assert judge(erased, -1).status == ERASED


def test_a_store_without_a_home_says_so():
    store = MemoryStore()
    replica = Replica(KEYS[0], entropy=bytes, wall_ms=lambda: NOW)
    with pytest.raises(BadConfiguration, match="no home here yet"):
        store.view(replica.chain)


def test_records_that_name_each_other_end_nothing():
    """None that is held can; what sorts them must not hang on it."""
    one, other = Author(1), Author(2)
    pair = [one.put("a", 1, (other.name, 1, 0)), other.put("b", 1, (one.name, 1, 0))]
    held = [
        StoredRecord(r.header.author, 1, r.hash, r.header_data, r.signature, r.payload, "config", APPLIED) for r in pair
    ]
    order = list(_behind_what_they_name(held))
    assert order == list(_behind_what_they_name(held[::-1])) == sorted(held, key=lambda record: record.author)
