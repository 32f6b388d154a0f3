"""A home of two: who brings the record that proves its fork must hear of the proof, for nobody else can tell it."""

from __future__ import annotations

from jarvis.crdt.registry import CONFIG
from jarvis.testing.home import SimHome


def test_the_one_that_forked_learns_of_it_on_the_link_where_it_came_out():
    home = SimHome(2, 1)
    forker, other = home.nodes
    home.connect_all()
    forker.write(CONFIG, lambda state: [state.put("base", 1)])
    home.settle()
    home.disconnect(0, 1)
    author = forker.store.view(forker.replica.author)
    mine, twin = forker.store, forker.store.copy()
    for store, said in ((twin, 20), (mine, 10)):
        forker.store = store
        forker.start()
        forker.open()
        forker.replica._authorship._confirmed = author  # a clone that nobody noticed
        forker.write(CONFIG, lambda state, said=said: [state.put("x", said)])
        if store is twin:
            home.connect(0, 1)
            home.settle()
            home.disconnect(0, 1)
    forker.write(CONFIG, lambda state: [state.put("x", 11)])  # a longer branch: equal heads would betray it to both
    home.connect(0, 1)
    for _ in range(40):
        while any(home.links.values()):
            for pair in [pair for pair, queue in home.links.items() if queue]:
                home.deliver(*pair)
        home.tick(250)
    for node in (forker, other):
        assert node.store.view(node.replica.bounds).forks.keys() == {author}
    assert forker.frontier() == other.frontier()
    assert forker.digest() == other.digest()
