"""A node taken out of a home of three real ones: links closed at once, nothing it says later counts, the rest agree."""

from __future__ import annotations

import time

from jarvis.testing.processes import agree, jarvis, until
from tests.node.conftest import Home


def test_a_removed_node_is_out_within_two_seconds_and_stays_out(home: Home) -> None:
    kitchen, bedroom = home.pair()
    hall = home.node("hall", "--peer", home.address("kitchen"), "--peer", home.address("bedroom"))
    hall.start()
    until(lambda: hall.connected() == kitchen.connected() == 2, 15, "three links")
    bedroom.set_config("lamp.color", "blue")
    for node in (kitchen, hall):
        until(lambda node=node: "lamp.color" in str(node.get("/api/v2/config")), 10, "the value everywhere")
    began = time.monotonic()
    assert jarvis("node", "remove", "bedroom", "--yes", data_dir=kitchen.data_dir).json()["removed"]
    for node in (kitchen, hall):
        left_s = 2 - (time.monotonic() - began)
        until(lambda node=node: node.connected() == 1, left_s, "its links closed")
        assert {row["name"] for row in node.get("/api/v2/nodes")} == {"kitchen", "hall"}
    bedroom.set_config("lamp.color", "red")
    assert kitchen.get("/api/v2/config/lamp.color")["value"] == "blue", "what it wrote before counts"
    assert jarvis("node", "remove", "bedroom", "--yes", data_dir=kitchen.data_dir).code == 1
    own = jarvis("node", "remove", "kitchen", "--yes", data_dir=kitchen.data_dir)
    assert own.code == 77 and "owner's node" in own.err
    elsewhere = jarvis("node", "remove", "kitchen", "--yes", data_dir=hall.data_dir)
    assert elsewhere.code == 77 and "on kitchen" in elsewhere.err
    assert kitchen.get("/api/v2/audit", action="node.removed")
    assert jarvis("audit", "verify", data_dir=hall.data_dir).json()["ok"]
    assert jarvis("quarantine", data_dir=kitchen.data_dir).json() == []
    until(lambda: agree(kitchen, hall), 10, "agreement")
