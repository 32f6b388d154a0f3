"""A home of real nodes compacts itself: everybody deletes what everybody has, who joins is brought the documents, and
who was away comes back with what it wrote alone."""

from __future__ import annotations

from jarvis.testing.processes import NodeProcess, agree, jarvis, until
from tests.node.conftest import Home


def write(node: NodeProcess, count: int, name: str) -> None:
    for number in range(count):
        node.set_config(f"{name}.k{number % 7}", str(number))


def records(node: NodeProcess) -> int:
    return int(node.get("/api/v2/sync")["records"])


def compact(node: NodeProcess, *stale: str) -> dict:
    options = [part for one in stale for part in ("--stale", one)]
    return jarvis("home", "compact", *options, data_dir=node.data_dir).json()


def test_records_that_everybody_has_are_deleted_and_nothing_is_lost(home: Home) -> None:
    kitchen, bedroom = home.pair()
    hall = home.node("hall", "--peer", home.address("kitchen"), "--peer", home.address("bedroom"))
    hall.start()
    nodes = (kitchen, bedroom, hall)
    until(lambda: hall.connected() == kitchen.connected() == 2, 15, "three links")
    for node, name in zip(nodes, ("red", "green", "blue"), strict=True):
        write(node, 20, name)
    until(lambda: agree(*nodes), 15, "agreement")
    before = records(hall)
    assert before > 60

    refused = jarvis("home", "compact", data_dir=hall.data_dir)
    assert refused.code == 77 and "home compact` on kitchen" in refused.err
    until(lambda: (done := compact(kitchen))["declared"] and done["records_below"] >= before - 5, 20, "a horizon")
    for node in nodes:
        until(lambda node=node: records(node) < 12, 10, "the records deleted")
        assert node.get("/api/v2/config/green.k5")["value"] == "19"
        assert jarvis("audit", "verify", data_dir=node.data_dir).json()["ok"]
        assert node.get("/api/v2/home")["horizon"]["taken"]
    until(lambda: agree(*nodes), 10, "agreement")

    write(bedroom, 5, "green")
    bedroom.stop()
    bedroom.start()
    write(bedroom, 5, "pink")
    until(lambda: agree(*nodes), 15, "agreement after a restart")
    assert compact(kitchen)["declared"]
    until(lambda: agree(*nodes), 10, "agreement below a second one")


def test_who_joins_and_who_was_away_are_brought_the_documents(home: Home) -> None:
    kitchen, bedroom = home.pair()
    write(kitchen, 30, "red")
    write(bedroom, 10, "green")
    waiting = compact(kitchen)
    assert not waiting["declared"] and len(waiting["missing"]) == 1, "the hall was never there"

    alone = home.node("hall")
    alone.start()
    write(alone, 3, "alone")
    alone.stop()
    assert compact(kitchen, waiting["missing"][0]["node_id"])["declared"]
    until(lambda: records(kitchen) < 12 and records(bedroom) < 12, 10, "the records deleted")

    hall = home.node("hall", "--peer", home.address("kitchen"), "--peer", home.address("bedroom"))
    hall.start()
    until(lambda: agree(kitchen, bedroom, hall), 20, "agreement with who was away")
    assert bedroom.get("/api/v2/config/alone.k2")["value"] == "2", "what it wrote alone counts"
    assert hall.get("/api/v2/config/red.k1")["value"] == "29"
    assert records(hall) < 25

    invitation = kitchen.post("/api/v2/nodes/invitations", {"name": "attic", "room": "attic"})
    joined = jarvis(
        *("node", "join", invitation["code"], "--peer", invitation["peer"]),
        data_dir=home.folder / "attic",
        env=home.env,
    )
    assert joined.code == 0, joined.err
    attic = home.node("attic", "--peer", home.address("kitchen"))
    attic.start()
    until(lambda: agree(kitchen, attic), 20, "agreement with who joined")
    assert attic.get("/api/v2/config/green.k2")["value"] == "9"
    assert records(attic) < 30
