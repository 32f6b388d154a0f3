"""Several commands at once, and what goes on from them in the next room, on two real nodes: the conversation is theirs
both, so "it" is there what it was here."""

from __future__ import annotations

from jarvis.testing.processes import agree, jarvis, until
from tests.node.conftest import Home

AGREE_S = 15.0


def test_what_was_meant_in_one_room_goes_on_in_another(home: Home) -> None:
    kitchen, bedroom = home.pair()
    said = kitchen.ask("Add milk to the shopping list and set a pasta timer for eight minutes", "new")
    assert said["reply"] == "Milk is on the shopping list now. Pasta timer set for 8 minutes."
    until(lambda: agree(kitchen, bedroom), AGREE_S, "agreement")
    went_on = bedroom.ask("cancel it", said["session_id"])
    assert went_on["reply"] == "Cancelled the pasta timer."
    assert (
        bedroom.ask("add milk to the packing list", said["session_id"])["reply"] == "Milk is on the packing list now."
    )
    until(lambda: agree(kitchen, bedroom), AGREE_S, "agreement")
    assert kitchen.ask("socks too", said["session_id"])["reply"] == "Socks are on the packing list now."
    means = jarvis("understand", "what time is it and set a timer", data_dir=kitchen.data_dir, env=home.env)
    parts = [{"intent": "time", "slots": {}}, {"intent": "timer_set", "slots": {}}]
    assert means.json()["slots"] == {"parts": parts} and means.json()["missing"] == ["seconds"]
