"""Announcements on the word of somebody, between real nodes: who hears them, who is left in peace, and what is said of
that."""

from __future__ import annotations

from jarvis.testing.processes import NodeProcess, until
from tests.node.conftest import Home

SYNC_S = 10.0
ALL_DAY = "00:00-23:59"


def rooms(node: NodeProcess) -> set[str]:
    return {row["room"] for row in node.get("/api/v2/nodes")}


def test_who_announces_hears_who_was_told_and_who_sleeps(home: Home) -> None:
    kitchen, bedroom = home.pair()
    for node in (kitchen, bedroom):  # a room's name comes after the link
        until(lambda node=node: {"kitchen", "bedroom"} <= rooms(node), SYNC_S, "the rooms' names")  # type: ignore[misc]
    assert kitchen.ask("Tell the bedroom dinner is ready.")["reply"] == "Announced in the bedroom."
    assert bedroom.ask("Announce dinner is ready.")["reply"] == "Announced in the kitchen."
    assert "bedroom" not in kitchen.ask("Tell the hall dinner is ready.")["reply"], "it is not there"
    kitchen.set_config("audio.quiet_hours", ALL_DAY, node="bedroom")
    until(lambda: bedroom.get("/api/v2/config/audio.quiet_hours")["value"] == ALL_DAY, SYNC_S, "the quiet hours")
    sleeps = "I did not: it is quiet hours in the bedroom."
    assert kitchen.ask("Announce dinner is ready.")["reply"] == sleeps
    assert bedroom.ask("Announce dinner is ready.")["reply"] == "Announced in the kitchen.", (
        "its own hours keep it quiet"
    )
    assert "30" in bedroom.ask("Set the volume to 30 percent.")["reply"]
    until(lambda: bedroom.get("/api/v2/config/audio.volume")["value"] == "30", SYNC_S, "the volume")
    assert kitchen.get("/api/v2/config/audio.volume")["value"] == "100", "of that room only"
