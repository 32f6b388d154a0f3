"""Records that an older program could only keep: forwarded, and judged after an upgrade, to the same bytes as on a
node that knew them at once."""

from __future__ import annotations

import pytest

from jarvis.crdt import registry
from jarvis.crdt.registry import MEMORY
from jarvis.store.protocol import APPLIED, REJECTED, UNKNOWN
from jarvis.testing.home import SimHome, SimNode


def statuses(node: SimNode) -> list[int]:
    return node.store.view(lambda tx: [one.status for one in tx.records_in_order(0) if one.document == MEMORY])


@pytest.fixture
def old(monkeypatch):
    """Makes programs old, until it is told to upgrade them."""
    exact = dict(registry._EXACT)

    def become(old: bool) -> None:
        monkeypatch.setattr(registry, "_EXACT", {k: v for k, v in exact.items() if not old or k != MEMORY})

    return become


def test_what_was_unknown_counts_after_an_upgrade(old):
    home = SimHome(3, 41)
    new = home.nodes[0]
    new.write(MEMORY, lambda state: [state.put("a", 1)])
    new.write(MEMORY, lambda state: [state.put("a", 2)])
    old(True)
    home.restart(1)
    home.connect(1, 0)
    home.settle_pair(0, 1)
    assert statuses(home.nodes[1]) == [UNKNOWN, UNKNOWN]
    home.disconnect(1, 0)
    home.restart(1)
    assert statuses(home.nodes[1]) == [UNKNOWN, UNKNOWN], "still the old program"
    old(False)
    home.connect(1, 2)  # the old one forwards what it does not know
    home.settle_pair(1, 2)
    assert home.nodes[2].state(MEMORY).get("a").value == 2
    home.restart(1)
    assert statuses(home.nodes[1]) == [APPLIED, APPLIED]
    assert len({node.digest() for node in home.nodes}) == 1
    home.nodes[1].write(MEMORY, lambda state: [state.put("a", 3)])
    home.connect_all()
    home.settle()
    assert len({node.digest() for node in home.nodes}) == 1


def test_what_is_invalid_is_found_out_after_an_upgrade(old, monkeypatch):
    home = SimHome(2, 42)
    kind = registry.kind_of(MEMORY)
    with monkeypatch.context() as lying:
        lying.setattr(type(kind), "check", lambda self, operation: None)
        lying.setattr(type(kind), "names", lambda self, operation: ())
        lying.setattr(type(kind), "absorb", lambda self, state, delta: None)
        lying.setattr(type(kind), "delta", lambda self, operation, dot, hlc: None)
        home.nodes[0].write(MEMORY, lambda state: [["nonsense"]])
    old(True)
    home.restart(1)
    home.connect_all()
    home.settle()
    assert statuses(home.nodes[1]) == [UNKNOWN]
    old(False)
    home.restart(1)
    assert statuses(home.nodes[1]) == [REJECTED]
