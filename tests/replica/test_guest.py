"""A home that was restored under a key it has not admitted: it can be read, and nothing is written into it."""

from __future__ import annotations

import os

import pytest

from jarvis.core.errors import BadConfiguration, NotAllowed
from jarvis.replica.replica import Replica
from tests.replica.support import KEYS, NOW, Node


def test_a_guest_reads_and_may_not_write() -> None:
    store = Node().store
    member = Node(store=store)
    member.append("config", ["put", "a", 1, []])
    guest = Replica(KEYS[3], entropy=os.urandom, wall_ms=lambda: NOW)
    with pytest.raises(BadConfiguration, match="no member"):
        store.transact(guest.open)
    store.transact(lambda tx: guest.open(tx, guest=True))
    assert store.view(guest.digest) == member.digest()
    with pytest.raises(NotAllowed, match="no member"):
        store.transact(lambda tx: guest.append(tx, "config", [["put", "a", 2, []]]))
    assert store.view(guest.digest) == member.digest()
