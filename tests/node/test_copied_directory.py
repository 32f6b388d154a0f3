"""A data directory copied and started twice: the first peer that sees both says so, to both and to people."""

from __future__ import annotations

import shutil

from jarvis.testing.processes import NodeProcess, agree, linked, until
from tests.node.conftest import LINK_S, Home, ended


def identity(node: NodeProcess) -> dict[str, str]:
    part = node.get("/api/v2/health")["components"]["identity"]
    assert isinstance(part, dict)
    return part


def test_two_copies_of_a_node_are_noticed_and_the_first_keeps_its_link(home: Home) -> None:
    kitchen, bedroom = home.pair()
    until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
    bedroom.stop()
    shutil.copytree(home.folder / "bedroom", home.folder / "clone")
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    assert identity(kitchen)["state"] == identity(bedroom)["state"] == "ok"
    clone = home.node("clone", "--peer", home.address("kitchen"))
    clone.start()
    assert clone.ready["node_id"] == bedroom.ready["node_id"]
    for node, state, says in (
        (kitchen, "degraded", "bedroom"),
        (bedroom, "failed", "kitchen sees both"),
        (clone, "failed", "kitchen sees both"),
    ):
        until(lambda node=node, state=state: identity(node)["state"] == state, LINK_S, f"{node.data_dir.name} knows")
        assert says in identity(node)["detail"]
        assert len(node.logged("two copies of a node run", node=bedroom.ready["node_id"])) == 1
    # The bedroom's link is left in peace from then on.
    until(lambda: linked(kitchen, bedroom), LINK_S, "the bedroom's link")
    ends, refused = ended(bedroom), ended(kitchen)
    until(lambda: len(clone.logged("net.unlinked", reason="another copy of this node runs")) >= 3, LINK_S, "attempts")
    assert ended(bedroom) == ends and ended(kitchen) == refused
    bedroom.set_config("lamp.bedroom", "on")
    until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
    # Whoever stops one of them is rid of it: the other gets the link.
    bedroom.stop()
    until(lambda: clone.connected() == 1, 45, "the clone's link")


def test_a_node_that_is_killed_and_started_again_and_again_is_no_copy(home: Home) -> None:
    kitchen, bedroom = home.pair()
    for _ in range(3):
        bedroom.kill()
        bedroom.start()
        until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    assert identity(kitchen)["state"] == identity(bedroom)["state"] == "ok"


def test_what_both_copies_said_stands_though_their_histories_forked(home: Home) -> None:
    """Two lives of one disk, each sure that nobody holds more, write on while nobody hears them."""
    kitchen, bedroom = home.pair()
    until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
    bedroom.stop()
    shutil.copytree(home.folder / "bedroom", home.folder / "clone")
    clone = home.node("clone", "--peer", home.address("kitchen"))
    sessions = {}
    for node in (bedroom, clone):
        node.start()
        until(lambda node=node: linked(kitchen, node), LINK_S, "the link")
        until(lambda node=node: agree(kitchen, node), LINK_S, "the kitchen's word that it holds as much")
        kitchen.kill()
        name = node.data_dir.name
        sessions[name] = node.ask(f"Remember that the {name} was alone.", session="new")["session_id"]
        node.set_config(f"lamp.{name}", "on")
        node.stop()
        kitchen.start()
    forked = False
    for node in (bedroom, clone, bedroom):
        node.start()
        until(lambda node=node: linked(kitchen, node), LINK_S, "the link")
        until(lambda node=node: agree(kitchen, node), LINK_S, "agreement")
        if forked:
            again = "written again what a fork had set aside"
            until(lambda node=node: node.logged(again), LINK_S, "its words")  # noqa: B023
            until(lambda node=node: agree(kitchen, node), LINK_S, "agreement")
        forked = True
        node.stop()
    for name, session in sessions.items():
        until(lambda name=name: f"lamp.{name}" in str(kitchen.get("/api/v2/config")), LINK_S, f"what the {name} set")
        assert kitchen.texts(session) == [f"Remember that the {name} was alone."]
    forks = kitchen.get("/api/v2/quarantine")
    assert {row["node_id"] for row in forks} == {bedroom.ready["node_id"]}
    assert all("two histories" in row["reason"] or "set aside" in row["reason"] for row in forks)
    said = kitchen.get("/api/v2/audit", action="records.written_again")
    assert len(said) == 2 and all(row["detail"]["written"] for row in said)
